"""SSH keys: those that accounts sign in with at our SFTP server, and the server's own, its private half wrapped."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)

from models.database import fetch, metadata, run

ssh_keys = Table(
    "ssh_keys",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("comment", Text, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)
Index("ix_ssh_keys_account_id", ssh_keys.c.account_id)

ssh_host_keys = Table(
    "ssh_host_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)


class SshKey(NamedTuple):
    """A key that an account signs in with. It counts while it is not revoked."""

    id: int
    account: str
    public_key: str
    fingerprint: str
    comment: str
    added_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class HostKey(NamedTuple):
    """A host key of our server; the newest one is shown."""

    kid: str
    public_key: bytes
    wrapped: bytes


_SELECT = (
    "SELECT k.id, a.number, k.public_key, k.fingerprint, k.comment, k.added_at, k.last_used_at, k.revoked_at"
    " FROM ssh_keys k JOIN accounts a ON a.id = k.account_id"
)


def add(connection: Connection, account_id: int, public_key: str, fingerprint: str, comment: str) -> bool:
    """Record a key of an account; false when the fingerprint is known already, revoked or not."""
    return (
        run(
            connection,
            "INSERT INTO ssh_keys (account_id, public_key, fingerprint, comment)"
            " VALUES (%(account)s, %(key)s, %(fingerprint)s, %(comment)s) ON CONFLICT (fingerprint) DO NOTHING",
            {"account": account_id, "key": public_key, "fingerprint": fingerprint, "comment": comment},
        )
        == 1
    )


def by_fingerprint(connection: Connection, fingerprint: str) -> SshKey | None:
    """The key of a fingerprint (``SHA256:...``), revoked or not."""
    found = fetch(connection, f"{_SELECT} WHERE k.fingerprint = %(fingerprint)s", {"fingerprint": fingerprint})
    return SshKey(*found[0]) if found else None


def of_account(connection: Connection, account_id: int | None) -> list[SshKey]:
    """The keys of an account, or of all, oldest first."""
    query = f"{_SELECT} WHERE %(account)s::bigint IS NULL OR k.account_id = %(account)s ORDER BY k.id"
    return [SshKey(*row) for row in fetch(connection, query, {"account": account_id})]


def opens(connection: Connection, account_id: int, fingerprint: str) -> bool:
    """Whether an account may sign in with a key now."""
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM ssh_keys WHERE account_id = %(account)s AND fingerprint = %(fingerprint)s"
            " AND revoked_at IS NULL",
            {"account": account_id, "fingerprint": fingerprint},
        )
    )


def touch(connection: Connection, fingerprint: str) -> None:
    """Note that a key was used now."""
    query = "UPDATE ssh_keys SET last_used_at = now() WHERE fingerprint = %(fingerprint)s"
    run(connection, query, {"fingerprint": fingerprint})


def revoke(connection: Connection, fingerprint: str) -> bool:
    """Revoke a key for good; false when it was revoked before."""
    query = "UPDATE ssh_keys SET revoked_at = now() WHERE fingerprint = %(fingerprint)s AND revoked_at IS NULL"
    return run(connection, query, {"fingerprint": fingerprint}) == 1


def host_keys(connection: Connection) -> list[HostKey]:
    """The host keys of our server, oldest to newest."""
    found = fetch(connection, "SELECT kid, public_key, wrapped FROM ssh_host_keys ORDER BY created_at, kid", {})
    return [HostKey(row[0], bytes(row[1]), bytes(row[2])) for row in found]


def add_host_key(connection: Connection, key: HostKey) -> None:
    """Store a host key, which is shown from now on."""
    connection.execute(
        text("INSERT INTO ssh_host_keys (kid, public_key, wrapped) VALUES (:kid, :public_key, :wrapped)"),
        key._asdict(),
    )


def rewrap_host_key(connection: Connection, kid: str, wrapped: bytes) -> None:
    """Replace the wrapped private half of a host key."""
    connection.execute(
        text("UPDATE ssh_host_keys SET wrapped = :wrapped WHERE kid = :kid"), {"kid": kid, "wrapped": wrapped}
    )

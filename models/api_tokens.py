"""API tokens of accounts: kept as hashes, for some kinds or all, until they expire or are revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY

from licensing.permissions import Permission
from models.database import fetch, metadata, records, run

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    # The first characters, by which its owner knows it again.
    Column("start", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    # NULL: every kind that the account may send.
    Column("kinds", ARRAY(Text)),
    Column("permission", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("created_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("used_at", DateTime(timezone=True)),
    Column("used_from", Text),
    CheckConstraint("permission IN ('read', 'submit', 'manage')", name="permission"),
)
Index("ix_api_tokens_account_id", api_tokens.c.account_id)
USE_SECONDS = 60  # how exactly the last use is kept: a row is not written for every request


class Bearer(NamedTuple):
    """Whose token it is, and what it is good for. ``kinds`` None: all."""

    token_id: int
    name: str
    account_id: int
    account_number: str
    account_type: str
    account_state: str
    permission: Permission
    kinds: list[str] | None


def add(
    connection: Connection,
    account_id: int,
    name: str,
    start: str,
    token_hash: str,
    permission: Permission,
    *,
    kinds: Sequence[str] | None,
    days: int,
    created_by: str,
) -> int:
    """Keep a new token; its id."""
    rows = fetch(
        connection,
        "INSERT INTO api_tokens (account_id, name, start, token_hash, kinds, permission, created_by, expires_at)"
        " VALUES (%(account)s, %(name)s, %(start)s, %(hash)s, %(kinds)s, %(permission)s, %(by)s,"
        " now() + make_interval(days => %(days)s)) RETURNING id",
        {
            "account": account_id,
            "name": name,
            "start": start,
            "hash": token_hash,
            "kinds": None if kinds is None else list(kinds),
            "permission": permission,
            "by": created_by,
            "days": days,
        },
    )
    return int(rows[0][0])


def bearer(connection: Connection, token_hash: str, address: str) -> Bearer | None:
    """Who bears a token that is good now; its use is noted, to the minute."""
    rows = fetch(
        connection,
        "SELECT t.id, t.name, a.id, a.number, a.type, a.state, t.permission, t.kinds,"
        " coalesce(t.used_at < now() - make_interval(secs => %(seconds)s), true)"
        " FROM api_tokens t JOIN accounts a ON a.id = t.account_id"
        " WHERE t.token_hash = %(hash)s AND t.revoked_at IS NULL AND t.expires_at > now()",
        {"hash": token_hash, "seconds": USE_SECONDS},
    )
    if not rows:
        return None
    *found, is_to_be_noted = rows[0]
    if is_to_be_noted:  # a row that another request notes at this moment is left to it
        run(
            connection,
            "UPDATE api_tokens SET used_at = now(), used_from = %(address)s WHERE id ="
            " (SELECT id FROM api_tokens WHERE id = %(id)s FOR NO KEY UPDATE SKIP LOCKED)",
            {"id": found[0], "address": address},
        )
    return Bearer(*found)


def listed(connection: Connection, account_id: int | None) -> list[dict[str, Any]]:
    """The tokens of one account or of all, newest first, without their hashes."""
    return records(
        connection,
        "SELECT t.id, a.number, t.name, t.start, t.kinds, t.permission, t.created_at, t.created_by, t.expires_at,"
        " t.revoked_at, t.used_at, t.used_from,"
        " CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked' WHEN t.expires_at <= now() THEN 'expired'"
        " ELSE 'active' END"
        " FROM api_tokens t JOIN accounts a ON a.id = t.account_id"
        " WHERE %(account)s::bigint IS NULL OR t.account_id = %(account)s ORDER BY t.id DESC",
        (
            "token", "account", "name", "start", "kinds", "permission", "created", "created_by", "expires", "revoked",
            "last_used", "last_used_from", "state",
        ),
        {"account": account_id},
    )  # fmt: skip


def forget(connection: Connection, before: datetime, most: int) -> list[dict[str, Any]]:
    """Delete tokens that were no good any more before a time, at most so many; what is to be remembered of each."""
    return records(
        connection,
        "DELETE FROM api_tokens t USING accounts a WHERE a.id = t.account_id AND t.id IN (SELECT id FROM api_tokens"
        " WHERE least(revoked_at, expires_at) < %(before)s ORDER BY id LIMIT %(most)s)"
        " RETURNING t.id, a.number, t.name, t.start, t.created_by, t.used_at::text, t.used_from",
        ("token", "account", "name", "start", "created_by", "last_used", "last_used_from"),
        {"before": before, "most": most},
    )


def revoke(connection: Connection, token_id: int, account_id: int | None) -> bool:
    """Revoke a token, of one account or of any; false where there is none."""
    return (
        run(
            connection,
            "UPDATE api_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = %(id)s"
            " AND (%(account)s::bigint IS NULL OR account_id = %(account)s)",
            {"id": token_id, "account": account_id},
        )
        == 1
    )

"""Mail subscriptions: who else gets an account's messages, and who wants only some of them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
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

from models.database import fetch, metadata, records, run

subscriptions = Table(
    "mail_subscriptions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("address", Text, nullable=False),
    # NULL: every type. None at all: the address gets nothing.
    Column("types", ARRAY(Text)),
    Column("language", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("language IN ('en', 'it')", name="language"),
)
Index(
    "uq_mail_subscriptions_address",
    subscriptions.c.account_id,
    func.lower(subscriptions.c.address),
    unique=True,
)


def save(
    connection: Connection, account_id: int, address: str, types: Sequence[str] | None, language: str | None
) -> None:
    """Say which messages of an account an address gets: all (None), some, or none. It replaces what was said before."""
    run(
        connection,
        "INSERT INTO mail_subscriptions (account_id, address, types, language)"
        " VALUES (%(account)s, %(address)s, %(types)s::text[], %(language)s)"
        " ON CONFLICT (account_id, lower(address)) DO UPDATE SET address = excluded.address, types = excluded.types,"
        " language = excluded.language",
        {
            "account": account_id,
            "address": address,
            "types": None if types is None else list(types),
            "language": language,
        },
    )


def remove(connection: Connection, account_id: int, address: str) -> None:
    """Forget what was said of an address."""
    run(
        connection,
        "DELETE FROM mail_subscriptions WHERE account_id = %(account)s AND lower(address) = lower(%(address)s)",
        {"account": account_id, "address": address},
    )


def count(connection: Connection, account_id: int, but: str) -> int:
    """How many addresses an account has said something of, but for one."""
    query = (
        "SELECT count(*) FROM mail_subscriptions WHERE account_id = %(account)s AND lower(address) <> lower(%(but)s)"
    )
    return int(fetch(connection, query, {"account": account_id, "but": but})[0][0])


def listed(connection: Connection, account_id: int | None) -> list[dict[str, Any]]:
    """The addresses of one account or of all: the accounts' own, unless a subscription says otherwise, and others.

    With how many mails to them failed.
    """
    return records(
        connection,
        "SELECT number, address, types, language, (SELECT count(*) FROM deliveries d JOIN events e ON e.id = d.event_id"
        "  WHERE e.account_id = addresses.id AND d.state = 'failed' AND lower(d.address) = lower(addresses.address))"
        " FROM ("
        " SELECT a.id, a.number, a.email AS address, NULL::text[] AS types, NULL::text AS language FROM accounts a"
        "  WHERE a.email IS NOT NULL AND NOT EXISTS (SELECT FROM mail_subscriptions s WHERE s.account_id = a.id"
        "   AND lower(s.address) = lower(a.email))"
        " UNION ALL SELECT a.id, a.number, s.address, s.types, s.language FROM mail_subscriptions s"
        "  JOIN accounts a ON a.id = s.account_id) AS addresses"
        " WHERE %(account)s::bigint IS NULL OR id = %(account)s ORDER BY number, address",
        ("account", "address", "types", "language", "failed"),
        {"account": account_id},
    )

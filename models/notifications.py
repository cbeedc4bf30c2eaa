"""Upgrade notifications: what an owner whose maintenance covers a release may turn a license into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from models.database import fetch, metadata, run

notifications = Table(
    "notifications",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text(collation="C"), nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("license_number", Text(collation="C"), nullable=False),
    Column("owner_id", BigInteger, nullable=False),
    Column("release_id", BigInteger, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("license_number", "release_id"),
    CheckConstraint("state IN ('open', 'partly_used', 'used', 'lapsed')", name="state"),
    CheckConstraint("remaining BETWEEN 0 AND quantity AND quantity > 0", name="remaining"),
    postgresql_with={"fillfactor": 50},
)
Index("ix_notifications_owner_id", notifications.c.owner_id)


@dataclass(slots=True)
class Notification:
    """One upgrade notification as a chunk needs it: which license it is for, and which release it tells of."""

    key: str
    id: int
    license_number: str
    product_id: int
    sku: str
    version: str
    release_date: date | None
    quantity: int
    remaining: int
    state: str


_SELECT = (
    "SELECT n.key, n.id, n.license_number, p.id, p.sku, r.version, r.release_date, n.quantity, n.remaining, n.state"
    " FROM notifications n JOIN releases r ON r.id = n.release_id JOIN products p ON p.id = r.product_id"
)


def by_key(connection: Connection, keys: Sequence[str], *, lock: bool) -> dict[str, Notification]:
    """The notifications with these look-up keys, by key; locked in key order when ``lock``."""
    query = _SELECT + " WHERE n.key = ANY(%(keys)s) ORDER BY n.key" + (" FOR NO KEY UPDATE OF n" if lock else "")
    return {row[0]: Notification(*row) for row in fetch(connection, query, {"keys": list(keys)})}


def licenses_of(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """The number of the license that each notification is for, by the notification's key."""
    query = "SELECT key, license_number FROM notifications WHERE key = ANY(%(keys)s)"
    return {row[0]: row[1] for row in fetch(connection, query, {"keys": list(keys)})}


def keys_of_licenses(connection: Connection, numbers: Sequence[str]) -> dict[str, list[str]]:
    """The keys of the notifications that licenses or the ones that they are the rest of were sent, by license."""
    found: dict[str, list[str]] = {}
    for number, key in fetch(
        connection,
        "WITH RECURSIVE line AS ("
        " SELECT number AS start, number, parent_number, cause FROM licenses WHERE number = ANY(%(numbers)s)"
        " UNION ALL SELECT line.start, l.number, l.parent_number, l.cause FROM line"
        " JOIN licenses l ON l.number = line.parent_number WHERE line.cause = 'split')"
        " SELECT line.start, n.key FROM line JOIN notifications n ON n.license_number = line.number"
        " ORDER BY line.start, n.id",
        {"numbers": list(numbers)},
    ):
        found.setdefault(number, []).append(key)
    return found


def use(connection: Connection, used: Sequence[tuple[int, int]]) -> None:
    """Take quantities off notifications: (notification id, quantity). Raises where a constraint says too much."""
    whole: dict[int, int] = {}
    for notification_id, quantity in used:
        whole[notification_id] = whole.get(notification_id, 0) + quantity
    run(
        connection,
        "UPDATE notifications n SET remaining = n.remaining - w.quantity,"
        " state = CASE WHEN n.remaining = w.quantity THEN 'used' ELSE 'partly_used' END"
        " FROM unnest(%(ids)s::bigint[], %(quantities)s::int[]) AS w (id, quantity) WHERE n.id = w.id",
        {"ids": list(whole), "quantities": list(whole.values())},
    )


def follow(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Let notifications that can still be used follow licenses that were replaced as a whole: (old, new) numbers."""
    run(
        connection,
        "UPDATE notifications n SET license_number = w.new"
        " FROM unnest(%(old)s::text[], %(new)s::text[]) AS w (old, new)"
        " WHERE n.license_number = w.old AND n.state IN ('open', 'partly_used')",
        {"old": [old for old, _ in pairs], "new": [new for _, new in pairs]},
    )

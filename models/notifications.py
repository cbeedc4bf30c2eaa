"""Upgrade notifications: what an owner whose maintenance covers a release may turn a license into."""

from __future__ import annotations

from collections.abc import Sequence

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

from models.database import metadata, run

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
)
Index("ix_notifications_owner_id", notifications.c.owner_id)


def follow(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Let notifications that can still be used follow licenses that were replaced as a whole: (old, new) numbers."""
    run(
        connection,
        "UPDATE notifications n SET license_number = w.new"
        " FROM unnest(%(old)s::text[], %(new)s::text[]) AS w (old, new)"
        " WHERE n.license_number = w.old AND n.state IN ('open', 'partly_used')",
        {"old": [old for old, _ in pairs], "new": [new for _, new in pairs]},
    )

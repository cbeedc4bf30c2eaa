"""Serials: numbers on certificates, proof of purchase of a quantity of a product or of a maintenance renewal."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    Table,
    Text,
    text,
)

from models.database import metadata

# Filled a million rows at a time: no foreign keys, see docs/decisions/0006-schema.md.
serials = Table(
    "serials",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", Text(collation="C"), nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("version", Text),
    Column("quantity", Integer, nullable=False, server_default=text("1")),
    # Bought and not yet turned into licenses: quantity = remaining + the licenses made of it, always.
    Column("remaining", Integer, nullable=False),
    Column("term_months", Integer),
    Column("maintenance_months", Integer),
    Column("maintenance_level", Text),
    Column("purpose", Text, nullable=False, server_default="license"),
    Column("prints_key", Boolean, nullable=False, server_default=text("false")),
    Column("owner_id", BigInteger),
    Column("registered_at", DateTime(timezone=True)),
    Column("state", Text, nullable=False, server_default="unregistered"),
    Column("end_reason", Text),
    CheckConstraint("state IN ('unregistered', 'registered', 'void')", name="state"),
    CheckConstraint("purpose IN ('license', 'renewal')", name="purpose"),
    CheckConstraint("remaining BETWEEN 0 AND quantity AND quantity > 0", name="remaining"),
    CheckConstraint("(owner_id IS NULL) = (registered_at IS NULL)", name="owner"),
    postgresql_with={"fillfactor": 85},
)

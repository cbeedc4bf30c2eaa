"""User-defined fields of licenses: what their owners write beside them."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, Table, Text, func

from models.database import metadata

user_fields = Table(
    "user_fields",
    metadata,
    Column("license_number", Text(collation="C"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("type IN ('text', 'number', 'date', 'flag')", name="type"),
)
Index("ix_user_fields_name", user_fields.c.name, user_fields.c.value)

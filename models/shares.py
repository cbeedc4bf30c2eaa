"""Shares: licenses that other accounts may read or manage."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Table, Text, func

from models.database import metadata

shares = Table(
    "shares",
    metadata,
    Column("license_number", Text(collation="C"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("permission", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("permission IN ('read', 'manage')", name="permission"),
    CheckConstraint("state IN ('active', 'withdrawn')", name="state"),
)
Index("ix_shares_account_id", shares.c.account_id)

"""Maintenance: the support contract of a license, and the renewals that extended it."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Integer, Table, Text

from models.database import metadata

maintenance = Table(
    "maintenance",
    metadata,
    Column("license_number", Text(collation="C"), primary_key=True),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("level", Text),
    Column("support_contact", Text),
    CheckConstraint("starts <= ends", name="dates"),
)

# A renewal serial extends one license, once.
renewals = Table(
    "renewals",
    metadata,
    Column("serial_id", BigInteger, primary_key=True),
    Column("license_number", Text(collation="C"), nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("new_license_number", Text(collation="C")),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
)

"""Maintenance: the support contract of a license, and the renewals that extended it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, Date, Integer, Table, Text

from models.database import copy_in, fetch, metadata

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


class Maintenance(NamedTuple):
    """First and last day of a license's maintenance, its level and whom support writes to."""

    starts: date
    ends: date
    level: str | None
    support_contact: str | None


def of_licenses(connection: Connection, numbers: Sequence[str]) -> dict[str, Maintenance]:
    """The maintenance of licenses, by license number."""
    rows = fetch(
        connection,
        "SELECT license_number, starts, ends, level, support_contact FROM maintenance"
        " WHERE license_number = ANY(%(numbers)s)",
        {"numbers": list(numbers)},
    )
    return {row[0]: Maintenance(*row[1:]) for row in rows}


def add(connection: Connection, lines: Iterable[str]) -> None:
    """Add the maintenance of new licenses: COPY lines of number, first day, last day, level, support contact."""
    copy_in(connection, "maintenance", "license_number, starts, ends, level, support_contact", lines)

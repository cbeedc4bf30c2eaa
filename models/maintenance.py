"""Maintenance: the support contract of a license, and the renewals that extended it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, Date, Index, Integer, Table, Text

from models.database import copy_in, copy_line, fetch, metadata, run

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

# What renewal serials did: so much of one extended the maintenance of a license, once.
renewals = Table(
    "renewals",
    metadata,
    Column("serial_id", BigInteger, primary_key=True),
    Column("license_number", Text(collation="C"), primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("previous_starts", Date),
    Column("previous_ends", Date),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
)
Index("ix_renewals_license_number", renewals.c.license_number)


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


class Renewal(NamedTuple):
    """So much of a renewal serial, spent on a license: what its maintenance is now, and what it was."""

    serial_id: int
    license_number: str
    quantity: int
    now: Maintenance
    previous: Maintenance | None
    ordinal: int


def renewed(connection: Connection, serial_ids: Sequence[int]) -> set[tuple[int, str]]:
    """Which licenses these renewal serials extended: (serial id, license number)."""
    query = "SELECT serial_id, license_number FROM renewals WHERE serial_id = ANY(%(ids)s)"
    return {(row[0], row[1]) for row in fetch(connection, query, {"ids": list(serial_ids)})}


def renew(connection: Connection, batch_id: int, renewals: Sequence[Renewal]) -> None:
    """Write renewals in their order, and the maintenance that licenses have after the last one of each."""
    copy_in(
        connection,
        "renewals",
        "serial_id, license_number, quantity, starts, ends, previous_starts, previous_ends, batch_id, ordinal",
        [
            copy_line(
                one.serial_id, one.license_number, one.quantity, one.now.starts, one.now.ends,
                one.previous and one.previous.starts, one.previous and one.previous.ends, batch_id, one.ordinal,
            )
            for one in renewals
        ],
    )  # fmt: skip
    save(connection, {one.license_number: one.now for one in renewals})


def save(connection: Connection, found: Mapping[str, Maintenance]) -> None:
    """Give licenses this maintenance, by license number, in place of what they had."""
    run(
        connection,
        "INSERT INTO maintenance (license_number, starts, ends, level, support_contact)"
        " SELECT * FROM unnest(%(numbers)s::text[], %(starts)s::date[], %(ends)s::date[], %(levels)s::text[],"
        " %(contacts)s::text[]) ON CONFLICT (license_number) DO UPDATE SET starts = excluded.starts,"
        " ends = excluded.ends, level = excluded.level, support_contact = excluded.support_contact",
        {
            "numbers": list(found),
            "starts": [one.starts for one in found.values()],
            "ends": [one.ends for one in found.values()],
            "levels": [one.level for one in found.values()],
            "contacts": [one.support_contact for one in found.values()],
        },
    )


def with_renewals(connection: Connection, numbers: Sequence[str]) -> set[str]:
    """Those of these licenses whose maintenance a renewal has extended."""
    query = "SELECT DISTINCT license_number FROM renewals WHERE license_number = ANY(%(numbers)s)"
    return {row[0] for row in fetch(connection, query, {"numbers": list(numbers)})}

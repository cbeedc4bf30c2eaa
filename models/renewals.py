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


class Undone(NamedTuple):
    """A renewal that is taken back: what it spent, and the days before it (None: there was no maintenance)."""

    serial_id: int
    license_number: str
    quantity: int
    starts: date
    ends: date
    previous: tuple[date, date] | None


def of_rows(connection: Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Undone]:
    """The renewals that rows made, by batch and ordinal."""
    rows = fetch(
        connection,
        "SELECT n.batch_id, n.ordinal, n.serial_id, n.license_number, n.quantity, n.starts, n.ends, n.previous_starts,"
        " n.previous_ends FROM outcomes o JOIN renewals n ON n.license_number = o.license_number"
        " AND n.batch_id = o.batch_id AND n.ordinal = o.ordinal"
        " JOIN unnest(%(batches)s::bigint[], %(ordinals)s::int[]) AS w (batch_id, ordinal)"
        " ON w.batch_id = o.batch_id AND w.ordinal = o.ordinal",
        {"batches": [batch for batch, _ in places], "ordinals": [ordinal for _, ordinal in places]},
    )
    return {
        (batch, ordinal): Undone(serial, number, quantity, starts, ends, was_from and (was_from, was_until))
        for batch, ordinal, serial, number, quantity, starts, ends, was_from, was_until in rows
    }


def undo(connection: Connection, renewals: Sequence[Undone]) -> None:
    """Forget renewals, so that their serials can be spent again."""
    run(
        connection,
        "DELETE FROM renewals n USING unnest(%(serials)s::bigint[], %(numbers)s::text[]) AS w (serial_id, number)"
        " WHERE n.serial_id = w.serial_id AND n.license_number = w.number",
        {"serials": [one.serial_id for one in renewals], "numbers": [one.license_number for one in renewals]},
    )


def delete(connection: Connection, numbers: Sequence[str]) -> None:
    """Take all maintenance from licenses."""
    run(connection, "DELETE FROM maintenance WHERE license_number = ANY(%(numbers)s)", {"numbers": list(numbers)})

"""Renewals: what extended the maintenance of licenses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Date, Index, Integer, Table, Text

from models.database import copy_in, copy_line, fetch, metadata, run
from models.licenses import Maintenance

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


class Renewal(NamedTuple):
    """So much of a renewal serial, spent on a license: what its maintenance is now, and what it was."""

    serial_id: int
    license_number: str
    quantity: int
    now: Maintenance
    previous: Maintenance | None
    ordinal: int


def spent(connection: Connection, serial_ids: Sequence[int]) -> set[tuple[int, str]]:
    """Which licenses these renewal serials extended: (serial id, license number)."""
    query = "SELECT serial_id, license_number FROM renewals WHERE serial_id = ANY(%(ids)s)"
    return {(row[0], row[1]) for row in fetch(connection, query, {"ids": list(serial_ids)})}


def add(connection: Connection, batch_id: int, renewals: Sequence[Renewal]) -> None:
    """Write renewals in their order."""
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


def extended(connection: Connection, numbers: Sequence[str]) -> set[str]:
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

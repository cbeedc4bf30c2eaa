"""Usage reports: how much of a contract's line was in use on a day. A correction supersedes a report, which stays."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)

from models.database import Xid8, copy_in, fetch, fetch_pairs, metadata, run

# Filled a million rows at a time: no foreign keys, see docs/decisions/0006-schema.md.
usage_reports = Table(
    "usage_reports",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("line_id", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    # What it counts: a host, or "" for everything together.
    Column("host_id", Text(collation="C"), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("is_current", Boolean, nullable=False, server_default=text("true")),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("xact", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    CheckConstraint("quantity >= 0", name="quantity"),
)
Index("ix_usage_reports_xact", usage_reports.c.xact)
# With the quantity, so that a reconciliation reads a year of a line, which came in 365 nights, from a few pages.
Index(
    "uq_usage_reports_current",
    usage_reports.c.line_id,
    usage_reports.c.day,
    usage_reports.c.host_id,
    unique=True,
    postgresql_where=usage_reports.c.is_current,
    postgresql_include=["quantity"],
)


class Report(NamedTuple):
    """What is known of a line on a day for a host ("": in total); ``id`` is 0 until it is written."""

    id: int
    quantity: int


Place = tuple[int, date]  # line id and day


def current(connection: Connection, places: Sequence[Place]) -> dict[Place, dict[str, Report]]:
    """The reports that hold, by line and day, then by host."""
    found: dict[Place, dict[str, Report]] = {}
    for line_id, day, host_id, report_id, quantity in fetch(
        connection,
        "SELECT u.line_id, u.day, u.host_id, u.id, u.quantity FROM usage_reports u"
        " JOIN (SELECT DISTINCT line_id, day FROM unnest(%(lines)s::bigint[], %(days)s::date[]) AS w (line_id, day)) w"
        " ON w.line_id = u.line_id AND w.day = u.day WHERE u.is_current",
        {"lines": [line for line, _ in places], "days": [day for _, day in places]},
    ):
        found.setdefault((line_id, day), {})[host_id] = Report(report_id, quantity)
    return found


def supersede(connection: Connection, report_ids: Sequence[int]) -> None:
    """Let reports hold no longer. Raises ``RuntimeError`` if one did not."""
    changed = run(
        connection,
        "UPDATE usage_reports SET is_current = false WHERE id = ANY(%(ids)s) AND is_current",
        {"ids": list(report_ids)},
    )
    if changed != len(report_ids):
        raise RuntimeError(f"{len(report_ids) - changed} of {len(report_ids)} usage reports held no longer")


def add(connection: Connection, lines: Sequence[str]) -> None:
    """Add reports: COPY lines of line id, day, host, quantity, whether it holds, batch and row."""
    copy_in(connection, "usage_reports", "line_id, day, host_id, quantity, is_current, batch_id, ordinal", lines)


def by_day(connection: Connection, since: Mapping[int, date]) -> dict[int, tuple[array[int], array[int]]]:
    """The reports that hold of lines, each from a day on, by line id: days (as ``date.toordinal``) and quantities.

    In order of the days; a day that hosts are reported of is there for each of them.
    """
    if not since:
        return {}
    return fetch_pairs(
        connection,
        "SELECT w.line_id, u.pairs FROM unnest(%(lines)s::bigint[], %(since)s::date[]) AS w (line_id, since)"
        " CROSS JOIN LATERAL (SELECT string_agg(int8send((day - date '0001-01-01' + 1)::bigint << 32 | quantity), '')"
        "  AS pairs FROM (SELECT day, quantity FROM usage_reports"
        "  WHERE line_id = w.line_id AND day >= w.since AND is_current ORDER BY day) o) u WHERE u.pairs IS NOT NULL",
        {"lines": list(since), "since": list(since.values())},
    )

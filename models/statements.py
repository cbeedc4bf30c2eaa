"""Statements: what reconciliation said of a line in a period. A closed one never changes; late reports adjust it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, records, run, stream

statements = Table(
    "statements",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("line_id", ForeignKey("contract_lines.id"), nullable=False),
    Column("period_starts", Date, nullable=False),
    Column("period_ends", Date, nullable=False),
    Column("state", Text, nullable=False),
    # The last day that was counted.
    Column("until", Date, nullable=False),
    Column("committed", Integer, nullable=False),
    Column("drawn", Integer, nullable=False),
    Column("used", Numeric(18, 2), nullable=False),
    Column("peak", Integer, nullable=False),
    Column("peak_day", Date),
    Column("over", Numeric(18, 2), nullable=False),
    Column("unused", Numeric(18, 2), nullable=False),
    Column("is_tolerated", Boolean, nullable=False),
    Column("owed", Numeric(18, 2), nullable=False),
    Column("owed_from", Date),
    Column("missing_days", Integer, nullable=False),
    # Of an adjustment: the reports that came late, batch and row each.
    Column("causes", JSONB),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("state IN ('open', 'closed', 'adjusted')", name="state"),
)
Index(
    "uq_statements_period",
    statements.c.line_id,
    statements.c.period_starts,
    unique=True,
    postgresql_where=text("state <> 'adjusted'"),
)
Index("ix_statements_line_id", statements.c.line_id)


class Figures(NamedTuple):
    """What a statement says, in the order of its columns; two are equal when nothing has changed."""

    committed: int
    drawn: int
    used: Decimal
    peak: int
    peak_day: date | None
    over: Decimal
    unused: Decimal
    is_tolerated: bool
    owed: Decimal
    owed_from: date | None
    missing_days: int


class Stored(NamedTuple):
    """The newest statement of a period: itself, or its last adjustment."""

    id: int
    state: str
    until: date
    at: Any
    figures: Figures


_FIGURES = ", ".join(Figures._fields)


def newest(connection: Connection, line_ids: Sequence[int]) -> dict[tuple[int, date], Stored]:
    """The newest statement of every period of lines, by line id and first day."""
    rows = fetch(
        connection,
        f"SELECT DISTINCT ON (line_id, period_starts) line_id, period_starts, id, state, until, at, {_FIGURES}"
        " FROM statements WHERE line_id = ANY(%(ids)s) ORDER BY line_id, period_starts, id DESC",
        {"ids": list(line_ids)},
    )
    return {
        (line_id, starts): Stored(number, state, until, at, Figures(*figures))
        for line_id, starts, number, state, until, at, *figures in rows
    }


class New(NamedTuple):
    """A statement to be written: over an open one (its id), or as a new one (None)."""

    replaces: int | None
    line_id: int
    starts: date
    ends: date
    state: str
    until: date
    figures: Figures
    ordinal: int


def write(connection: Connection, made: Sequence[New], batch_id: int) -> None:
    """Write statements. Raises ``RuntimeError`` where one that is no longer open would change."""
    types = {
        "committed": "int", "drawn": "int", "used": "numeric", "peak": "int", "peak_day": "date", "over": "numeric",
        "unused": "numeric", "is_tolerated": "boolean", "owed": "numeric", "owed_from": "date", "missing_days": "int",
    }  # fmt: skip
    fresh, changed = [one for one in made if one.replaces is None], [one for one in made if one.replaces is not None]

    def values(some: Sequence[New]) -> dict[str, Any]:
        figures = {name: [getattr(one.figures, name) for one in some] for name in types}
        return figures | {
            "batch": batch_id,
            "ids": [one.replaces for one in some],
            "lines": [one.line_id for one in some],
            "starts": [one.starts for one in some],
            "ends": [one.ends for one in some],
            "states": [one.state for one in some],
            "untils": [one.until for one in some],
            "ordinals": [one.ordinal for one in some],
        }

    columns = ", ".join(f"%({name})s::{kind}[]" for name, kind in types.items())
    if fresh:
        run(
            connection,
            f"INSERT INTO statements (line_id, period_starts, period_ends, state, until, {_FIGURES}, causes, batch_id,"
            " ordinal) SELECT w.line_id, w.starts, w.ends, w.state, w.until,"
            f" {', '.join('w.' + name for name in types)},"
            " CASE WHEN w.state = 'adjusted' THEN (SELECT jsonb_agg(jsonb_build_array(u.batch_id, u.ordinal)"
            "  ORDER BY u.id) FROM usage_reports u WHERE u.line_id = w.line_id AND u.day BETWEEN w.starts AND w.ends"
            "  AND u.at > (SELECT max(s.at) FROM statements s WHERE s.line_id = w.line_id"
            "  AND s.period_starts = w.starts)) END, %(batch)s, w.ordinal"
            " FROM unnest(%(lines)s::bigint[], %(starts)s::date[], %(ends)s::date[], %(states)s::text[],"
            f" %(untils)s::date[], %(ordinals)s::int[], {columns})"
            f" AS w (line_id, starts, ends, state, until, ordinal, {_FIGURES})",
            values(fresh),
        )
    if changed:
        count = run(
            connection,
            "UPDATE statements s SET state = w.state, until = w.until, batch_id = %(batch)s, ordinal = w.ordinal,"
            f" at = now(), {', '.join(f'{name} = w.{name}' for name in types)} FROM unnest(%(ids)s::bigint[],"
            f" %(states)s::text[], %(untils)s::date[], %(ordinals)s::int[], {columns})"
            f" AS w (id, state, until, ordinal, {_FIGURES}) WHERE s.id = w.id AND s.state = 'open'",
            values(changed),
        )
        if count != len(changed):
            raise RuntimeError(f"{len(changed) - count} of {len(changed)} statements were no longer open")


def of_batch(connection: Connection, batch_id: int) -> tuple[int, Iterator[tuple[Any, ...]]]:
    """The statements that a batch wrote, as FlexNet's reconciliation summary has them: how many, and a row each."""
    count = fetch(connection, "SELECT count(*) FROM statements WHERE batch_id = %(batch)s", {"batch": batch_id})[0][0]
    rows = stream(
        connection,
        "SELECT c.name, c.number, p.name, p.sku, k.code, s.state, s.period_starts, s.period_ends, n.metric, s.used,"
        " s.committed, s.over, s.owed, n.currency, s.peak, s.peak_day, s.drawn, s.missing_days, s.id FROM statements s"
        " JOIN contract_lines n ON n.id = s.line_id JOIN contracts k ON k.id = n.contract_id"
        " JOIN accounts c ON c.id = k.customer_id JOIN products p ON p.id = n.product_id"
        " WHERE s.batch_id = %(batch)s ORDER BY k.key, p.sku, s.period_starts, s.id",
        {"batch": batch_id},
    )
    return count, rows


def listed(
    connection: Connection, *, contract: str | None, state: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Statements, newest first; of one contract (by its look-up key), in a state, older than one."""
    return records(
        connection,
        "SELECT s.id, k.code, c.number, p.sku, s.state, s.period_starts, s.period_ends, s.until, n.metric, n.policy,"
        " s.committed, s.drawn, s.used, s.peak, s.over, s.unused, s.owed, n.currency, s.missing_days FROM statements s"
        " JOIN contract_lines n ON n.id = s.line_id JOIN contracts k ON k.id = n.contract_id"
        " JOIN accounts c ON c.id = k.customer_id JOIN products p ON p.id = n.product_id"
        " WHERE (%(contract)s::text IS NULL OR k.key = %(contract)s)"
        " AND (%(state)s::text IS NULL OR s.state = %(state)s)"
        " AND (%(before)s::bigint IS NULL OR s.id < %(before)s) ORDER BY s.id DESC LIMIT %(limit)s",
        (
            "statement", "contract", "customer", "product", "state", "starts", "ends", "until", "metric", "policy",
            "committed", "drawn", "used", "peak", "over", "unused", "owed", "currency", "missing_days",
        ),
        {"contract": contract, "state": state, "before": before, "limit": limit},
    )  # fmt: skip


def card(connection: Connection, number: int) -> dict[str, Any] | None:
    """A statement with the rows that its figures came from: what was committed, drawn and reported, and where.

    Reports that were corrected are there too; ``counts`` tells those that hold.
    """
    names = ("statement", "contract", "customer", "product", "metric", "policy", "currency", "state", "starts", "ends")
    found = records(
        connection,
        "SELECT s.id, k.code, c.number, p.sku, n.metric, n.policy, n.currency, s.state, s.period_starts, s.period_ends,"
        f" s.until, s.causes, s.batch_id, s.ordinal, s.line_id, {_FIGURES} FROM statements s"
        " JOIN contract_lines n ON n.id = s.line_id JOIN contracts k ON k.id = n.contract_id"
        " JOIN accounts c ON c.id = k.customer_id JOIN products p ON p.id = n.product_id WHERE s.id = %(id)s",
        (*names, "until", "causes", "batch", "row", "line", *Figures._fields),
        {"id": number},
    )
    if not found:
        return None
    facts = found[0]
    place = {"line": facts.pop("line"), "starts": facts["starts"], "until": facts["until"]}
    return facts | {
        "commitments": records(
            connection,
            "SELECT since, quantity, price, batch_id, ordinal FROM commitments WHERE line_id = %(line)s"
            " AND since <= %(until)s ORDER BY since",
            ("since", "quantity", "price", "batch", "row"),
            place,
        ),
        "drawn_by": records(
            connection,
            "SELECT day, quantity, license_number, reference, cost_center, batch_id, ordinal FROM draw_downs"
            " WHERE line_id = %(line)s AND day <= %(until)s ORDER BY day, id",
            ("day", "quantity", "license", "reference", "cost_center", "batch", "row"),
            place,
        ),
        "reports": records(
            connection,
            "SELECT day, host_id, quantity, is_current, batch_id, ordinal FROM usage_reports WHERE line_id = %(line)s"
            " AND day <= %(until)s AND day >= coalesce((SELECT max(day) FROM usage_reports WHERE line_id = %(line)s"
            "  AND is_current AND day <= %(starts)s), %(starts)s) ORDER BY day, id",
            ("day", "host", "quantity", "counts", "batch", "row"),
            place,
        ),
    }

"""Statements: what reconciliation said of a line in a period. A closed one never changes; late reports adjust it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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

from models.database import NULL, copy_in, fetch, metadata, records, run, stream, without_nested_loops

# Filled a hundred thousand at a time: no foreign keys, see docs/decisions/0006-schema.md.
statements = Table(
    "statements",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("line_id", BigInteger, nullable=False),
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
    # Of an adjustment: the reports, draw-downs, returns and amendments that came late, batch and row each.
    Column("causes", JSONB),
    Column("batch_id", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("state IN ('open', 'closed', 'adjusted')", name="state"),
    # An open one changes in its place night by night: there is room on its page, and what changes is in no index but a
    # summary of pages (docs/decisions/0014-reconciliation.md).
    postgresql_with={"fillfactor": 50},
)
Index(
    # By the period first: a night adds one statement to each of very many lines, side by side in it.
    "uq_statements_period",
    statements.c.period_starts,
    statements.c.line_id,
    unique=True,
    postgresql_where=text("state <> 'adjusted'"),
)
Index("ix_statements_line_id", statements.c.line_id, statements.c.period_starts)
Index(
    "ix_statements_batch_id",
    statements.c.batch_id,
    postgresql_using="brin",
    postgresql_with={"pages_per_range": 16},
)


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
    figures: Figures


_FIGURES = ", ".join(Figures._fields)


def newest(connection: Connection, since: Mapping[int, date]) -> dict[tuple[int, date], Stored]:
    """The newest statements of lines, each of the periods from a day on, by line id and first day of the period."""
    if not since:
        return {}
    rows = fetch(
        connection,
        f"SELECT DISTINCT ON (s.line_id, s.period_starts) s.line_id, s.period_starts, s.id, s.state, s.until,"
        f" {_FIGURES} FROM unnest(%(lines)s::bigint[], %(since)s::date[]) AS w (line_id, since) JOIN statements s"
        " ON s.line_id = w.line_id AND s.period_starts >= w.since ORDER BY s.line_id, s.period_starts, s.id DESC",
        {"lines": list(since), "since": list(since.values())},
    )
    return {
        (line_id, starts): Stored(number, state, until, Figures(*figures))
        for line_id, starts, number, state, until, *figures in rows
    }


def drawn(connection: Connection, periods: Mapping[int, date]) -> dict[int, int]:
    """What was drawn of lines by the end of a period, by line id, as its newest statement says; ``periods``: the first
    day of each line's.
    """
    if not periods:
        return {}
    rows = fetch(
        connection,
        "SELECT DISTINCT ON (s.line_id) s.line_id, s.drawn FROM unnest(%(lines)s::bigint[], %(starts)s::date[])"
        " AS w (line_id, starts) JOIN statements s ON s.line_id = w.line_id AND s.period_starts = w.starts"
        " ORDER BY s.line_id, s.id DESC",
        {"lines": list(periods), "starts": list(periods.values())},
    )
    return {row[0]: row[1] for row in rows}


class New(NamedTuple):
    """A statement to be written: over an open one (its id), or as a new one (None).

    ``causes`` of an adjustment: (batch, row) of what came late.
    """

    replaces: int | None
    line_id: int
    starts: date
    ends: date
    state: str
    until: date
    figures: Figures
    ordinal: int
    causes: Sequence[tuple[int, int]] = ()


def write(connection: Connection, made: Sequence[New], batch_id: int) -> None:
    """Write statements. Raises ``RuntimeError`` where one that is no longer open would change."""
    fresh, changed = [one for one in made if one.replaces is None], [one for one in made if one.replaces is not None]
    if fresh:
        columns = f"line_id, period_starts, period_ends, state, until, {_FIGURES}, causes, batch_id, ordinal"
        copy_in(connection, "statements", columns, ["".join([_line(one, batch_id) for one in fresh])])
    if changed:
        _replace(connection, changed, batch_id)


def _line(one: New, batch_id: int) -> str:
    """A new statement as COPY takes it: nothing in it needs to be escaped. ``!s`` spares values a format."""
    committed, drawn, used, peak, peak_day, over, unused, is_tolerated, owed, owed_from, missing = one.figures
    return (
        f"{one.line_id}\t{one.starts!s}\t{one.ends!s}\t{one.state}\t{one.until!s}\t{committed}\t{drawn}\t{used!s}\t{peak}"
        f"\t{peak_day or NULL!s}\t{over!s}\t{unused!s}\t{is_tolerated!s}\t{owed!s}\t{owed_from or NULL!s}\t{missing}"
        f"\t{json.dumps(one.causes) if one.causes else NULL}\t{batch_id}\t{one.ordinal}\n"
    )


def _replace(connection: Connection, changed: Sequence[New], batch_id: int) -> None:
    types = {
        "committed": "int", "drawn": "int", "used": "numeric", "peak": "int", "peak_day": "date", "over": "numeric",
        "unused": "numeric", "is_tolerated": "boolean", "owed": "numeric", "owed_from": "date", "missing_days": "int",
    }  # fmt: skip
    columns = ", ".join(f"%({name})s::{kind}[]" for name, kind in types.items())
    count = run(
        connection,
        "UPDATE statements s SET state = w.state, until = w.until, batch_id = %(batch)s, ordinal = w.ordinal,"
        f" at = now(), {', '.join(f'{name} = w.{name}' for name in types)} FROM unnest(%(ids)s::bigint[],"
        f" %(states)s::text[], %(untils)s::date[], %(ordinals)s::int[], {columns})"
        f" AS w (id, state, until, ordinal, {_FIGURES}) WHERE s.id = w.id AND s.state = 'open'",
        {name: [getattr(one.figures, name) for one in changed] for name in types}
        | {
            "batch": batch_id,
            "ids": [one.replaces for one in changed],
            "states": [one.state for one in changed],
            "untils": [one.until for one in changed],
            "ordinals": [one.ordinal for one in changed],
        },
    )
    if count != len(changed):
        raise RuntimeError(f"{len(changed) - count} of {len(changed)} statements were no longer open")


def texts_of_batch(
    connection: Connection,
    batch_id: int,
    contracts: Mapping[int, tuple[str, str]],
    wares: Mapping[tuple[int, str], tuple[str, str]],
    *,
    at_once: int,
) -> Iterator[tuple[int, str]]:
    """The statements that a batch wrote of contracts, in their order: each one's id, and lines with commas between.

    ``contracts``: whose it is and what it is called, by id; ``wares``: a product and a currency as they are to stand
    in the list, by product id and currency ("": none), in the order of a contract's lines; ``at_once``: how many
    contracts' are in memory. PostgreSQL writes 120,000 statements like this in less time than it takes to make two
    million Python values of them.
    """
    with without_nested_loops(connection):
        return stream(
            connection,
            "SELECT min(id), string_agg(said, E'\\r\\n') FROM (SELECT k.id, k.place, concat_ws(',', k.whose, w.product,"
            " k.code, s.state, s.period_starts, s.period_ends, n.metric, trim_scale(s.used), s.committed,"
            " trim_scale(s.over), trim_scale(s.owed), w.currency, s.peak, coalesce(s.peak_day::text, ''), s.drawn,"
            " s.missing_days, s.id) AS said FROM unnest(%(contracts)s::bigint[], %(whose)s::text[], %(codes)s::text[])"
            "  WITH ORDINALITY AS k (id, whose, code, place)"
            " JOIN contract_lines n ON n.contract_id = k.id"
            " JOIN unnest(%(products)s::bigint[], %(known)s::text[], %(named)s::text[], %(currencies)s::text[])"
            "  WITH ORDINALITY AS w (product_id, known, product, currency, place)"
            "  ON w.product_id = n.product_id AND w.known = coalesce(n.currency, '')"
            " JOIN statements s ON s.line_id = n.id WHERE s.batch_id = %(batch)s AND n.contract_id = ANY(%(contracts)s)"
            # Sorted as a whole: each contract's sorted by the aggregate, it takes an eighth longer.
            " ORDER BY k.place, w.place, s.period_starts, s.id) s GROUP BY place ORDER BY place",
            {
                "batch": batch_id,
                "contracts": list(contracts),
                "whose": [whose for whose, _ in contracts.values()],
                "codes": [code for _, code in contracts.values()],
                "products": [product_id for product_id, _ in wares],
                "known": [currency for _, currency in wares],
                "named": [product for product, _ in wares.values()],
                "currencies": [currency for _, currency in wares.values()],
            },
            at_once,
        )


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

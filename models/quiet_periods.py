"""What is counted of many lines at once, for a night's common case: see ``licensing.contracts.quiet``."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from licensing.contracts import Metric, Period, Unit
from models.database import fetch, fetch_bytes, run


class Terms(NamedTuple):
    """What lines of a contract have in common: their term, how they are counted, and what they may grow by, in
    thousandths of a percent.
    """

    contract_id: int
    starts: date
    months: int
    unit: Unit
    metric: Metric
    growth: int


class Asked(NamedTuple):
    """Terms, the period of them that a night lies in, and the night: the last day that is counted; ``last``: the one
    before it.
    """

    terms: Terms
    period: Period
    until: date
    last: date


# A statement to be written of a quiet line: the line, the place of its terms among those asked for; how much is
# committed, used and unused (these in hundredths); the peak and its day (as days before ``date.max``); the id of the
# open one that it replaces, 0 where it is a new one.
New = tuple[int, int, int, int, int, int, int, int]
_NEW = ("line_id", "place", "committed", "used", "unused", "peak", "peak_before", "replaces")
# A line as PostgreSQL sends it: its id; place, commitment; most used and its day; sum used, days reported, the first
# one over what is allowed; then of its statement the id; used, unused, commitment; peak and its day; its last day;
# whether it is open, whether it is plain.
_FORM = struct.Struct(">qiiiiqiiqqqiiiiii")
_STORED = (
    *(f"int8send({word})" for word in ("s.id", "(s.used * 100)::bigint", "(s.unused * 100)::bigint")),
    "int4send(s.committed)",
    "int8send(s.peak::bigint << 32 | coalesce(date '9999-12-31' - s.peak_day, 0))",
    "int4send(date '9999-12-31' - s.until)",
    "int4send((s.state = 'open')::int)",
    "int4send((s.drawn = 0 AND s.over = 0 AND NOT s.is_tolerated AND s.owed = 0 AND s.owed_from IS NULL"
    " AND s.missing_days = 0)::int)",
)
_STORED_BYTES = struct.calcsize(">qqqiiiiii")


def terms(connection: Connection, contract_ids: Sequence[int]) -> list[Terms]:
    """The terms of those lines of contracts whose usage is reported."""
    rows = fetch(
        connection,
        "SELECT contract_id, starts, months, unit, metric, (growth * 1000)::int FROM contract_lines"
        " WHERE contract_id = ANY(%(ids)s) AND report_days IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6",
        {"ids": list(contract_ids)},
    )
    return [Terms(*row) for row in rows]


def count(connection: Connection, asked: Sequence[Asked]) -> Iterator[tuple[int, ...]]:
    """What is known of the lines with these terms from the first day of a period to a day in it.

    Of each: its id and the place of its terms in ``asked``; how much is committed; the most that was used and when
    first, the sum of what was used, of how many days it was reported, the first one over what is allowed (0: none); the
    id of its statement (0: none, and none of the rest), its used, unused, committed, peak and day of the peak, its last
    day, whether it is open, and whether its other figures are those of a quiet period. Amounts in hundredths, days as
    days before ``date.max``.
    Lines are left out that were drawn from, that were amended within these days, that nothing was reported of, or more
    than once a day.
    """
    sent = fetch_bytes(
        connection,
        "SELECT string_agg(int8send(n.id) || int4send(w.place::int - 1) || int4send(m.quantity) || int8send(u.most)"
        " || int8send(u.total) || int4send(u.days) || int4send(u.over)"
        f" || coalesce({'||'.join(_STORED)}, %(none)s::bytea), '')"
        " FROM unnest(%(contracts)s::bigint[], %(starts)s::date[], %(months)s::int[], %(units)s::text[],"
        "  %(metrics)s::text[], %(growths)s::int[], %(since)s::date[], %(until)s::date[], %(begun)s::bool[])"
        "  WITH ORDINALITY AS w (contract_id, starts, months, unit, metric, growth, since, until, was_begun, place)"
        " JOIN contract_lines n ON n.contract_id = w.contract_id AND n.starts = w.starts AND n.months = w.months"
        "  AND n.unit = w.unit AND n.metric = w.metric AND n.growth * 1000 = w.growth AND n.report_days IS NOT NULL"
        " CROSS JOIN LATERAL (SELECT since, quantity FROM commitments WHERE line_id = n.id AND since <= w.until"
        "  ORDER BY since DESC LIMIT 1) m"
        # The most that was used and its first day in one number: the later a day, the smaller.
        " CROSS JOIN LATERAL (SELECT max(quantity::bigint << 32 | (date '9999-12-31' - day)) AS most,"
        "  sum(quantity) AS total, count(*)::int AS days, coalesce(date '9999-12-31' - min(day)"
        "   FILTER (WHERE quantity > m.quantity * (100000 + w.growth::bigint) / 100000), 0) AS over FROM usage_reports"
        "  WHERE line_id = n.id AND day BETWEEN w.since AND w.until AND is_current"
        "  HAVING count(DISTINCT day) = count(*)) u"
        # There is none yet of a period that the last night had not come to.
        " LEFT JOIN LATERAL (SELECT * FROM statements WHERE w.was_begun AND line_id = n.id AND period_starts = w.since"
        "  AND state <> 'adjusted' LIMIT 1) s ON true"
        " WHERE m.since <= w.since AND NOT EXISTS (SELECT FROM draw_downs WHERE line_id = n.id OFFSET 0)",
        {
            "none": "\\x" + "00" * _STORED_BYTES,
            "contracts": [one.terms.contract_id for one in asked],
            "starts": [one.terms.starts for one in asked],
            "months": [one.terms.months for one in asked],
            "units": [one.terms.unit for one in asked],
            "metrics": [one.terms.metric for one in asked],
            "growths": [one.terms.growth for one in asked],
            "since": [one.period.starts for one in asked],
            "until": [one.until for one in asked],
            "begun": [str(one.last >= one.period.starts) for one in asked],
        },
    )
    return _FORM.iter_unpack(sent)


def write(
    connection: Connection, made: Sequence[New], asked: Sequence[Asked], rows: Mapping[int, int], batch: int
) -> None:
    """Write statements. ``rows``: the row of the batch that each contract's are of. Raises ``RuntimeError`` where one
    that is no longer open would change.
    """
    lines = {f"of_{name}": list(column) for name, column in zip(_NEW, zip(*made, strict=True), strict=True)}
    values = lines | {
        "batch": batch,
        "starts": [one.period.starts for one in asked],
        "ends": [one.period.ends for one in asked],
        "until": [one.until for one in asked],
        "rows": [rows.get(one.terms.contract_id, 0) for one in asked],
    }
    source = (
        f" FROM unnest({', '.join(f'%({name})s::bigint[]' for name in lines)}) AS q ({', '.join(_NEW)})"
        " JOIN unnest(%(starts)s::date[], %(ends)s::date[], %(until)s::date[], %(rows)s::int[])"
        "  WITH ORDINALITY AS w (starts, ends, until, ordinal, place) ON w.place = q.place + 1"
    )
    said = {
        "state": "CASE WHEN w.until = w.ends THEN 'closed' ELSE 'open' END",
        "until": "w.until",
        "committed": "q.committed",
        "drawn": "0",
        "used": "q.used * 0.01",
        "peak": "q.peak",
        "peak_day": "date '9999-12-31' - q.peak_before::int",
        "over": "0",
        "unused": "q.unused * 0.01",
        "is_tolerated": "false",
        "owed": "0",
        "owed_from": "NULL",
        "missing_days": "0",
        "batch_id": "%(batch)s",
        "ordinal": "w.ordinal",
    }
    run(
        connection,
        f"INSERT INTO statements (line_id, period_starts, period_ends, {', '.join(said)})"
        f" SELECT q.line_id, w.starts, w.ends, {', '.join(said.values())}{source} WHERE q.replaces = 0",
        values,
    )
    changed = sum(one[-1] > 0 for one in made)
    if not changed:
        return
    columns = ", ".join(f"{name} = {value}" for name, value in said.items())
    query = f"UPDATE statements s SET at = now(), {columns}{source} WHERE s.id = q.replaces AND s.state = 'open'"
    if (count := run(connection, query, values)) != changed:
        raise RuntimeError(f"{changed - count} of {changed} statements were no longer open")

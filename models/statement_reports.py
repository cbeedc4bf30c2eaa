"""What reports of a reconciliation are made from: which lines a batch wrote statements of, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models.database import fetch, without_nested_loops
from models.statements import Figures

# A statement as a report has it.
ENTRY = (
    "s.id, s.state, s.period_starts, s.period_ends, s.until, "
    + ", ".join(f"s.{name}" for name in Figures._fields)
    + ", s.causes, s.batch_id"
)
# Those to be looked at first (see licensing.reconciling.flags), as one number: sorted by many sorts would take as long
# as all the rest.
_GRAVE = (
    "((s.owed > 0)::int << 4 | (s.over > 0 AND NOT s.is_tolerated)::int << 3 | (s.over > 0)::int << 2"
    " | (s.state = 'adjusted')::int << 1 | (s.missing_days > 0)::int)"
)
_FLAGGED = "(s.owed > 0 OR s.over > 0 OR s.state = 'adjusted' OR s.missing_days > 0)"


class Reported(NamedTuple):
    """A contract that a batch wrote statements of: whose it is, and how many they are."""

    id: int
    key: str
    code: str
    customer: str
    customer_number: str
    statements: int


class Ware(NamedTuple):
    """A product that a batch wrote statements of, those in one currency ("": none): how many they are, and what is owed
    by closed, adjusted and open ones.
    """

    product_id: int
    name: str
    sku: str
    currency: str
    statements: int
    closed: Decimal
    adjusted: Decimal
    open: Decimal


def subjects_of(connection: Connection, batch_id: int) -> tuple[list[Reported], list[Ware]]:
    """What a batch wrote statements of: contracts, customer by customer, and products, with what they come to."""
    owed = ", ".join(
        f"coalesce(sum(s.owed) FILTER (WHERE s.state = '{state}'), 0) AS {state}"
        for state in ("closed", "adjusted", "open")
    )
    with without_nested_loops(connection):
        rows = fetch(
            connection,
            "SELECT k.id, k.key, k.code, c.name, c.number, w.count,"
            " p.id, p.name, p.sku, coalesce(w.currency, ''), w.count, w.closed, w.adjusted, w.open FROM"
            f" (SELECT n.contract_id, n.product_id, n.currency, count(*), {owed} FROM statements s"
            "   JOIN contract_lines n ON n.id = s.line_id WHERE s.batch_id = %(batch)s"
            "   GROUP BY GROUPING SETS ((n.contract_id), (n.product_id, n.currency))) w"
            " LEFT JOIN (contracts k JOIN accounts c ON c.id = k.customer_id) ON k.id = w.contract_id"
            " LEFT JOIN products p ON p.id = w.product_id ORDER BY c.number, k.key, p.sku, w.currency",
            {"batch": batch_id},
        )
    contracts = [Reported(*row[:6]) for row in rows if row[0] is not None]
    return contracts, [Ware(*row[6:]) for row in rows if row[0] is None]


def flagged_of(connection: Connection, batch_id: int) -> set[int]:
    """The ids of the contracts of which a batch wrote statements that are to be looked at."""
    rows = fetch(
        connection,
        "SELECT DISTINCT n.contract_id FROM statements s JOIN contract_lines n ON n.id = s.line_id"
        f" WHERE s.batch_id = %(batch)s AND {_FLAGGED}",
        {"batch": batch_id},
    )
    return {row[0] for row in rows}


def entries(connection: Connection, line_ids: Sequence[int], batch_id: int | None) -> dict[int, list[tuple[Any, ...]]]:
    """The statements of lines, by line, period and number: those of a batch, or (None) all of them."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for line_id, *entry in fetch(
        connection,
        f"SELECT s.line_id, {ENTRY} FROM statements s WHERE s.line_id = ANY(%(ids)s)"
        + (" AND s.batch_id = %(batch)s" if batch_id is not None else "")
        + " ORDER BY s.line_id, s.period_starts, s.id",
        {"ids": list(line_ids), "batch": batch_id},
    ):
        found.setdefault(line_id, []).append(tuple(entry))
    return found


class Grave(NamedTuple):
    """How grave a statement is (0: nobody need look at it), and what it is about."""

    grave: int
    contract_id: int
    product_id: int
    currency: str | None


def gravest(
    connection: Connection, batch_id: int, most: int, *, is_flagged: bool
) -> list[tuple[Grave, tuple[Any, ...]]]:
    """The statements of a batch that are to be looked at, gravest first, or (not ``is_flagged``) the others, at most so
    many: how grave it is, then the statement as in :data:`ENTRY`. Among equals, lines of before come first.
    """
    order = (f"{_GRAVE} DESC, s.owed DESC, " if is_flagged else "") + "s.line_id, s.period_starts, s.id"
    rows = fetch(
        connection,
        f"SELECT {_GRAVE}, n.contract_id, n.product_id, n.currency, {ENTRY} FROM (SELECT * FROM statements s"
        f"  WHERE s.batch_id = %(batch)s AND {_FLAGGED} = %(flagged)s ORDER BY {order} LIMIT %(most)s) s"
        f" JOIN contract_lines n ON n.id = s.line_id ORDER BY {order}",
        {"batch": batch_id, "flagged": is_flagged, "most": most},
    )
    return [(Grave(*row[:4]), row[4:]) for row in rows]

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
    """A contract that a batch wrote statements of, those in one currency ("": none): names, how many, and what is owed
    by closed, adjusted and open ones; ``is_flagged``: one of them is to be looked at.
    """

    id: int
    key: str
    code: str
    customer: str
    customer_number: str
    currency: str
    is_flagged: bool
    statements: int
    closed: Decimal
    adjusted: Decimal
    open: Decimal


class Ware(NamedTuple):
    """A product that contracts have lines of, and the currency of these lines ("": none)."""

    product_id: int
    name: str
    sku: str
    currency: str


def contracts_of(connection: Connection, batch_id: int) -> list[Reported]:
    """The contracts that a batch wrote statements of, customer by customer, by currency."""
    sums = ", ".join(
        f"coalesce(sum(s.owed) FILTER (WHERE s.state = '{state}'), 0) AS {state}"
        for state in ("closed", "adjusted", "open")
    )
    with without_nested_loops(connection):
        rows = fetch(
            connection,
            "SELECT k.id, k.key, k.code, c.name, c.number, w.currency, w.is_flagged, w.count, w.closed, w.adjusted,"
            " w.open FROM (SELECT n.contract_id, coalesce(n.currency, '') AS currency, count(*),"
            f"  bool_or({_FLAGGED}) AS is_flagged, {sums}"
            "  FROM statements s JOIN contract_lines n ON n.id = s.line_id WHERE s.batch_id = %(batch)s"
            "  GROUP BY 1, 2) w JOIN contracts k ON k.id = w.contract_id JOIN accounts c ON c.id = k.customer_id"
            " ORDER BY c.number, k.key, w.currency",
            {"batch": batch_id},
        )
    return [Reported(*row) for row in rows]


def wares_of(connection: Connection, contract_ids: Sequence[int]) -> list[Ware]:
    """What the lines of contracts are about, by product."""
    rows = fetch(
        connection,
        "SELECT p.id, p.name, p.sku, n.currency FROM (SELECT DISTINCT product_id, coalesce(currency, '') AS currency"
        " FROM contract_lines WHERE contract_id = ANY(%(ids)s)) n JOIN products p ON p.id = n.product_id"
        " ORDER BY p.sku, n.currency",
        {"ids": list(contract_ids)},
    )
    return [Ware(*row) for row in rows]


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

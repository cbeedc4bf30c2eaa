"""What reports of a reconciliation are made from: which lines a batch wrote statements of, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models.database import fetch
from models.statements import Figures

# A statement as a report has it.
ENTRY = (
    "s.id, s.state, s.period_starts, s.period_ends, s.until, "
    + ", ".join(f"s.{name}" for name in Figures._fields)
    + ", s.causes, s.batch_id"
)
_JOINED = (
    " JOIN contract_lines n ON n.id = s.line_id JOIN contracts k ON k.id = n.contract_id"
    " JOIN accounts c ON c.id = k.customer_id JOIN products p ON p.id = n.product_id"
)
# Those to be looked at first: see licensing.reconciling.flags.
_GRAVEST = (
    "s.owed > 0 DESC, s.over > 0 AND NOT s.is_tolerated DESC, s.over > 0 DESC, s.state = 'adjusted' DESC,"
    " s.missing_days > 0 DESC, s.owed DESC"
)


class Reported(NamedTuple):
    """A line that a batch wrote statements of: names of all that it is about, how many statements, and what is owed by
    closed, adjusted and open ones; ``is_flagged``: one of them is to be looked at.
    """

    id: int
    metric: str
    currency: str | None
    customer: str
    customer_number: str
    product: str
    sku: str
    code: str
    key: str
    is_flagged: bool
    statements: int
    closed: Decimal
    adjusted: Decimal
    open: Decimal


def lines_of(connection: Connection, batch_id: int) -> list[Reported]:
    """The lines that a batch wrote statements of: customer by customer, contract by contract, by product.

    Summed up before they are named: there are many statements and few lines.
    """
    sums = ", ".join(
        f"coalesce(sum(owed) FILTER (WHERE state = '{state}'), 0) AS {state}"
        for state in ("closed", "adjusted", "open")
    )
    rows = fetch(
        connection,
        "SELECT n.id, n.metric, n.currency, c.name, c.number, p.name, p.sku, k.code, k.key, s.is_flagged, s.count,"
        " s.closed, s.adjusted, s.open FROM (SELECT line_id, count(*),"
        f"  bool_or(over > 0 OR missing_days > 0 OR state = 'adjusted') AS is_flagged, {sums}"
        f"  FROM statements WHERE batch_id = %(batch)s GROUP BY line_id) s{_JOINED}"
        " ORDER BY c.number, k.key, p.sku",
        {"batch": batch_id},
    )
    return [Reported(*row) for row in rows]


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


def gravest(connection: Connection, batch_id: int, most: int) -> list[tuple[Any, ...]]:
    """The statements of a batch, those to be looked at first, at most so many: contract, customer's number and name,
    product, currency, then the statement. Where they are cut, among equals, lines of before come first.
    """
    return fetch(
        connection,
        f"SELECT k.code, c.number, c.name, p.sku, n.currency, {ENTRY} FROM (SELECT * FROM statements s"
        f"  WHERE batch_id = %(batch)s ORDER BY {_GRAVEST}, line_id, period_starts, id LIMIT %(most)s) s{_JOINED}"
        f" ORDER BY {_GRAVEST}, k.key, p.sku, s.period_starts, s.id",
        {"batch": batch_id, "most": most},
    )

"""What reports of a reconciliation are made from: which contracts a batch wrote statements of, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
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
    " FROM statements s JOIN contract_lines n ON n.id = s.line_id JOIN contracts k ON k.id = n.contract_id"
    " JOIN accounts c ON c.id = k.customer_id"
)
# Those to be looked at first: see licensing.reconciling.flags.
_GRAVEST = "s.owed > 0 DESC, s.over > 0 AND NOT s.is_tolerated DESC, s.over > 0 DESC, s.state = 'adjusted' DESC"


class Reported(NamedTuple):
    """A contract that a batch wrote statements of; ``is_flagged``: one of them is to be looked at."""

    key: str
    code: str
    customer_number: str
    is_flagged: bool


def contracts_of(connection: Connection, batch_id: int) -> list[Reported]:
    """The contracts that a batch wrote statements of, customer by customer."""
    rows = fetch(
        connection,
        "SELECT k.key, k.code, c.number, bool_or(s.over > 0 OR s.missing_days > 0 OR s.state = 'adjusted')"
        f"{_JOINED} WHERE s.batch_id = %(batch)s GROUP BY k.key, k.code, c.number ORDER BY c.number, k.key",
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
    product, currency, then the statement.
    """
    return fetch(
        connection,
        f"SELECT k.code, c.number, c.name, p.sku, n.currency, {ENTRY}{_JOINED} JOIN products p ON p.id = n.product_id"
        f" WHERE s.batch_id = %(batch)s ORDER BY {_GRAVEST}, s.missing_days > 0 DESC, s.owed DESC, k.key, p.sku,"
        " s.period_starts, s.id LIMIT %(most)s",
        {"batch": batch_id, "most": most},
    )


def totals(connection: Connection, batch_id: int) -> list[tuple[Any, ...]]:
    """By currency ("": none): how many statements of a batch, and what is owed by closed, adjusted and open ones."""
    sums = ", ".join(
        f"coalesce(sum(s.owed) FILTER (WHERE s.state = '{state}'), 0)" for state in ("closed", "adjusted", "open")
    )
    return fetch(
        connection,
        f"SELECT coalesce(n.currency, ''), count(*), {sums} FROM statements s"
        " JOIN contract_lines n ON n.id = s.line_id WHERE s.batch_id = %(batch)s GROUP BY 1 ORDER BY 1",
        {"batch": batch_id},
    )

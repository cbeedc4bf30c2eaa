"""How far contracts and lines of them are reconciled, and what has come since, by whichever batch and however late.

What a transaction could not see yet is told by its own snapshot, not by clock times or ids: those are given out before
the commit, so that a row may appear later than its time says (docs/decisions/0014-reconciliation.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Date, Table

from models.database import PgSnapshot, fetch, metadata, run

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("contract_id", BigInteger, primary_key=True, autoincrement=False),
    # 0: all lines but those that have a row of their own.
    Column("line_id", BigInteger, primary_key=True, autoincrement=False, server_default="0"),
    # The last night: statements say what was known of the lines up to this day.
    Column("until", Date, nullable=False),
    # What that night could see, and in which database cluster: transaction ids mean nothing in another one.
    Column("seen", PgSnapshot, nullable=False),
    Column("cluster", BigInteger, nullable=False),
)
_CLUSTER = "(SELECT system_identifier FROM pg_control_system())"
# The row that holds for a line ``n``, whose own goes before that of its contract.
OF_LINE = (
    "LATERAL (SELECT until, seen FROM reconciliations r WHERE r.contract_id = n.contract_id AND r.line_id IN (0, n.id)"
    f" AND r.cluster = {_CLUSTER} ORDER BY r.line_id DESC LIMIT 1) r"
)


class Night(NamedTuple):
    """A last night: up to which day, and the snapshot of what it could see."""

    until: date
    seen: str


class Late(NamedTuple):
    """What a line's last night could not see: the day it is about, and the row that brought it."""

    day: date
    batch_id: int
    ordinal: int
    is_report: bool


def snapshot(connection: Connection) -> str:
    """What is seen from now on, at least: to be taken before the facts are read, and given to :func:`record`."""
    return str(fetch(connection, "SELECT pg_current_snapshot()::text", {})[0][0])


def nights(connection: Connection, contract_ids: Sequence[int]) -> dict[tuple[int, int], Night]:
    """The last nights of contracts (line 0) and of lines that had one of their own, by contract and line."""
    rows = fetch(
        connection,
        "SELECT contract_id, line_id, until, seen::text FROM reconciliations"
        f" WHERE contract_id = ANY(%(ids)s) AND cluster = {_CLUSTER}",
        {"ids": list(contract_ids)},
    )
    return {(contract_id, line_id): Night(until, seen) for contract_id, line_id, until, seen in rows}


def lines(connection: Connection, contract_ids: Sequence[int], but: Sequence[int]) -> list[tuple[Any, ...]]:
    """The lines of contracts, but for some, in order of their products: contract, line, product's SKU, and the terms as
    ``licensing.contracts.Line`` has them, commitments apart.
    """
    return fetch(
        connection,
        "SELECT n.contract_id, n.id, p.sku, n.starts, n.months, n.unit, n.metric, n.policy, n.growth, n.tolerance,"
        " n.report_days FROM contract_lines n JOIN products p ON p.id = n.product_id"
        " WHERE n.contract_id = ANY(%(ids)s) AND n.id NOT IN (SELECT unnest(%(but)s::bigint[]))"
        " ORDER BY n.contract_id, p.sku",
        {"ids": list(contract_ids), "but": list(but)},
    )


def commitments(connection: Connection, line_ids: Sequence[int]) -> dict[int, tuple[tuple[date, int, Decimal], ...]]:
    """What is committed of lines, oldest first: the day from which on it is, quantity and price."""
    found: dict[int, tuple[tuple[date, int, Decimal], ...]] = {}
    for line_id, since, quantity, price in fetch(
        connection,
        "SELECT line_id, since, quantity, price FROM commitments WHERE line_id = ANY(%(ids)s) ORDER BY line_id, since",
        {"ids": list(line_ids)},
    ):
        found[line_id] = (*found.get(line_id, ()), (since, quantity, price))
    return found


def late(connection: Connection, contract_ids: Sequence[int], nights: Collection[Night]) -> dict[int, list[Late]]:
    """What the last nights of contracts should have counted and could not see: reports, draw-downs, returns and
    amendments, by line id. ``nights``: the contracts' last ones.
    """
    if not nights:
        return {}
    kinds = (
        ("day", "true", "usage_reports"),
        ("day", "false", "draw_downs"),
        ("since", "false", "commitments"),
    )
    # The oldest transaction that one of these nights may not have seen and their last day are parameters, so that it is
    # planned with them: what has come since is little against what is there, and what is late of it less.
    come = " UNION ALL ".join(
        f"SELECT line_id, {day}, batch_id, ordinal, {is_report}, xact FROM {table}"
        f" WHERE xact >= %(oldest)s::xid8 AND {day} <= %(last)s"
        " AND line_id IN (SELECT id FROM contract_lines WHERE contract_id = ANY(%(ids)s))"
        for day, is_report, table in kinds
    )
    found: dict[int, list[Late]] = {}
    for line_id, *facts in fetch(
        connection,
        "SELECT u.line_id, u.day, u.batch_id, u.ordinal, u.is_report"
        f" FROM ({come}) u (line_id, day, batch_id, ordinal, is_report, xact)"
        f" JOIN contract_lines n ON n.id = u.line_id CROSS JOIN {OF_LINE}"
        " WHERE u.day <= r.until AND NOT pg_visible_in_snapshot(u.xact, r.seen)"
        " ORDER BY u.line_id, u.batch_id, u.ordinal",
        {
            "oldest": str(min(int(night.seen.split(":")[0]) for night in nights)),
            "last": max(night.until for night in nights),
            "ids": list(contract_ids),
        },
    ):
        found.setdefault(line_id, []).append(Late(*facts))
    return found


def record(
    connection: Connection, contracts: Mapping[int, date], lines: Mapping[tuple[int, int], date], seen: str
) -> None:
    """Write the last night of whole contracts, by their ids, and of some lines of others, by contract and line; and
    what was seen in it.
    """
    run(
        connection,
        "DELETE FROM reconciliations WHERE contract_id = ANY(%(contracts)s) AND line_id <> 0",
        {"contracts": list(contracts)},
    )
    nights = {(contract_id, 0): until for contract_id, until in contracts.items()} | dict(lines)
    run(
        connection,
        "INSERT INTO reconciliations (contract_id, line_id, until, seen, cluster)"
        f" SELECT contract_id, line_id, until, %(seen)s, {_CLUSTER}"
        " FROM unnest(%(contracts)s::bigint[], %(lines)s::bigint[], %(nights)s::date[])"
        " AS w (contract_id, line_id, until) ON CONFLICT (contract_id, line_id)"
        " DO UPDATE SET until = excluded.until, seen = excluded.seen, cluster = excluded.cluster",
        {
            "seen": seen,
            "contracts": [contract_id for contract_id, _ in nights],
            "lines": [line_id for _, line_id in nights],
            "nights": list(nights.values()),
        },
    )

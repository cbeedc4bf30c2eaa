"""The contracts of a crash run: their pools, and the rows that draw from them, report usage and reconcile nights."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from config.wiring import App
from models import accounts, contracts, products
from models.contracts import Contract, ContractLine, NewCommitment
from models.database import copy_line, fetch, transaction

CUSTOMER = "CUST"
POLICIES = ("hard_stop", "true_up", "true_forward")
DRAW_HEADER = ("Contract", "Product", "Quantity", "Host ID", "Cost center", "Reference", "License", "Team")
REPORT_HEADER = ("Contract", "Product", "Date", "Quantity", "Site")
NIGHT_HEADER = ("Contract", "Product", "Date")
TERM_DAYS = 240  # that have passed

Rows = list[tuple[str, ...]]


@dataclass(slots=True)
class Pool:
    """A line of a contract. ``history``: what was drawn and given back before the run: days ago and quantity each."""

    contract: str
    sku: str
    policy: str
    committed: int
    growth: int = 0
    report_days: int | None = None
    history: list[tuple[int, int]] = field(default_factory=list)


def some_pools(rng: random.Random, skus: tuple[str, ...], rows: int) -> list[Pool]:
    """Four contracts with a line of every product; a hard stop is met after a file or two of so many rows."""
    made = []
    for number in range(4 * len(skus)):
        drawn = rng.randrange(1, 60)
        made.append(
            Pool(
                f"FC-{number // len(skus)}",
                skus[number % len(skus)],
                POLICIES[number % 2 + (number % 3 == 1)],
                rng.randrange(rows // 10, rows // 4),
                rng.choice((0, 10)),
                rng.choice((None, 7, 30)),
                [(rng.randrange(100, 200), drawn), (rng.randrange(2, 90), -drawn)],
            )
        )
    return made


def draws(rng: random.Random, pools: list[Pool], count: int, file: int, earlier: Rows) -> Rows:
    """Draws, the same ones again, references for something else, what is unknown, and returns of an earlier file.

    ``earlier``: the rows of that file; its licenses are named ``@ROW``.
    """
    rows: Rows = []
    for number in range(count):
        pool, draw = rng.choice(pools), rng.random()
        quantity, host = str(rng.randrange(1, 5)), f"H{rng.getrandbits(24):06X}"
        row: tuple[str, ...] = (
            pool.contract,
            pool.sku,
            quantity,
            host,
            f"CC-{rng.randrange(9)}",
            f"D-{file}-{number}",
            "",
            "x",
        )
        if draw < 0.05 and rows:
            row = rng.choice(rows)
        elif draw < 0.08 and rows:
            row = (*row[:5], rng.choice(rows)[5], *row[6:])
        elif draw < 0.11:
            row = (*row[:5], "", *row[6:])  # no reference: an order of its own
        elif draw < 0.12:
            row = ("FC-NONE", *row[1:])
        elif draw < 0.13:
            row = (row[0], row[1], "0", *row[3:])
        elif draw < 0.3 and earlier:
            place = rng.randrange(len(earlier))
            row = (*earlier[place][:2], f"-{rng.randrange(1, 4)}", "", *row[4:6], f"@{place}", "x")
        rows.append(row)
    return rows


def race(pool: Pool, count: int, file: int) -> Rows:
    """One of one pool in every row."""
    return [
        (pool.contract, pool.sku, "1", f"H{file}-{number}", f"CC-{number % 9}", f"R-{file}-{number}", "", "x")
        for number in range(count)
    ]


def reports(rng: random.Random, pools: list[Pool], count: int) -> Rows:
    """Usage on days that have passed, much of it more than once: late, again, corrected; and of unknown contracts."""
    rows: Rows = []
    for _ in range(count):
        pool, draw = rng.choice(pools), rng.random()
        row: tuple[str, ...] = (
            pool.contract,
            pool.sku,
            f"{_days_ago(rng.randrange(1, TERM_DAYS))}",
            f"{rng.randrange(90)}",
            "x",
        )
        if draw < 0.1 and rows:
            row = rng.choice(rows)
        elif draw < 0.2 and rows:
            row = (*rng.choice(rows)[:3], *row[3:])
        elif draw < 0.22:
            row = ("FC-NONE", *row[1:])
        elif draw < 0.24:
            row = (*row[:2], f"{_days_ago(-9)}", *row[3:])
        rows.append(row)
    return rows


def nights(rng: random.Random, pools: list[Pool]) -> Rows:
    """Every pool up to a day that has passed, some of them up to an earlier one again."""
    rows: Rows = [(pool.contract, pool.sku, f"{_days_ago(rng.randrange(1, 100))}") for pool in pools]
    again: Rows = [(*row[:2], f"{_days_ago(rng.randrange(1, 100))}") for row in rng.sample(rows, len(rows) // 3)]
    return [*rows, *again, ("FC-NONE", pools[0].sku, rows[0][2])]


def _days_ago(count: int) -> date:
    return datetime.now(UTC).date() - timedelta(count)


def load(app: App, pools: list[Pool], distributor: str) -> None:
    """A customer that delegates to a distributor, its contracts, and what was drawn and given back of them."""
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    terms: dict[str, Any] = {"starts": _days_ago(TERM_DAYS), "months": 24, "currency": "EUR", "tolerance": Decimal(5)}
    with transaction(app.engine) as connection:
        accounts.save(connection, [empty | {"number": CUSTOMER, "type": "customer", "name": CUSTOMER}])
        accounts.delegate(connection, [(CUSTOMER, distributor)])
        customer = accounts.by_number(connection, CUSTOMER)
        assert customer is not None
        sold = products.by_sku(connection, [pool.sku for pool in pools])
        made = {code: Contract(code.replace("-", ""), 0, code, customer.id, "UTC") for code in _codes(pools)}
        contracts.add(connection, list(made.values()))
        lines = [
            ContractLine(
                made[pool.contract],
                sold[pool.sku].id,
                terms
                | {
                    "unit": ("month", "quarter")[place % 2],
                    "metric": ("peak", "average")[place % 3 == 0],
                    "policy": pool.policy,
                    "growth": Decimal(pool.growth),
                    "report_days": pool.report_days,
                },
            )
            for place, pool in enumerate(pools)
        ]
        contracts.add_lines(connection, lines)
        commitments = [
            NewCommitment(line, terms["starts"], pool.committed, Decimal(10), 0)
            for line, pool in zip(lines, pools, strict=True)
        ]
        contracts.commit(connection, commitments, 0)
        moved = [
            copy_line(line.id, _days_ago(days), quantity, "BEFORE", None, None, 0, 0)
            for line, pool in zip(lines, pools, strict=True)
            for days, quantity in pool.history
        ]
        contracts.record(connection, moved)


def _codes(pools: list[Pool]) -> list[str]:
    return list(dict.fromkeys(pool.contract for pool in pools))


# Each finds what must not be there, at no moment.
OVERDRAWN = (
    "SELECT n.id, sum(d.quantity) FROM contract_lines n JOIN commitments c ON c.line_id = n.id"
    " JOIN draw_downs d ON d.line_id = n.id WHERE n.policy = 'hard_stop' GROUP BY n.id, c.quantity"
    " HAVING sum(d.quantity) > c.quantity * (100 + n.growth) / 100"
)
UNEVEN = (
    "SELECT n.id, d.drawn, l.licensed FROM contract_lines n"
    " LEFT JOIN (SELECT line_id, sum(quantity) AS drawn FROM draw_downs GROUP BY line_id) d ON d.line_id = n.id"
    " LEFT JOIN (SELECT contract_line_id, sum(quantity) AS licensed FROM licenses WHERE state = 'active'"
    " GROUP BY contract_line_id) l ON l.contract_line_id = n.id"
    " WHERE coalesce(d.drawn, 0) <> coalesce(l.licensed, 0)"
)


def statements(app: App) -> dict[int, list[str]]:
    """What the statements say, without their ids, by the batch that wrote them, in the order of lines and periods."""
    query = (
        "SELECT s.batch_id, s.causes, k.code, p.sku, s.period_starts, s.period_ends, s.state, s.until, s.committed,"
        " s.drawn, s.used, s.peak, s.peak_day, s.over, s.unused, s.is_tolerated, s.owed, s.owed_from, s.missing_days,"
        " s.ordinal FROM statements s JOIN contract_lines n ON n.id = s.line_id"
        " JOIN contracts k ON k.id = n.contract_id JOIN products p ON p.id = n.product_id"
        " ORDER BY k.code, p.sku, s.period_starts, s.id"
    )
    found: dict[int, list[str]] = {}
    with app.engine.connect() as connection:
        for batch_id, causes, *said in fetch(connection, query, {}):
            late = f"{len(causes or ())} late reports"
            found.setdefault(batch_id, []).append(", ".join([*map(str, said), late]))
    return found

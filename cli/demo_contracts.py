"""The demo's third part: two flexible contracts with a year of usage, drawn from, and reconciled up to yesterday."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from cli.demo_desk import VENDOR, Desk, check, failed

STEEL, ROBOTS = "DEMO-STEEL", "DEMO-ROBOTS"
TRUE_UP, HARD_STOP = "FC-2026-001", "FC-2026-002"
SIMULATOR = "MILL-SIM"
COMMITTED = 30  # of the contract with the hard stop
A_FEW = 5  # draw-downs that find nothing left
_YEAR = 365
_SILENT = range(200, 212)  # days of the year on which nobody reported the simulators

Usage = list[tuple[str, str, date, int]]


class Line(NamedTuple):
    """What the statements of a contract's line say together: the last one's commitment, the highest peak, all sums."""

    contract: str
    product: str
    statements: int
    committed: int
    peak: int
    owed: str
    missing_days: int


def run(desk: Desk, sku: str) -> tuple[dict[str, dict[str, Any]], list[Line]]:
    """Load, draw, report and reconcile, and fetch what the night left: the reports by file, and what each line says."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    first = yesterday - timedelta(days=_YEAR - 1)
    _load(desk, sku, first)
    files = {"draw-downs.csv": _draw(desk, sku)}
    for customer, usage in ((STEEL, _steel(sku, first)), (ROBOTS, _robots(sku, first))):
        name = customer.removeprefix("DEMO-").lower() + "-usage.csv"
        files[name] = _send(desk, name, ("contract", "product", "date", "quantity"), usage, "report-usage", customer)
        check(name, Counter(reported=len(usage)), files[name])
    lines = [(TRUE_UP, sku, yesterday), (TRUE_UP, SIMULATOR, yesterday), (HARD_STOP, sku, yesterday)]
    night = _send(desk, "night.csv", ("contract", "product", "date"), lines, "reconcile-contracts", VENDOR)
    check("night.csv", Counter(reconciled=len(lines)), night)
    desk.fetch(night)
    told = _told(desk.listed(night, "statements"))
    peaks = {line[:2]: line.peak for line in told}
    expected: dict[tuple[str, str], int] = {}
    for contract, product, _day, quantity in [*_steel(sku, first), *_robots(sku, first)]:
        expected[contract, product] = max(quantity, expected.get((contract, product), 0))
    if peaks != expected:
        raise failed(f"the statements say {peaks} instead of {expected}", f"gli estratti: {peaks}, non {expected}")
    return files, told


def _told(statements: Sequence[Sequence[str]]) -> list[Line]:
    """The lines of the list of statements, summed up by contract and product."""
    found: dict[tuple[str, str], Line] = {}
    for row in statements:
        cells = dict(zip(_LISTED, row, strict=True))
        place = cells["contract"], cells["product"]
        before = found.get(place, Line(*place, 0, 0, 0, "0", 0))
        found[place] = Line(
            *place,
            before.statements + 1,
            int(cells["committed"]),
            max(before.peak, int(cells["peak"])),
            f"{Decimal(before.owed.split()[0]) + Decimal(cells['owed'])} {cells['currency']}",
            before.missing_days + int(cells["missing"]),
        )
    return list(found.values())


_LISTED = (
    "company", "customer", "name", "product", "contract", "state", "starts", "ends", "metric", "used", "committed",
    "over", "owed", "currency", "peak", "peak_day", "drawn", "missing", "statement",
)  # fmt: skip


def _send(
    desk: Desk, name: str, titles: Sequence[str], rows: Sequence[Sequence[object]], kind: str, account: str
) -> dict[str, Any]:
    from cli.demo_files import as_csv

    title = desk.output.pick(f"{name}: {len(rows):,} rows", f"{name}: {len(rows):,} righe")
    return desk.send(name, as_csv(titles, [[str(cell) for cell in row] for row in rows]), kind, account, title)


def _load(desk: Desk, sku: str, first: date) -> None:
    customers = [
        (STEEL, "Acciaierie Röggla S.p.A.", "customer", "IT", "it"),
        (ROBOTS, "Łódź Robotics", "customer", "PL", "en"),
    ]
    _send(desk, "customers.csv", ("account", "name", "type", "country", "locale"), customers, "load-accounts", VENDOR)
    simulator = [(SIMULATOR, "Mill Simulator", "2.0", "2025-01-15")]
    _send(desk, "simulator.csv", ("product", "name", "version", "release date"), simulator, "load-products", VENDOR)
    titles = (
        "contract", "customer number", "product", "quantity", "unit price", "currency", "term start", "term", "period",
        "metric", "policy", "growth", "report every (days)", "time zone", "effective from",
    )  # fmt: skip
    half = first + timedelta(days=182)
    lines = [
        (TRUE_UP, STEEL, sku, 100, 40, "EUR", first, 36, "month", "peak", "true_up", 5, 1, "Europe/Rome", ""),
        (TRUE_UP, STEEL, sku, 120, 40, "", "", "", "", "", "", "", "", "", half),
        (TRUE_UP, STEEL, SIMULATOR, 40, 90, "EUR", first, 36, "quarter", "average", "true_forward", "", 1, "", ""),
        (HARD_STOP, ROBOTS, sku, COMMITTED, 55, "EUR", first, 24, "quarter", "peak", "hard_stop", "", 7,
         "Europe/Warsaw", ""),
    ]  # fmt: skip
    _send(desk, "contracts.csv", titles, lines, "load-contracts", VENDOR)


def _draw(desk: Desk, sku: str) -> dict[str, Any]:
    """All that is committed is drawn; the rows after it are refused, with nothing left."""
    rows = [
        (HARD_STOP, sku, 1, f"ROBOT-{place:03d}", f"Line {place % 3 + 1}", f"DRAW-{place:03d}")
        for place in range(COMMITTED + A_FEW)
    ]
    titles = ("contract", "product", "quantity", "host id", "cost center", "reference")
    report = _send(desk, "draw-downs.csv", titles, rows, "draw-down", ROBOTS)
    check("draw-downs.csv", Counter(issued=COMMITTED, pool_exhausted=A_FEW), report)
    return report


def _steel(sku: str, first: date) -> Usage:
    """Usage by day: grows over the year with a dip at weekends; of the simulators, a fortnight is missing."""

    def days() -> Iterator[tuple[str, str, date, int]]:
        for number in range(_YEAR):
            day = first + timedelta(days=number)
            workday = day.weekday() < 5
            yield TRUE_UP, sku, day, 72 + number // 7 + (number * 37 % 11) - (0 if workday else 38)
            if number not in _SILENT:
                yield TRUE_UP, SIMULATOR, day, 30 + number // 18 + (number * 23 % 7) - (0 if workday else 15)

    return list(days())


def _robots(sku: str, first: date) -> Usage:
    """Usage by week, never above what is committed."""
    return [(HARD_STOP, sku, first + timedelta(days=day), 18 + day * 5 % 12) for day in range(0, _YEAR, 7)]

"""Contracts for reports to be made of: statements as the rules state them, out of daily usage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from exporters.statements import Entry, ReportedContract, ReportedLine
from licensing import contracts as rules
from licensing.contracts import Commitment, Line

STARTS, UNTIL = date(2026, 1, 1), date(2026, 11, 26)


def line(
    sku: str = "CAD",
    *,
    quantity: int = 100,
    used: int = 95,
    growth_a_month: int = 4,
    amended: int | None = None,
    gap: tuple[date, date] | None = None,
    first_number: int = 1,
    adjusted: bool = False,
    **terms: Any,
) -> ReportedLine:
    """A line of 2026 with daily reports until :data:`UNTIL`, amended in July; its first period adjusted if so asked."""
    facts: dict[str, Any] = {"unit": "quarter", "metric": "peak", "policy": "true_up", "report_days": 1} | terms
    currency = facts.pop("currency", "EUR")
    commitments = [Commitment(STARTS, quantity, Decimal("480.50"))]
    if amended is not None:
        commitments.append(Commitment(date(2026, 7, 1), amended, Decimal(500)))
    agreed = Line(STARTS, 12, commitments=tuple(commitments), **facts)
    days = [STARTS + timedelta(number) for number in range((UNTIL - STARTS).days + 1)]
    days = [day for day in days if not (gap and gap[0] <= day <= gap[1])]
    levels = [used + growth_a_month * (day.month - 1) for day in days]
    known = rules.reported([day.toordinal() for day in days], levels, facts["report_days"])
    entries, gaps = [], {}
    for number, period in enumerate((one for one in agreed.periods() if one.starts <= UNTIL), first_number):
        last = min(period.ends, UNTIL)
        told = rules.state(agreed, period, rules.fold(agreed, period, known, last), last)
        missing = sum(one.days for one in told.missing)
        place = period.starts, period.ends, last, told.committed, 0
        figures = told.used, told.peak, told.peak_day, told.over, told.unused, told.is_tolerated, told.owed
        state = "closed" if last == period.ends else "open"
        facts_told: Any = (number, state, *place, *figures, told.owed_from, missing, None, 7)
        entries.append(Entry(*facts_told))
        gaps[number] = told.missing
    if adjusted:
        first = entries[0]
        changed = first._replace(
            number=first_number + 50, state="adjusted", over=Decimal(9), owed=Decimal("1234.50"), causes=[(31, 7)]
        )
        entries.insert(1, changed)
    return ReportedLine(sku, f"{sku} product", currency, agreed, entries, known, gaps)


def contract(lines: Sequence[ReportedLine] = (), **facts: Any) -> ReportedContract:
    """FC-1 of ACME, with one line that has everything unless lines are given."""
    whole = line(amended=120, gap=(date(2026, 5, 4), date(2026, 5, 21)), adjusted=True, growth=Decimal(5))
    named: dict[str, Any] = {
        "code": "FC-1", "customer_number": "C-1", "customer": "ACME", "country": "IT", "locale": None,
        "time_zone": "Europe/Rome",
    }  # fmt: skip
    return ReportedContract(**(named | facts), lines=lines or [whole])

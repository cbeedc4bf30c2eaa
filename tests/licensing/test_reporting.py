"""What a usage report says of a day, purely."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from licensing.contracts import Commitment, Line
from licensing.reporting import TOTAL, decide_report

JANUARY, TODAY, DAY = date(2026, 1, 1), date(2026, 6, 1), date(2026, 5, 1)
LINE = Line(JANUARY, 12, "year", "peak", "true_up", (Commitment(JANUARY, 10, Decimal(1)),))


@pytest.mark.parametrize(
    ("day", "host", "quantity", "known", "code"),
    [
        (DAY, TOTAL, 5, {}, "reported"),
        (DAY, "H1", 5, {"H2": 3}, "reported"),
        (DAY, TOTAL, 5, {TOTAL: 5}, "unchanged"),
        (DAY, TOTAL, 6, {TOTAL: 5}, "corrected"),
        (DAY, "H1", 0, {"H1": 5}, "corrected"),
        (DAY, TOTAL, 5, {"H1": 3}, "usage_overlaps"),
        (DAY, "H1", 5, {TOTAL: 3}, "usage_overlaps"),
        (DAY, "H1", 5, {TOTAL: 0}, "reported"),
        (DAY, TOTAL, 5, {TOTAL: 0, "H1": 3}, "usage_overlaps"),
        (DAY, TOTAL, 0, {TOTAL: 5, "H1": 0}, "corrected"),
        (TODAY, TOTAL, 5, {}, "reported"),
        (date(2026, 6, 2), TOTAL, 5, {}, "date_in_future"),
        (date(2025, 12, 31), TOTAL, 5, {}, "outside_term"),
        (date(2027, 1, 1), TOTAL, 5, {}, "outside_term"),
    ],
)
def test_a_day_is_counted_once(day: date, host: str, quantity: int, known: dict[str, int], code: str) -> None:
    """In total or host by host, the last word holds; only days of the term that have come."""
    assert decide_report(LINE, day, host, quantity, known, today=TODAY).code == code

"""Whether a statement may still change, purely."""

from __future__ import annotations

from datetime import date

import pytest

from licensing.contracts import Period
from licensing.reconciling import Standing, next_state

QUARTER = Period(date(2026, 1, 1), date(2026, 3, 31))
INSIDE, LAST, AFTER = date(2026, 2, 1), date(2026, 3, 31), date(2026, 5, 1)


@pytest.mark.parametrize(
    ("stored", "is_equal", "until", "becomes"),
    [
        (None, False, INSIDE, "open"),
        (None, False, LAST, "closed"),
        ("open", True, INSIDE, None),
        ("open", False, INSIDE, "open"),
        ("open", True, LAST, "closed"),
        ("open", False, AFTER, "closed"),
        ("closed", True, AFTER, None),
        ("closed", False, AFTER, "adjusted"),
        ("adjusted", True, AFTER, None),
        ("adjusted", False, AFTER, "adjusted"),
    ],
)
def test_a_closed_statement_never_changes(
    stored: Standing | None, is_equal: bool, until: date, becomes: Standing | None
) -> None:
    """Open until its last day is counted; then closed, and adjusted beside itself when something comes late."""
    assert next_state(stored, is_equal, QUARTER, until) == becomes

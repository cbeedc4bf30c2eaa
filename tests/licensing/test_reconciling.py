"""Whether a statement may still change, purely."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from licensing.contracts import Period
from licensing.reconciling import Flag, Standing, flags, next_state

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


@pytest.mark.parametrize(
    ("state", "over", "is_tolerated", "owed", "missing", "told"),
    [
        ("closed", "0", False, "0", 0, ()),
        ("open", "3", False, "10", 0, ("owed",)),
        ("closed", "3", False, "0", 0, ("over",)),
        ("closed", "3", True, "0", 0, ("tolerated",)),
        ("closed", "0", False, "0", 5, ("missing",)),
        ("adjusted", "0", False, "0", 0, ("adjusted",)),
        ("adjusted", "3", False, "10", 5, ("owed", "adjusted", "missing")),
    ],
)
def test_what_is_to_be_looked_at_is_flagged(
    state: str, over: str, is_tolerated: bool, owed: str, missing: int, told: tuple[Flag, ...]
) -> None:
    """The gravest reason first; excess is owed, or not owed, or tolerated."""
    assert flags(state, Decimal(over), is_tolerated, Decimal(owed), missing) == told

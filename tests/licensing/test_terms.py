"""Terms: which day is the last one of a license, and the claim that says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.terms import add_months, expiry_epoch, last_day_of, valid_until

DAYS = st.dates(min_value=date(1970, 1, 1))


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-11-24", 12, "2027-11-24"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2028-02-29", 48, "2032-02-29"),
        ("2026-12-31", 1, "2027-01-31"),
        ("2026-11-30", 1, "2026-12-30"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-11-25", 0, "2026-11-25"),
    ],
)
def test_months_are_counted_on_the_calendar(start: str, months: int, end: str) -> None:
    """The same day of a later month, or its last day where the month is shorter."""
    assert add_months(date.fromisoformat(start), months) == date.fromisoformat(end)


@given(st.dates(max_value=date(9000, 1, 1)), st.integers(0, 1200))
def test_a_term_ends_in_the_right_month_and_never_past_the_day(start: date, months: int) -> None:
    """So many months later by the calendar; the day is the same one, or the month's last."""
    end = add_months(start, months)
    assert (end.year - start.year) * 12 + end.month - start.month == months
    assert end.day == start.day or (end.day < start.day and (end + timedelta(days=1)).day == 1)


def test_a_license_without_term_is_perpetual() -> None:
    """No term: no last day and no expiry claim."""
    assert valid_until(date(2026, 11, 25), None) is None
    assert expiry_epoch(None) is None


def test_a_license_is_valid_through_its_last_day() -> None:
    """Twelve months from 24 November end with 24 November: the claim names the midnight after it."""
    last_day = valid_until(date(2026, 11, 24), 12)
    assert last_day == date(2027, 11, 24)
    assert expiry_epoch(last_day) == datetime(2027, 11, 25, tzinfo=UTC).timestamp()


@given(DAYS)
def test_a_last_day_comes_back_from_its_claim(day: date) -> None:
    """Whoever reads the claim shows the day that the result file gave."""
    epoch = expiry_epoch(day)
    assert epoch is not None
    assert last_day_of(epoch) == day
    assert last_day_of(epoch + 1) != day


def test_the_last_of_all_days_has_a_claim() -> None:
    """31 December 9999 ends at a moment that a datetime cannot hold; the claim can."""
    assert expiry_epoch(date.max) == 253_402_300_800


@given(st.integers())
def test_any_claim_has_a_last_day_or_none(expires_at: int) -> None:
    """Claims of strangers may name moments beyond the calendar."""
    day = last_day_of(expires_at)
    assert day is None or expiry_epoch(day) - 86_400 < expires_at <= expiry_epoch(day)  # type: ignore[operator]

"""Terms: how long a license is valid."""

from __future__ import annotations

import calendar
from datetime import date
from functools import lru_cache

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400


def add_months(start: date, months: int) -> date:
    """The same day so many months later, or the month's last day where it is shorter (31 January + 1 = 28 February)."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    month += 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


@lru_cache
def valid_until(issued: date, term_months: int | None) -> date | None:
    """The last day of a license (None: perpetual). Twelve months from 24 November end with 24 November."""
    return None if term_months is None else add_months(issued, term_months)


@lru_cache
def expiry_epoch(last_day: date | None) -> int | None:
    """The ``exp`` claim (seconds since 1970, UTC): the end of the last day."""
    if last_day is None:
        return None
    return (last_day.toordinal() + 1 - _EPOCH) * _DAY_SECONDS


def last_day_of(expires_at: int) -> date | None:
    """The last day of an ``exp`` claim, the inverse of :func:`expiry_epoch`; None beyond what a date can say."""
    ordinal = (expires_at - 1) // _DAY_SECONDS + _EPOCH
    return date.fromordinal(ordinal) if 1 <= ordinal <= date.max.toordinal() else None

"""Terms: how long a license is valid."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta


def add_months(start: date, months: int) -> date:
    """The same day so many months later, or the month's last day where it is shorter (31 January + 1 = 28 February)."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    month += 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def valid_until(issued: date, term_months: int | None) -> date | None:
    """The last day of a license (None: perpetual). Twelve months from 24 November end with 24 November."""
    return None if term_months is None else add_months(issued, term_months)


def expiry_epoch(last_day: date | None) -> int | None:
    """The ``exp`` claim (seconds since 1970, UTC): the end of the last day."""
    if last_day is None:
        return None
    end = datetime(last_day.year, last_day.month, last_day.day, tzinfo=UTC) + timedelta(days=1)
    return int(end.timestamp())

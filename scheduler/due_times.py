"""When a schedule is due: a pure function of its cron expression, its time zone and an instant.

What a clock that is put forward or back does to it:

- An expression that names hours is due once for each time that it names. A time that the clock leaves out is due at the
  first instant after the gap (once, whatever else is due there); one that comes twice is due the first time.
- An expression for every hour is due whenever the clock shows such a time: nothing in a gap, twice in an hour that is
  repeated, so that runs follow each other at equal distances.

The library reads expressions and goes from one wall-clock time to the next; zones are handled here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from jobs.refusals import Refused
from licensing.fields import Language
from scheduler import italian

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
HOURS = 24


class CronExpression:
    """A cron expression of five fields, or of six that begin with seconds. Raises :class:`Refused` for another one."""

    def __init__(self, expression: str) -> None:
        try:
            self._parsed = CronSim(expression, datetime(2000, 1, 1))
        except CronSimError as problem:
            raise Refused(
                "bad_expression",
                f"{expression!r} is no cron expression ({problem}). Five fields: minute, hour, day of the month, "
                "month, weekday; 30 2 * * * is every night at 2:30.",
                f"{expression!r} non è un'espressione cron ({problem}). Cinque campi: minuto, ora, giorno del mese, "
                "mese, giorno della settimana; 30 2 * * * è ogni notte alle 2:30.",
            ) from problem
        self.expression = " ".join(expression.split())

    @property
    def is_of_every_hour(self) -> bool:
        """Whether it is due in each hour of a day."""
        return len(self._parsed.hours) == HOURS

    def after(self, wall: datetime) -> datetime | None:
        """The next wall-clock time that it names; None when there is none in fifty years."""
        return next(CronSim(self.expression, wall), None)

    def explained(self, language: Language) -> str:
        """The expression in words; as it is where there are none for it."""
        if language == "en":
            return self._parsed.explain()
        return italian.explained(self._parsed) or self.expression


def due_times(cron: CronExpression, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The instants (UTC) after another one at which an expression is due in a time zone, in order."""
    following = _next_shown if cron.is_of_every_hour else _next_named
    at = after.astimezone(UTC)
    while (found := following(cron, zone, at)) is not None:
        yield found
        at = found


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _next_named(cron: CronExpression, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The next time that is named, once each."""
    wall = cron.after(_wall(after, zone))
    while wall is not None and (at := _first_instant(wall, zone)) <= after:
        wall = cron.after(wall)
    return None if wall is None else at


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a clock shows a time first; for a time that it leaves out, the end of the gap."""
    while _wall(at := wall.replace(tzinfo=zone).astimezone(UTC), zone) != wall:
        wall = wall.replace(second=0) + MINUTE
    return at


def _next_shown(cron: CronExpression, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The next instant at which the clock shows a time that is named: looked for between one change and the next."""
    offset = _offset(after, zone)
    while (wall := cron.after(after.replace(tzinfo=None) + offset)) is not None:
        at = (wall - offset).replace(tzinfo=UTC)
        if _offset(at, zone) == offset:
            return at
        change = _change(after.replace(microsecond=0), at, zone)
        after, offset = change - SECOND, _offset(change, zone)
    return None


def _change(before: datetime, later: datetime, zone: ZoneInfo) -> datetime:
    """The first second after an instant at which the clock was put forward or back."""
    offset, low, high = _offset(before, zone), 0, int((later - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(before + middle * SECOND, zone) == offset else (low, middle)
    return before + high * SECOND


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset

"""Which due times run, and which are skipped and why: written down as one row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from config.wiring import App
from models import schedules
from models.database import transaction
from models.schedules import Missed, Planned, Schedule
from scheduler.due_times import CronExpression, due_times

MISSED_AFTER = timedelta(minutes=1)  # a due time that no scheduler has seen by then was missed
MOST_WAITING = 366  # runs of one schedule that wait to be caught up: a year of nights
MOST_AT_ONCE = 1000  # due times that are written in one transaction

MISSED = {
    "code": "missed",
    "en": "no scheduler was running at that time",
    "it": "a quell'ora nessuno scheduler era attivo",
}
OVERLAP = {
    "code": "overlap",
    "en": "the run before it was not over",
    "it": "l'esecuzione precedente non era terminata",
}
TOO_MANY = {
    "code": "too_many_waiting",
    "en": f"{MOST_WAITING} earlier runs were waiting",
    "it": f"{MOST_WAITING} esecuzioni precedenti erano in attesa",
}
PAUSED = {"code": "paused", "en": "the schedule was paused", "it": "la pianificazione è stata sospesa"}


def plan(missed: Missed, times: Sequence[datetime], now: datetime, unfinished: int) -> list[Planned]:
    """What becomes of due times that have come, in order; ``unfinished`` runs of the schedule are not over yet.

    ``catch_up`` runs every one, oldest first, while not too many wait. ``skip`` runs one that was not missed, unless
    the run before it is not over.
    """
    planned = []
    for at in times:
        skipped = _skipped(missed, at, now, unfinished)
        planned.append(Planned(at, skipped))
        unfinished += skipped is None
    return planned


def _skipped(missed: Missed, at: datetime, now: datetime, unfinished: int) -> Mapping[str, str] | None:
    if missed == "catch_up":
        return TOO_MANY if unfinished >= MOST_WAITING else None
    if now - at > MISSED_AFTER:
        return MISSED
    return OVERLAP if unfinished else None


def plan_due(app: App) -> None:
    """Write down the due times that have come since the last time somebody did; nobody does it twice."""
    with transaction(app.engine) as connection:
        for schedule in schedules.at_hand(connection):
            now, at = schedules.clock(connection), schedule.next_at
            coming, times = times_of(schedule, at or now), list[datetime]()
            while at is not None and at <= now and len(times) < MOST_AT_ONCE:
                times.append(at)
                at = next(coming, None)
            unfinished = schedules.unfinished(connection, schedule.id)
            schedules.plan(connection, schedule, plan(schedule.missed, times, now, unfinished), at)


def times_of(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The due times of a schedule after an instant."""
    return due_times(CronExpression(schedule.expression), ZoneInfo(schedule.time_zone), after)

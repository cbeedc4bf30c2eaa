"""Which due times run and which are skipped: the rule, and the rows that come of it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.wiring import App
from models import schedules
from models.database import fetch, run, transaction
from models.schedules import Missed
from scheduler import planning
from scheduler.planning import MISSED, MOST_WAITING, OVERLAP, PAUSED, TOO_MANY, plan
from scheduler.schedules import add, history, pause, resume

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def skipped(missed: Missed, times: list[datetime], unfinished: int = 0) -> list[Any]:
    """Why each due time is skipped, by code; None: it runs."""
    return [one.skipped and one.skipped["code"] for one in plan(missed, times, NOW, unfinished)]


def test_catching_up_runs_every_missed_time():
    """Three nights without a scheduler: three runs, oldest first, whatever is still under way."""
    times = [NOW - 72 * HOUR, NOW - 48 * HOUR, NOW - 24 * HOUR]
    assert skipped("catch_up", times) == [None] * 3
    assert skipped("catch_up", times, unfinished=2) == [None] * 3
    assert [one.due_at for one in plan("catch_up", times, NOW, 0)] == times


def test_catching_up_ends_where_too_many_wait():
    """A year of nights waits at most; what is due beyond is skipped, and says why."""
    times = [NOW - n * HOUR for n in range(MOST_WAITING + 2, 0, -1)]
    assert skipped("catch_up", times) == [None] * MOST_WAITING + [TOO_MANY["code"]] * 2
    assert skipped("catch_up", times[:1], unfinished=MOST_WAITING - 1) == [None]


def test_skipping_runs_none_that_was_missed():
    """A due time of more than a minute ago is missed; one that a scheduler saw in time runs."""
    assert skipped("skip", [NOW - 48 * HOUR, NOW - 24 * HOUR, NOW]) == [MISSED["code"]] * 2 + [None]
    assert skipped("skip", [NOW - timedelta(seconds=60)]) == [None]
    assert skipped("skip", [NOW - timedelta(seconds=61)]) == [MISSED["code"]]


def test_skipping_also_skips_what_comes_while_the_last_run_goes_on():
    """Runs do not pile up behind a long one."""
    assert skipped("skip", [NOW], unfinished=1) == [OVERLAP["code"]]
    assert skipped("skip", [NOW - timedelta(seconds=2), NOW]) == [None, OVERLAP["code"]]


def schedule(app: App, name: str, expression: str, missed: Missed, since: timedelta) -> None:
    """A schedule whose next due time is the first one after so long ago: nobody was there since."""
    add(
        app, name, job="expire-vouchers", expression=expression, time_zone="UTC", missed=missed, given={}, actor="me"
    )  # fmt: skip
    with transaction(app.engine) as connection:
        found = schedules.by_name(connection, name)
        assert found is not None
        first = next(planning.times_of(found, schedules.clock(connection) - since))
        schedules.set_state(connection, found.id, "active", first)


def states(app: App, name: str) -> list[tuple[str, str | None]]:
    """State and reason of every run of a schedule, oldest first."""
    runs = history(app, name, 10_000, "en")
    return [(one["state"], one["reason"] and one["reason"]["code"]) for one in reversed(runs)]


@pytest.mark.parametrize(("missed", "expected"), [("catch_up", ("due", None)), ("skip", ("skipped", "missed"))])
def test_after_a_downtime_each_missed_time_has_a_row(app: App, missed: Missed, expected: tuple[str, str | None]):
    """Five hourly due times were missed: five rows, run or skipped by the schedule's policy, and never again."""
    schedule(app, "hourly", "0 * * * *", missed, 5 * HOUR)
    for _ in range(3):
        planning.plan_due(app)
    assert states(app, "hourly") == [expected] * 5


def test_a_long_downtime_is_written_down_in_parts(app: App):
    """More due times than one transaction takes: the next one goes on where it ended."""
    schedule(app, "often", "*/10 * * * * *", "skip", timedelta(hours=4))
    planning.plan_due(app)
    assert len(states(app, "often")) == planning.MOST_AT_ONCE
    planning.plan_due(app)
    assert 1440 <= len(states(app, "often")) <= 1442


def test_many_that_plan_at_once_write_each_time_once(app: App):
    """Eight threads plan the same half day of due times: one row each, and the next one is ahead."""
    schedule(app, "minutes", "* * * * *", "catch_up", 12 * HOUR)
    threads = [threading.Thread(target=planning.plan_due, args=(app,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.engine.connect() as connection:
        query = "SELECT count(*), count(DISTINCT due_at), max(due_at) FROM schedule_runs"
        count, different, last = fetch(connection, query, {})[0]
        (found,) = schedules.every(connection)
    assert 720 <= count == different <= 721
    assert found.next_at == last + timedelta(minutes=1)


def test_a_time_that_has_a_row_gets_no_second_one(app: App):
    """The constraint holds though a schedule is set back, by a restored backup for example."""
    schedule(app, "hourly", "0 * * * *", "catch_up", 2 * HOUR)
    planning.plan_due(app)
    with transaction(app.engine) as connection:
        run(connection, "UPDATE schedules SET next_at = next_at - interval '2 hours'", {})
    planning.plan_due(app)
    assert states(app, "hourly") == [("due", None)] * 2


def test_a_paused_schedule_is_not_due(app: App):
    """What waited is skipped with the reason; while it is paused nothing comes, and afterwards only what is ahead."""
    schedule(app, "hourly", "0 * * * *", "catch_up", 2 * HOUR)
    planning.plan_due(app)
    assert pause(app, "hourly", actor="me") == 2
    assert pause(app, "hourly", actor="me") == 0
    planning.plan_due(app)
    assert states(app, "hourly") == [("skipped", PAUSED["code"])] * 2
    resume(app, "hourly", actor="me")
    planning.plan_due(app)
    assert len(states(app, "hourly")) == 2
    with app.engine.connect() as connection:
        (found,) = schedules.every(connection)
        assert found.next_at is not None and found.next_at > schedules.clock(connection)

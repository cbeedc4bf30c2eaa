"""Runs: once each, one of a job at a time, tried again, reported, taken over, stopped between two steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from config.wiring import App
from jobs import marking
from jobs.job import Due, Stopped
from jobs.refusals import Refused
from models import audit, schedule_runs, vouchers
from models import schedules as stored
from models.database import copy_line, fetch, run, scalar, transaction
from models.schedule_runs import RunLost
from scheduler import planning, running, schedules
from tests.apps import account, one, product
from tests.scheduler.test_planning import HOUR, schedule, states

Submit = Callable[..., int]


def quick(app: App, **changes: float) -> None:
    """Settings with short waits."""
    update = {"run_retry_seconds": 0.01, "heartbeat_seconds": 0.05} | changes
    object.__setattr__(app, "settings", app.settings.model_copy(update=update))


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What runs log in this test, whatever this process set up before."""
    capture = LogCapture()
    processors: list[Any] = [structlog.contextvars.merge_contextvars, capture]
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors, structlog.BoundLogger)
    monkeypatch.setattr(running, "log", logger)
    return capture.entries


def ask(app: App, name: str) -> schedule_runs.Run:
    """A run out of turn, leased."""
    with transaction(app.engine) as connection:
        found = stored.by_name(connection, name)
        assert found is not None
        run_id = stored.ask(connection, found, "me")
    held = running.claim(app, "one", only=run_id)
    assert held is not None
    return held


def work_off_all(app: App) -> int:
    """Work off everything that may start now; says how much that was."""
    count = 0
    while (held := running.claim(app, "test")) is not None:
        running.work_off(app, held, threading.Event())
        count += 1
    return count


def stock(app: App, count: int, expires: date = date(2020, 1, 1)) -> None:
    """So many minted vouchers of OEM with a last day."""
    account(app, "OEM")
    product(app, "P")
    with transaction(app.engine) as connection:
        oem, sku = (
            scalar(connection, "SELECT id FROM accounts WHERE number = 'OEM'"),
            scalar(connection, "SELECT id FROM products"),
        )
        lines = [copy_line(f"V{n:05}", f"V-{n:05}", oem, sku, None, None, expires, None) for n in range(count)]
        vouchers.add(connection, lines)


def test_missed_runs_are_caught_up_oldest_first(app: App):
    """Three missed hours: three runs in the order of their due times, each done once."""
    schedule(app, "hourly", "0 * * * *", "catch_up", 3 * HOUR)
    planning.plan_due(app)
    assert work_off_all(app) == 3
    assert states(app, "hourly") == [("done", None)] * 3
    with app.engine.connect() as connection:
        begun = fetch(connection, "SELECT due_at FROM schedule_runs ORDER BY started_at", {})
    assert begun == sorted(begun)


def test_two_runs_of_one_job_never_overlap(app: App):
    """While one is under way no other of its job starts, of whichever schedule; another job's does."""
    schedule(app, "a", "0 * * * *", "catch_up", HOUR)
    schedule(app, "b", "30 * * * *", "catch_up", HOUR)
    schedules.add(
        app, "c", job="expire-licenses", expression="0 * * * *", time_zone="UTC", missed=None, given={}, actor="me"
    )
    planning.plan_due(app)
    first = running.claim(app, "one")
    assert first is not None and first.job == "expire-vouchers"
    assert running.claim(app, "two") is None
    other = ask(app, "c")
    assert other.job == "expire-licenses"
    running.work_off(app, first, threading.Event())
    second = running.claim(app, "two")
    assert second is not None and second.schedule != first.schedule


def test_the_database_itself_refuses_a_second_run_of_a_job(app: App):
    """Whoever would start one past the query runs into a unique index."""
    schedule(app, "hourly", "0 * * * *", "catch_up", 2 * HOUR)
    planning.plan_due(app)
    with pytest.raises(Exception, match="uq_schedule_runs_running"), transaction(app.engine) as connection:
        run(connection, "UPDATE schedule_runs SET state = 'running'", {})


def test_many_schedulers_claim_each_run_once(app: App):
    """Six threads work off 24 missed hours: every run had one attempt, and no two were at work at once."""
    schedule(app, "hourly", "0 * * * *", "catch_up", 24 * HOUR)
    planning.plan_due(app)
    counts: list[int] = []

    def work() -> None:
        while states(app, "hourly").count(("done", None)) < 24:
            counts.append(work_off_all(app))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 24
    with app.engine.connect() as connection:
        runs = fetch(connection, "SELECT attempts, started_at, ended_at FROM schedule_runs ORDER BY due_at", {})
    assert {attempts for attempts, _, _ in runs} == {1}
    assert all(ended <= started for (_, _, ended), (_, started, _) in pairwise(runs))


def test_a_run_that_fails_is_tried_again_and_then_reported(app: App, logs: list[Any]):
    """Three attempts, then it has failed: with its reason in both languages, an audit entry and an error in the log."""
    quick(app)
    schedules.add(
        app, "nightly", job="reconcile-contracts", expression="0 2 * * *", time_zone="UTC", missed=None,
        given={"account": "NOBODY"}, actor="me",
    )  # fmt: skip
    told = schedules.run_now(app, "nightly", actor="me", language="it", ended=threading.Event())
    assert (told["state"], told["attempts"]) == ("failed", 3)
    assert "NOBODY" in told["reason"]["sentence"] and "Nessun account" in told["reason"]["sentence"]
    levels = [one["log_level"] for one in logs if one["event"].startswith("run failed")]
    assert levels == ["warning", "warning", "error"]
    with app.engine.connect() as connection:
        _, actor, action, subject, detail = audit.latest(connection, 1)[0]
    assert (actor, action, subject, detail["code"]) == ("keymill", "run.failed", "schedule nightly", "unknown_account")


def test_a_job_that_this_version_does_not_know_fails_with_a_sentence(app: App):
    """A schedule of a newer version, met by an older scheduler, does not end it."""
    quick(app, attempts=1)
    schedule(app, "hourly", "0 * * * *", "catch_up", HOUR)
    planning.plan_due(app)
    with transaction(app.engine) as connection:
        run(connection, "UPDATE schedule_runs SET job = 'from-the-future'", {})
    assert work_off_all(app) == 1
    (told,) = schedules.history(app, "hourly", 1, "en")
    assert told["state"] == "failed" and "from-the-future" in told["reason"]["sentence"]


def test_an_outage_of_the_store_is_waited_for_uncounted(app: App, tmp_path):
    """While the object store is away the run is tried again and again, and is done once it is back."""
    quick(app, outage_wait_seconds=0.01)
    schedules.add(
        app, "list", job="publish-revocations", expression="0 2 * * *", time_zone="UTC", missed=None, given={},
        actor="me",
    )  # fmt: skip
    held = ask(app, "list")
    place, away = tmp_path / "store", tmp_path / "away"
    place.rename(away)
    for _ in range(5):
        running.work_off(app, held, threading.Event())
        threading.Event().wait(0.02)
        again = running.claim(app, "one")
        assert again is not None and again.attempts == 1
        held = again
    away.rename(place)
    running.work_off(app, held, threading.Event())
    assert states(app, "list") == [("done", None)]


def test_a_scheduler_that_lost_its_run_commits_nothing(app: App):
    """Its lease ran out and another one took over: what it still does is rolled back, what the other does counts."""
    quick(app, lease_seconds=0.05, heartbeat_seconds=60.0)
    stock(app, 5)
    schedule(app, "expiry", "0 * * * *", "skip", timedelta(0))
    held = ask(app, "expiry")
    threading.Event().wait(0.1)
    running.release_lost(app)
    other = running.claim(app, "two")
    assert other is not None and other.attempts == 2 and other.fence > held.fence
    with pytest.raises(RunLost):
        marking.mark_expired(Due(app, held, {}, threading.Event()), "voucher", lambda *_: (1, "Z"))
    running.work_off(app, held, threading.Event())
    assert one(app, "SELECT count(*) FROM vouchers WHERE state = 'expired'") == 0
    running.work_off(app, other, threading.Event())
    assert one(app, "SELECT count(*) FROM vouchers WHERE state = 'expired'") == 5
    (told,) = schedules.history(app, "expiry", 1, "en")
    assert (told["state"], told["attempts"], told["did"]) == ("done", 2, "5 vouchers expired")


def test_a_step_in_which_the_run_was_lost_is_rolled_back(app: App):
    """Frozen in the middle of a transaction until another scheduler has the run: it does not commit any more."""
    quick(app, lease_seconds=0.05, heartbeat_seconds=60.0)
    stock(app, 1)
    schedule(app, "expiry", "0 * * * *", "skip", timedelta(0))
    held = ask(app, "expiry")
    object.__setattr__(app, "settings", app.settings.model_copy(update={"lease_seconds": 30.0}))
    with pytest.raises(RunLost), Due(app, held, {}, threading.Event()).step() as connection:
        run(connection, "UPDATE vouchers SET state = 'void'", {})
        threading.Event().wait(0.1)
        running.release_lost(app)
        assert running.claim(app, "two") is not None
    assert one(app, "SELECT state FROM vouchers") == "minted"


def test_a_lease_is_renewed_while_its_run_goes_on(app: App):
    """Work that takes longer than a lease is not taken over."""
    quick(app, lease_seconds=0.3)
    stock(app, 1)
    schedule(app, "expiry", "0 * * * *", "skip", timedelta(0))
    held = ask(app, "expiry")
    with transaction(app.engine) as connection:
        run(connection, "SELECT FROM vouchers FOR UPDATE", {})
        thread = threading.Thread(target=running.work_off, args=(app, held, threading.Event()))
        thread.start()
        for _ in range(10):
            threading.Event().wait(0.1)
            running.release_lost(app)
            assert states(app, "expiry") == [("running", None)]
    thread.join()
    assert states(app, "expiry") == [("done", None)]


def test_a_run_whose_schedulers_all_went_away_fails_in_the_end(app: App, logs: list[Any]):
    """Three leases that ran out: no fourth one; an audit entry and an error say so."""
    quick(app, lease_seconds=0.01)
    schedule(app, "expiry", "0 * * * *", "catch_up", HOUR)
    planning.plan_due(app)
    for _ in range(3):
        assert running.claim(app, "mortal") is not None
        threading.Event().wait(0.03)
        running.release_lost(app)
    assert running.claim(app, "mortal") is None
    assert states(app, "expiry") == [("failed", "went_away")]
    assert logs[-1]["log_level"] == "error"
    with app.engine.connect() as connection:
        assert audit.latest(connection, 1)[0][2:4] == ("run.failed", "schedule expiry")


def test_a_run_is_broken_off_between_two_steps_and_goes_on_elsewhere(app: App, monkeypatch: pytest.MonkeyPatch):
    """A scheduler that is told to end gives its run back uncounted; what was done stays and counts once."""
    monkeypatch.setattr(marking, "AT_ONCE", 2)
    stock(app, 5)
    schedule(app, "expiry", "0 * * * *", "skip", timedelta(0))
    held, ended = ask(app, "expiry"), threading.Event()

    def mark_then_end(*given):
        ended.set()
        return marking_of(*given)

    from models import expiry

    marking_of = expiry.mark_vouchers
    monkeypatch.setattr(expiry, "mark_vouchers", mark_then_end)
    running.work_off(app, held, ended)
    assert states(app, "expiry") == [("due", "stopped")]
    assert one(app, "SELECT count(*) FROM vouchers WHERE state = 'expired'") == 2
    with pytest.raises(Stopped), Due(app, held, {}, ended).step():
        pass
    assert work_off_all(app) == 1
    (told,) = schedules.history(app, "expiry", 1, "en")
    assert (told["state"], told["attempts"], told["counts"]) == ("done", 1, {"expired": 5})
    counted = "SELECT sum((detail ->> 'count')::int) FROM audit_log WHERE action = 'voucher.expired'"
    assert one(app, counted) == 5


def test_a_schedule_is_not_removed_from_under_its_run(app: App):
    """Refused while a run is under way; afterwards schedule and history go, and the audit log keeps what it was."""
    schedule(app, "expiry", "0 * * * *", "skip", timedelta(0))
    held = ask(app, "expiry")
    with pytest.raises(Refused, match="under way"):
        schedules.remove(app, "expiry", actor="me")
    running.work_off(app, held, threading.Event())
    schedules.remove(app, "expiry", actor="me")
    assert one(app, "SELECT count(*) FROM schedule_runs") == 0
    with app.engine.connect() as connection:
        assert audit.latest(connection, 1)[0][4]["expression"] == "0 * * * *"


def test_logs_of_a_run_name_its_schedule(app: App, logs: list[Any]):
    """Whatever is logged on the way can be found again."""
    schedule(app, "expiry", "0 * * * *", "skip", timedelta(0))
    held = ask(app, "expiry")
    running.work_off(app, held, threading.Event())
    assert {"schedule": "expiry", "job": "expire-vouchers"}.items() <= logs[-1].items()

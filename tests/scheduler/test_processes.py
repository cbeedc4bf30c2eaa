"""Real scheduler processes: any number of them, killed in the middle of a run, told to end."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from config.wiring import App
from models.database import fetch, run, transaction
from models.schedules import Missed
from scheduler import schedules
from tests.apps import one
from tests.scheduler.test_running import stock

Start = Callable[[], subprocess.Popen[bytes]]
PATIENCE_SECONDS = 60


@pytest.fixture
def start(app: App) -> Iterator[Start]:
    """Starts ``keymill scheduler`` on the servers of this test, with short leases."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEYMILL_")}
    environment |= app.settings.environment() | {
        "KEYMILL_KEY_ENCRYPTION_KEY": b64encode(secrets.token_bytes(32)).decode(),
        "KEYMILL_LEASE_SECONDS": "2",
        "KEYMILL_HEARTBEAT_SECONDS": "0.2",
        "KEYMILL_LOG_LEVEL": "error",
    }

    def begin() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-m", "cli.main", "scheduler"], env=environment))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait for something that other processes do."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < limit, what
        threading.Event().wait(0.05)


def every_second(app: App, name: str, job: str, missed: Missed) -> None:
    """A schedule that is due each second."""
    schedules.add(
        app, name, job=job, expression="* * * * * *", time_zone="Europe/Rome", missed=missed, given={}, actor="me"
    )


def test_several_schedulers_run_each_due_time_once(app: App, start: Start):
    """Three processes and a schedule of every second: each second has one run, done at the first attempt; all end."""
    every_second(app, "tick", "publish-revocations", "catch_up")
    processes = [start() for _ in range(3)]
    done = "SELECT count(*) FROM schedule_runs WHERE state = 'done'"
    until(lambda: one(app, done) >= 8, "eight runs")
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(PATIENCE_SECONDS) for process in processes] == [0, 0, 0]
    with app.engine.connect() as connection:
        runs = fetch(connection, "SELECT due_at, attempts, state FROM schedule_runs ORDER BY due_at", {})
    assert all(later - earlier == timedelta(seconds=1) for (earlier, *_), (later, *_) in pairwise(runs))
    assert {(attempts, state) for _, attempts, state in runs[:8]} == {(1, "done")}
    assert one(app, "SELECT count(*) FROM schedule_runs WHERE state = 'running'") == 0
    assert one(app, "SELECT count(*) FROM workers") == 0


def test_a_run_is_taken_over_from_a_scheduler_that_was_killed(app: App, start: Start):
    """Killed with -9 in the middle of its work: another process does the run, whose effect is there once."""
    stock(app, 3)
    killed = start()
    with transaction(app.engine) as connection:  # the run waits for this voucher
        run(connection, "SET LOCAL idle_in_transaction_session_timeout = 0", {})
        run(connection, "SELECT FROM vouchers WHERE code = 'V-00001' FOR UPDATE", {})
        every_second(app, "expiry", "expire-vouchers", "skip")
        until(lambda: one(app, "SELECT count(*) FROM schedule_runs WHERE state = 'running'"), "a run")
        schedules.pause(app, "expiry", actor="me")
        killed.kill()
        killed.wait()
        start()
        until(lambda: one(app, "SELECT max(attempts) FROM schedule_runs") == 2, "a second attempt")
        by = "SELECT scheduler FROM schedule_runs WHERE attempts = 2"
        assert f":{killed.pid}:" not in one(app, by)
    until(lambda: one(app, "SELECT count(*) FROM schedule_runs WHERE state = 'done' AND attempts = 2"), "its end")
    assert one(app, "SELECT count(*) FROM vouchers WHERE state = 'expired'") == 3
    counted = "SELECT sum((detail ->> 'count')::int) FROM audit_log WHERE action = 'voucher.expired'"
    assert one(app, counted) == 3

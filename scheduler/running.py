"""Runs of schedules: started when due, tried again when they fail, taken over when their scheduler is gone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

from config.wiring import App
from jobs.job import Due, Stopped
from jobs.parking import sentence_of
from jobs.refusals import Refused
from jobs.scheduled.registry import JOBS
from models import audit, schedule_runs, schedules
from models.database import is_outage, transaction
from models.schedule_runs import Run, RunLost
from scheduler.planning import plan_due
from storage.objects import StoreUnavailable

log = structlog.get_logger("keymill.schedules")
LOOK_SECONDS = 1.0  # how often new and changed schedules are looked for


class Clockwork:
    """The schedules of one scheduler process; any number of processes may run one."""

    def __init__(self, app: App, scheduler: str, ended: threading.Event) -> None:
        self._app, self._scheduler, self._ended = app, scheduler, ended
        self._threads: list[threading.Thread] = []
        self._takes_over_from = 0.0

    def serve(self) -> None:
        """Wake at each due time until told to end; what fails (the database is away) is tried again."""
        while not self._ended.is_set():
            try:
                wait_seconds = self._turn()
            except Exception as error:
                log.warning("schedules cannot be looked after", error=sentence_of(error))
                # Leases ran out because nobody could renew them: let the living go first.
                self._takes_over_from = time.monotonic() + 2 * self._app.settings.heartbeat_seconds
                wait_seconds = LOOK_SECONDS
            self._ended.wait(wait_seconds)
        limit = time.monotonic() + self._app.settings.stop_seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))

    def _turn(self) -> float:
        """Plan what is due and start what may start; says how many seconds there are until the next due time."""
        plan_due(self._app)
        if time.monotonic() >= self._takes_over_from:
            release_lost(self._app)
        while (held := claim(self._app, self._scheduler)) is not None:
            thread = threading.Thread(target=self._work_on, args=(held,), name=f"job {held.job}", daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()
        with self._app.engine.connect() as connection:
            seconds = schedules.seconds_to_next(connection)
        return LOOK_SECONDS if seconds is None else min(max(seconds, 0.01), LOOK_SECONDS)

    def _work_on(self, held: Run | None) -> None:
        """Work off a run, and then those that had to wait for it."""
        try:
            while held is not None:
                work_off(self._app, held, self._ended)
                held = None if self._ended.is_set() else claim(self._app, self._scheduler)
        except Exception as error:
            log.warning("a run stays as it is until its lease ends", error=sentence_of(error))


def claim(app: App, scheduler: str, only: int | None = None) -> Run | None:
    """Lease the oldest run that may start, or a certain one if it may."""
    with transaction(app.engine) as connection:
        return schedule_runs.claim(connection, scheduler, app.settings.lease_seconds, only)


def work_off(app: App, held: Run, ended: threading.Event) -> None:
    """Do what a run is for, and write down what became of it."""
    with (
        structlog.contextvars.bound_contextvars(schedule=held.schedule, job=held.job, due=held.due_at.isoformat()),
        _leased(app, held),
    ):
        try:
            _work(app, held, ended)
        except RunLost:
            log.warning("run lost; nothing more was committed")


def _work(app: App, held: Run, ended: threading.Event) -> None:
    try:
        job = JOBS[held.job]
        arguments = {one.name: one.default for one in job.arguments if one.default is not None} | held.arguments
        due = Due(app, held, arguments, ended, Counter(held.counts))
        batch_id = job.run(due)
        with transaction(app.engine) as connection:
            schedule_runs.finish(connection, held, due.counts, batch_id)
        log.info("run done", batch=batch_id, **due.counts)
    except RunLost:
        raise
    except Stopped:
        _give_back(app, held, _STOPPED, after_seconds=0.0, counted=False)
    except Exception as error:
        _not_done(app, held, error)


_STOPPED = {"code": "stopped", "en": "the scheduler was told to end", "it": "lo scheduler è stato fermato"}


def _not_done(app: App, held: Run, error: Exception) -> None:
    """Try a run again later: without end while a server is away, else as often as it may be tried."""
    reason = _reason(error)
    if isinstance(error, StoreUnavailable) or is_outage(error):
        log.warning("outage", error=reason["en"])
        _give_back(app, held, reason, after_seconds=app.settings.outage_wait_seconds, counted=False)
    elif held.attempts < app.settings.attempts:
        log.warning("run failed and is tried again", error=reason["en"], attempt=held.attempts)
        _give_back(app, held, reason, after_seconds=app.settings.run_retry_seconds, counted=True)
    else:
        with transaction(app.engine) as connection:
            schedule_runs.fail(connection, held, reason)
            audit.record(connection, "keymill", "run.failed", f"schedule {held.schedule}", **_told(held), **reason)
        log.error("run failed", error=reason["en"], exc_info=None if isinstance(error, Refused) else error)


def _told(held: Run | schedule_runs.Released) -> dict[str, str]:
    return {"job": held.job, "due": held.due_at.isoformat()}


def _reason(error: Exception) -> dict[str, str]:
    if isinstance(error, Refused | StoreUnavailable):
        return {"code": error.code, "en": error.en, "it": error.it}
    sentence = sentence_of(error)
    return {"code": "error", "en": sentence, "it": sentence}


def _give_back(app: App, held: Run, reason: Mapping[str, str], *, after_seconds: float, counted: bool) -> None:
    """Let a run be tried again; while the database is away, until the lease runs out by itself."""
    for _ in range(int(app.settings.lease_seconds)):
        try:
            with transaction(app.engine) as connection:
                schedule_runs.give_back(connection, held, reason, after_seconds=after_seconds, counted=counted)
            return
        except Exception as error:
            if not is_outage(error):
                raise
            time.sleep(1.0)


@contextmanager
def _leased(app: App, held: Run) -> Iterator[None]:
    """Renew the lease of a run while it is worked on."""
    is_over = threading.Event()

    def keep() -> None:
        while not is_over.wait(app.settings.heartbeat_seconds):
            try:
                with transaction(app.engine) as connection:
                    schedule_runs.renew(connection, held, app.settings.lease_seconds)
            except Exception as error:
                log.warning("lease not renewed", error=sentence_of(error))

    thread = threading.Thread(target=keep, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def release_lost(app: App) -> None:
    """Give back the runs of schedulers that gave no sign of life; report those that had all their attempts."""
    with transaction(app.engine) as connection:
        released = schedule_runs.release_expired(connection, app.settings.attempts)
        for run in released:
            if run.state == "failed":
                audit.record(
                    connection, "keymill", "run.failed", f"schedule {run.schedule}", **_told(run), code="went_away"
                )
    for run in released:
        told = log.error if run.state == "failed" else log.warning
        told("lease of a run expired", schedule=run.schedule, scheduler=run.scheduler, state=run.state, **_told(run))

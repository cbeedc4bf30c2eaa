"""One chunk from lease to end: claim, keep the lease alive, work, and say what became of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection

from config import children, tracing
from config.wiring import App
from jobs import guarding, notifying, parking, pipeline, reading
from jobs.refusals import BatchRefused
from models import batches, leases, workers
from models.chunks import Chunk
from models.database import is_outage, transaction
from models.leases import LeaseLost
from storage.objects import StoreUnavailable

log = structlog.get_logger("keymill.work")


class Heartbeat:
    """Says every few seconds that this process is alive, and renews the lease that it works under."""

    def __init__(self, app: App, name: str, role: str, host: str, pid: int) -> None:
        self._app, self._identity = app, (name, role, host, pid)
        self._chunk: Chunk | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)
        self.name = name

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Take this process off the list of those alive."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        children.let_go(reading.CHILD)
        try:
            with transaction(self._app.engine) as connection:
                workers.leave(connection, self.name)
        except Exception as error:  # the database may be gone first; the row goes stale by itself
            log.info("could not sign off", error=str(error))

    @contextmanager
    def keeping(self, chunk: Chunk) -> Iterator[None]:
        """Renew the lease of a chunk while it is worked on."""
        self._chunk = chunk
        try:
            yield
        finally:
            self._chunk = None

    def _beat_on(self) -> None:
        while True:
            try:
                self._beat()
            except Exception as error:
                log.warning("heartbeat failed", error=str(error))
            if self._ended.wait(self._app.settings.heartbeat_seconds):
                return

    def _beat(self) -> None:
        chunk = self._chunk
        with transaction(self._app.engine) as connection:
            workers.beat(connection, *self._identity, workers.peak_rss_mb())
            if chunk is not None:
                leases.renew(connection, chunk, self._app.settings.lease_seconds)
        if self._identity[1] == "worker":  # last: where none can be started, the lease is renewed all the same
            children.make_ready(reading.CHILD)


def work_on(app: App, heartbeat: Heartbeat, ended: threading.Event) -> None:
    """Work off a chunk; where it was the last of its stage, the next one as well, and so on, without a call.

    It may be another batch's, and a call may be with a worker that dies: as many are called as if nobody went on.
    """
    while (chunk := _work_off(app, heartbeat)) and pipeline.advance(app, chunk.batch_id) and not ended.is_set():
        pass


def work_one(app: App, heartbeat: Heartbeat) -> bool:
    """Work off one chunk. False when there is none."""
    chunk = _work_off(app, heartbeat)
    if chunk is not None:
        pipeline.advance(app, chunk.batch_id)
    return chunk is not None


def _work_off(app: App, heartbeat: Heartbeat) -> Chunk | None:
    """Lease the chunk whose turn it is and work it off; it, or None when there is none."""
    with app.engine.connect() as connection:
        with connection.begin():
            chunk = leases.claim(connection, heartbeat.name, app.settings.lease_seconds, app.settings.attempts)
        if chunk is None:
            return None
        with (
            heartbeat.keeping(chunk),
            structlog.contextvars.bound_contextvars(
                batch=chunk.batch_id, stage=chunk.stage, chunk=chunk.number, attempt=chunk.attempts
            ),
            _traced(app, chunk),
        ):
            _work(app, connection, chunk)
    guarding.stop_guessers(app, chunk)
    return chunk


@contextmanager
def _traced(app: App, chunk: Chunk) -> Iterator[None]:
    """A span named after the stage, in the trace that began where the batch was handed in; nothing where none is on."""
    if not tracing.is_on():
        yield
        return
    with transaction(app.engine) as connection:
        batch = batches.by_id(connection, chunk.batch_id)
    assert batch is not None
    with tracing.span(
        chunk.stage,
        below=batch.trace,
        batch=batch.id,
        kind=batch.kind,
        chunk=chunk.number,
        attempt=chunk.attempts,
        lane=chunk.lane,
        rows=None if chunk.stage == "read" else chunk.last - chunk.first + 1,
    ):
        yield


def _work(app: App, connection: Connection, chunk: Chunk) -> None:
    try:
        pipeline.STAGES[chunk.stage](app, connection, chunk)
        log.info("chunk done")
    except LeaseLost:
        log.warning("lease lost; nothing was committed")
        tracing.fail("lease lost")
    except BatchRefused as refusal:
        tracing.fail(refusal.code)
        _refuse(app, chunk, refusal)
    except StoreUnavailable as outage:
        log.warning("outage", error=str(outage))
        tracing.fail(outage.code)
        _give_back(app, chunk, str(outage), counted=False)
    except Exception as error:
        tracing.fail(type(error).__name__)
        if is_outage(error):
            log.warning("the database went away", error=str(error))
            connection.invalidate()
            _give_back(app, chunk, "the database went away", counted=False)
        else:
            log.exception("chunk failed")
            _give_back(app, chunk, parking.sentence_of(error), counted=True)
            parking.park_used_up(app)


def _refuse(app: App, chunk: Chunk, refusal: BatchRefused) -> None:
    """End a batch whose file cannot be taken, with the reason that its sender reads."""
    with transaction(app.engine) as connection:
        leases.finish(connection, chunk, {})
        batches.end(connection, chunk.batch_id, "failed", reason=refusal.as_reason())
        notifying.batch_ended(app, connection, chunk.batch_id)
    log.info("batch refused", code=refusal.code)


def _give_back(app: App, chunk: Chunk, reason: str, *, counted: bool) -> None:
    """Let the chunk be tried again soon; while the database is away, until the lease runs out by itself."""
    wait_seconds = 1.0 if counted else app.settings.outage_wait_seconds
    for _ in range(int(app.settings.lease_seconds)):
        try:
            with transaction(app.engine) as connection:
                leases.give_back(connection, chunk, reason, after_seconds=wait_seconds, counted=counted)
            return
        except Exception as error:
            if not is_outage(error):
                raise
            threading.Event().wait(1.0)

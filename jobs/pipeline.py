"""The flow: which stage a batch goes through after which, and what is done in each. Read this file first.

    received -> read -> preview -> (confirm) -> run -> contested -> render -> finish
    stopped or cancelled: what is at work ends      -> closing   -> render -> finish
    ended, and licenses with it:                                              publish

A stage is cut into chunks; workers lease them in any order (``jobs/working.py``). When the last chunk of a stage is
done, :func:`advance` plans the next one. It may be called at any time, by anyone, any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from config.wiring import App
from jobs import approving, broker, exporting, notifying, reading, revocations, running
from jobs.kinds.registry import KINDS
from models import audit, batches, chunks, rows
from models.batches import Batch
from models.chunks import Chunk, Stage
from models.database import transaction

STAGES: dict[Stage, Callable[[App, Connection, Chunk], None]] = {
    "read": reading.read,
    "preview": running.preview,
    "run": running.run,
    "contested": running.run,
    "closing": running.close,
    "render": exporting.render,
    "finish": exporting.finish,
    "publish": revocations.follow,
}

Slices = Iterable[tuple[int | None, int, int]]  # lane (None: all), first ordinal, last ordinal


def advance(app: App, batch_id: int) -> bool:
    """Plan the next stage of a batch whose stage is over, and call workers for it; whether there was one to plan."""
    with transaction(app.engine) as connection:
        batch = batches.by_id(connection, batch_id, lock=True)
        if batch is None or batch.state in batches.FINAL or chunks.open_count(connection, batch_id):
            return False
        planned = _next(app, connection, batch)
    if planned:
        broker.wake(app.settings.redis_url, batch_id, planned + 2)
    return planned > 0


def begin(connection: Connection, batch_id: int) -> int:
    """Plan the first stage of a batch, with which it comes in; says how many chunks."""
    return chunks.plan(connection, batch_id, "read", [(None, 1, 1)])


def _next(app: App, connection: Connection, batch: Batch) -> int:
    """Plan what comes after the stages that a batch has been through; says how many chunks."""
    stages = chunks.stages(connection, batch.id)
    if not stages and batch.cancelled_at is None:  # taken in by a process of the version before
        return begin(connection, batch.id)
    for stage, _, _, _, reason in chunks.parked(connection, batch.id):
        if stage not in ("run", "contested"):  # those have their answers: the rows are skipped
            return _give_up(app, connection, batch, reason)
    if batch.cancelled_at is not None:
        return _close(app, connection, batch, stages)
    if "run" not in stages:
        return _before_the_run(app, connection, batch, stages)
    if "contested" not in stages:
        lanes = [(lane, first, last) for lane, first, last, _ in _contested(connection, batch)]
        if lanes:
            return _plan(connection, batch, "contested", lanes)
    return _export(app, connection, batch, stages)


def _before_the_run(app: App, connection: Connection, batch: Batch, stages: set[Stage]) -> int:
    """Preview, wait for confirmation, let batches that were confirmed earlier go first, then run."""
    if batch.was_previewed and "preview" not in stages:
        return _plan(connection, batch, "preview", _preview_slices(app, connection, batch))
    if batch.confirmed_at is None:
        if not batch.is_auto or approving.needs(connection, batch):
            if batch.state != "previewed":
                batches.change(connection, batch.id, state="previewed")
                notifying.batch_previewed(app, connection, batch.id)
            return 0
        batches.confirm(connection, batch.id)
        confirmed = batches.by_id(connection, batch.id)
        assert confirmed is not None
        batch = confirmed
    rivals = [kind.name for kind in KINDS.values() if kind.domain == KINDS[batch.kind].domain]
    if batches.earlier_rivals(connection, batch, rivals):
        return 0  # the sweep looks again
    return _plan(connection, batch, "run", _run_slices(app, batch), state="running")


def _run_slices(app: App, batch: Batch) -> Slices:
    assert batch.row_count is not None
    if batch.is_atomic or KINDS[batch.kind].is_sequential:
        return [(None, 1, batch.row_count)]
    return _chunks(app, batch)


def _chunks(app: App, batch: Batch) -> Slices:
    kind = KINDS[batch.kind]
    cut = tapering(batch.row_count or 0, kind.chunk_rows(app), kind.least_chunk_rows(app))
    return [(0, first, last) for first, last in cut]


def _preview_slices(app: App, connection: Connection, batch: Batch) -> Slices:
    lanes = [(lane, first, last) for lane, first, last, _ in _contested(connection, batch)]
    kind = KINDS[batch.kind]
    if kind.is_sequential:
        return [(None, 1, batch.row_count or 0)]
    return [*_chunks(app, batch), *lanes]


def _contested(connection: Connection, batch: Batch) -> list[tuple[int, int, int, int]]:
    """The lanes of rows that repeat a subject, unless one worker goes through the whole file anyway.

    The longest first, so that at the end nobody waits long for the one who has the last.
    """
    if batch.is_atomic or KINDS[batch.kind].is_sequential or not (batch.reading or {}).get("repeats", True):
        return []
    return sorted(rows.lanes(connection, batch.id), key=lambda lane: lane[3], reverse=True)


def _close(app: App, connection: Connection, batch: Batch, stages: set[Stage]) -> int:
    """A batch that was cancelled or stopped: what is unanswered is skipped, and the results say so."""
    if batch.row_count is None:
        batches.end(connection, batch.id, "cancelled")
        notifying.batch_ended(app, connection, batch.id)
        return 0
    if "closing" not in stages:
        return _plan(connection, batch, "closing", [(None, 1, batch.row_count)], state="exporting")
    return _export(app, connection, batch, stages)


def _export(app: App, connection: Connection, batch: Batch, stages: set[Stage]) -> int:
    """Pieces of the result file by several workers where it is large, then the files that are stored for good."""
    if "render" not in stages:
        slices = [(None, first, last) for first, last in exporting.missing_ranges(app, connection, batch)]
        if slices:
            return _plan(connection, batch, "render", slices, state="exporting")
    return _plan(connection, batch, "finish", [(None, 1, batch.row_count or 0)], state="exporting")


def _give_up(app: App, connection: Connection, batch: Batch, reason: str) -> int:
    """The end of a batch whose file was not read or whose results were not stored, though it was tried three times."""
    batches.end(connection, batch.id, "failed", reason={"code": "parked", "detail": reason})
    audit.record(connection, "keymill", "batch.failed", f"batch {batch.id}", reason=reason)
    notifying.batch_ended(app, connection, batch.id)
    return 0


def _plan(connection: Connection, batch: Batch, stage: Stage, slices: Slices, *, state: str | None = None) -> int:
    if state is not None and batch.state != state:
        batches.change(connection, batch.id, state=state)
    return chunks.plan(connection, batch.id, stage, slices)


def tapering(count: int, size: int, least: int) -> list[tuple[int, int]]:
    """1..count cut into pieces of a size, ever smaller towards the end: no worker waits long for another."""
    found, first = [], 1
    while first <= count:
        last = min(count, first - 1 + min(size, max((count - first + 1) // 4, least, 1)))
        found.append((first, last))
        first = last + 1
    return found

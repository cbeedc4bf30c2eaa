"""The stages that decide rows: preview (nothing is written), run, and what is left over when a batch was stopped.

One slice of rows is one transaction. A chunk is usually one slice; a longer one is worked off slice by slice under one
lease, its position stored with each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import Connection

from config.wiring import App
from jobs import exporting, keys
from jobs.deciding import Answer, Slice, Tally, outcome_lines, row_reader
from jobs.kind import Asked, Kind, Produce, Rules, Work
from jobs.kinds.registry import KINDS
from licensing.values import RowReader
from models import accounts, batches, leases, rows
from models.batches import Batch
from models.chunks import Chunk
from models.rows import Row

EFFECTS_A_SLICE = 50_000  # things that rows may produce in one transaction, so that its size stays flat


@dataclass(frozen=True, slots=True)
class Desk:
    """What a worker has in front of it while it works on a chunk."""

    app: App
    chunk: Chunk
    batch: Batch
    kind: Kind
    work: Work
    reader: RowReader


def _desk(app: App, connection: Connection, chunk: Chunk, *, preview: bool) -> Desk:
    with connection.begin():
        batch = batches.by_id(connection, chunk.batch_id)
        assert batch is not None
        account = accounts.by_id(connection, batch.account_id)
    kind = KINDS[batch.kind]
    at = batch.confirmed_at or batch.created_at
    signer = None if preview else keys.load_signer(app.engine, app.kek, app.settings.issuer)
    work = Work(batch, account, app.engine, at, at.astimezone(UTC).date(), signer, KINDS)
    return Desk(app, chunk, batch, kind, work, row_reader(kind, batch, account))


def preview(app: App, connection: Connection, chunk: Chunk) -> None:
    """Decide the rows of a chunk without effects, and write down what each would get."""
    desk = _desk(app, connection, chunk, preview=True)
    with connection.begin():
        leases.still_held(connection, chunk)
        tally, rules = Tally(), None
        for stored, told in _previewed_rows(desk, connection):
            slice_ = Slice(desk.kind, desk.work, desk.reader, stored, tally if told is None else Tally())
            rules = slice_.load(connection, rules)
            slice_.decide(rules)
            answers = slice_.answers()
            if told is not None:
                answers = [answer for answer in answers if answer.ordinal in told]
                _count_again(tally, slice_.tally, answers)
            rows.add_previews(connection, outcome_lines(desk.batch.id, answers, preview=True))
        leases.finish(connection, chunk, tally.as_result())


def _previewed_rows(desk: Desk, connection: Connection) -> Iterator[tuple[list[Row], set[int] | None]]:
    """The slices of a previewed chunk; for a lane, with the ordinals whose answers are this chunk's to tell."""
    chunk, limit = desk.chunk, desk.kind.chunk_rows(desk.app)
    if chunk.lane:
        lane = rows.of_subjects_in_lane(connection, chunk.batch_id, chunk.lane)
        for start in range(0, len(lane), limit):
            part = lane[start : start + limit]
            yield part, {row.ordinal for row in part if row.lane == chunk.lane}
        return
    for start in range(chunk.first, chunk.last + 1, limit):
        last = min(start + limit - 1, chunk.last)
        yield rows.of_chunk(connection, chunk.batch_id, first=start, last=last, lane=chunk.lane), None


def _count_again(tally: Tally, full: Tally, answers: Sequence[Answer]) -> None:
    """Count only the answers that are told; the other rows of the slice belong to another chunk."""
    tally.count(answers)
    for key, warning in full.warnings.items():
        tally.warnings.setdefault(key, warning)


def run(app: App, connection: Connection, chunk: Chunk) -> None:
    """Decide the rows of a chunk and make the answers true, one transaction a slice."""
    desk = _desk(app, connection, chunk, preview=False)
    if desk.batch.is_atomic:
        _run_whole(desk, connection)
        return
    tally, position, finished = Tally.of(chunk.result), max(chunk.position, chunk.first - 1), False
    while not finished:
        with connection.begin():
            leases.still_held(connection, chunk)
            position, finished = _run_slice(desk, connection, tally, position)
            if finished or _is_stopped(connection, desk.batch):
                leases.finish(connection, chunk, tally.as_result())
                return
            leases.advance_position(connection, chunk, position, tally.as_result())


def _is_stopped(connection: Connection, batch: Batch) -> bool:
    now = batches.by_id(connection, batch.id)
    return now is None or now.cancelled_at is not None


def _run_slice(desk: Desk, connection: Connection, tally: Tally, position: int) -> tuple[int, bool]:
    """Work off the rows after a position; says how far it came and whether that was the end."""
    chunk, limit = desk.chunk, desk.kind.chunk_rows(desk.app)
    stored = rows.of_chunk(
        connection, chunk.batch_id, first=position + 1, last=chunk.last, lane=chunk.lane, limit=limit
    )
    slice_ = Slice(desk.kind, desk.work, desk.reader, stored, tally)
    rules = slice_.load(connection)
    goes_on_at = None
    if desk.kind.produce is None:
        slice_.decide(rules)
    else:
        goes_on_at = _produce(desk, connection, slice_.asked, rules, desk.kind.produce)
    if goes_on_at is not None:
        _cut(slice_, goes_on_at)
    issued = rules.apply(connection, slice_.asked)
    answers = slice_.answers()
    if chunk.lane == 0 and position + 1 == chunk.first and len(stored) == chunk.last - chunk.first + 1:
        # Every row of the chunk is here with its cells and its answer: the quickest moment to render them.
        tally.piece = exporting.early_piece(desk.app, connection, chunk, desk.batch, slice_.cells, answers, issued)
    if desk.batch.was_previewed:
        tally.differs += _differences(connection, desk.batch, answers)
    rows.add_outcomes(connection, outcome_lines(desk.batch.id, answers))
    if goes_on_at is not None:
        return goes_on_at - 1, False
    last = stored[-1].ordinal if stored else chunk.last
    return last, last >= chunk.last or len(stored) < limit


def _produce(desk: Desk, connection: Connection, asked: Sequence[Asked], rules: Rules, produce: Produce) -> int | None:
    """Decide and produce row by row until the transaction is large enough.

    Says which row the next transaction goes on with. An all-or-nothing batch never stops on the way.
    """
    room = EFFECTS_A_SLICE
    for row in asked:
        if room <= 0:
            return row.ordinal
        row.decision = rules.decide(row)
        left = 0 if row.decision.effect is None else 1
        while left:
            made, left = produce(connection, desk.work, row, room)
            if not desk.batch.is_atomic:
                room -= made
                if left:
                    return row.ordinal
    return None


def _cut(slice_: Slice, ordinal: int) -> None:
    """Leave the rows from an ordinal on for the next slice."""
    slice_.asked = [row for row in slice_.asked if row.ordinal < ordinal]
    slice_.refused = {key: answer for key, answer in slice_.refused.items() if key < ordinal}


def _differences(connection: Connection, batch: Batch, answers: Sequence[Answer]) -> int:
    """How many answers are not what the preview said."""
    if not answers:
        return 0
    said = rows.previewed_codes(connection, batch.id, answers[0].ordinal, answers[-1].ordinal)
    return sum(said.get(answer.ordinal, answer.decision.code) != answer.decision.code for answer in answers)


def _run_whole(desk: Desk, connection: Connection) -> None:
    """An all-or-nothing batch: every row in one transaction, which is taken back if one of them is refused."""
    tally = Tally()
    position, finished = desk.chunk.first - 1, False
    with connection.begin() as attempt:
        leases.still_held(connection, desk.chunk)
        while not finished:
            position, finished = _run_slice(desk, connection, tally, position)
        refusal = _reason_to_take_back(connection, desk, tally)
        if refusal is None:
            leases.finish(connection, desk.chunk, tally.as_result())
            return
        told = rows.outcomes_with(connection, desk.batch.id, list(tally.rejections()))
        attempt.rollback()
    with connection.begin():
        leases.still_held(connection, desk.chunk)
        rows.add_outcomes(connection, told)
        stopped = rows.skip_unanswered(
            connection, desk.batch.id, refusal, "", first=desk.chunk.first, last=desk.chunk.last, lane=None
        )
        tally.codes = tally.rejections()
        tally.codes[refusal] = stopped
        leases.finish(connection, desk.chunk, tally.as_result())


def _reason_to_take_back(connection: Connection, desk: Desk, tally: Tally) -> str | None:
    options = desk.batch.options
    if options.get("exact") and tally.differs:
        return "differs_from_preview"
    if options.get("on_error") == "stop" and tally.rejections():
        return "batch_stopped"
    return None


def close(app: App, connection: Connection, chunk: Chunk) -> None:
    """Give every row that a stopped batch left unanswered its one outcome: skipped, and why."""
    with connection.begin():
        leases.still_held(connection, chunk)
        batch = batches.by_id(connection, chunk.batch_id)
        assert batch is not None
        code = (batch.reason or {}).get("code", "batch_cancelled")
        skipped = rows.skip_unanswered(connection, batch.id, code, "", first=chunk.first, last=chunk.last, lane=None)
        leases.finish(connection, chunk, {"rows": skipped, "codes": {code: skipped} if skipped else {}})

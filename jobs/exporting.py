"""The stages that give a batch's results back: pieces of a large table by many workers, then the files for good.

Everything is written under a name that holds the fencing number of the lease, so that a worker that lost its lease can
never write over what the next one stored. What lost ones left behind is deleted by the one that finishes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from config.wiring import App
from exporters.pieces import Line, Piece, PieceFacts, PieceFormat
from exporters.results import format_for
from jobs import broker, lines, notifying, results, workbooks
from jobs.deciding import Answer
from jobs.kind import Issued
from jobs.kinds.registry import KINDS
from licensing.fields import Language
from licensing.outcomes import WRITTEN
from models import audit, batches, chunks, leases, licenses, rows
from models.batches import Batch
from models.chunks import Chunk
from storage.objects import StoreUnavailable


def renders_pieces(batch: Batch) -> bool:
    """Whether the result table is rendered by all workers rather than by the one that finishes."""
    return (batch.row_count or 0) > results.PIECE_ROWS and not workbooks.gives_source_back(batch)


def early_piece(
    app: App,
    connection: Connection,
    chunk: Chunk,
    batch: Batch,
    cells: Sequence[list[Any]],
    answers: Sequence[Answer],
    issued: Issued,
) -> dict[str, Any] | None:
    """Render the rows of a chunk while they are in hand. None where it is not worth it, or the store is away."""
    if not renders_pieces(batch):
        return None
    numbers = [answer.decision.license_number for answer in answers if answer.decision.license_number]
    unseen = [number for number in numbers if number not in issued]
    known = {**issued, **licenses.shown(connection, unseen)} if unseen else issued
    language: Language = batch.options["language"]
    rendered = ((row, lines.outcome_of_decided(a, language, known)) for row, a in zip(cells, answers, strict=True))
    try:
        return _store_piece(app, batch, chunk, rendered)
    except StoreUnavailable:
        return None  # the render stage makes up for it


def _store_piece(app: App, batch: Batch, chunk: Chunk, rendered: Iterable[Line]) -> dict[str, Any]:
    piece = _format(batch).piece(rendered, batch.width)
    name = f"pieces/{batch.id}/{chunk.fence}-{chunk.first}"
    app.store.put(name, [piece.data])
    return asdict(piece.facts) | {"name": name, "first": chunk.first}


def _format(batch: Batch) -> PieceFormat:
    reading = batch.reading or {}
    return format_for(reading["format"], reading.get("separator"))


def missing_ranges(app: App, connection: Connection, batch: Batch) -> list[tuple[int, int]]:
    """The ranges of rows that no piece holds yet and that are to be rendered by all workers."""
    if not renders_pieces(batch):
        return []
    ends = [(0, 0)]
    ends += [(piece["first"], piece["first"] + piece["rows"] - 1) for piece in _pieces(connection, batch)]
    ends.append(((batch.row_count or 0) + 1, 0))
    gaps = [(before[1] + 1, after[0] - 1) for before, after in pairwise(ends) if after[0] - before[1] > 1]
    return [
        (first, min(first + results.PIECE_ROWS - 1, last))
        for start, last in gaps
        for first in range(start, last + 1, results.PIECE_ROWS)
    ]


def _pieces(connection: Connection, batch: Batch) -> list[dict[str, Any]]:
    return sorted(chunks.pieces(connection, batch.id), key=lambda piece: int(piece["first"]))


def render(app: App, connection: Connection, chunk: Chunk) -> None:
    """Render a range of rows from what is stored of them."""
    with connection.begin():
        batch = batches.by_id(connection, chunk.batch_id)
        assert batch is not None
        leases.still_held(connection, chunk)
        piece = _store_piece(app, batch, chunk, lines.stored(connection, batch, chunk.first, chunk.last))
        leases.finish(connection, chunk, {"rows": piece["rows"], "piece": piece})


def finish(app: App, connection: Connection, chunk: Chunk) -> None:
    """Put the result files together, store them, and bring the batch to its end."""
    with tempfile.TemporaryDirectory(prefix="keymill-", ignore_cleanup_errors=True) as folder, connection.begin():
        leases.still_held(connection, chunk)
        batch = batches.by_id(connection, chunk.batch_id)
        assert batch is not None
        place = results.Place(app, connection, batch, Path(folder), f"results/{batch.id}/{chunk.fence}")
        counts = rows.outcome_counts(connection, batch.id)
        files = results.store_all(place, counts, lambda: table_pieces(app, connection, batch))
        ended_some = KINDS[batch.kind].ends_licenses and WRITTEN & counts.keys()
        if ended_some:
            chunks.plan(connection, batch.id, "publish", [(None, 1, 1)])
        state: batches.State = "done" if batch.cancelled_at is None else "cancelled"
        batches.end(connection, batch.id, state, results={"files": files})
        leases.finish(connection, chunk, {})
        audit.record(connection, "keymill", f"batch.{state}", f"batch {batch.id}")
        notifying.batch_ended(app, connection, batch.id)
    if ended_some:
        broker.wake(app.settings.redis_url, batch.id, 1)
    _forget(app, batch, place.name)


def table_pieces(app: App, connection: Connection, batch: Batch) -> Iterator[tuple[PieceFacts, Iterable[bytes]]]:
    """The result table's pieces in order: those that are stored, or all in one, rendered now."""
    if not renders_pieces(batch):
        piece: Piece = _format(batch).piece(lines.stored(connection, batch, 1, batch.row_count or 0), batch.width)
        yield piece.facts, [piece.data]
        return
    next_row = 1
    for stored in _pieces(connection, batch):
        if stored["first"] != next_row:
            raise RuntimeError(f"the piece that starts with row {next_row} is missing")
        next_row += stored["rows"]
        facts = PieceFacts(stored["crc32"], stored["plain_size"], stored["size"], stored["rows"])
        yield facts, app.store.get(stored["name"])
    if next_row != (batch.row_count or 0) + 1:
        raise RuntimeError(f"the rows from {next_row} on are missing in the result")


def _forget(app: App, batch: Batch, place: str) -> None:
    """Delete the pieces, and what workers that lost their lease left."""
    with suppress(StoreUnavailable):  # what stays only takes room
        leftovers = [name for name in app.store.list(f"results/{batch.id}/") if not name.startswith(place + "/")]
        app.store.delete([*leftovers, *app.store.list(f"pieces/{batch.id}/")])

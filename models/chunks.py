"""Chunks: slices of a batch that one worker works off in one transaction, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy import (
    Sequence as DatabaseSequence,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, run

Stage = Literal["read", "preview", "run", "contested", "closing", "render", "finish", "publish"]

fence = DatabaseSequence("chunk_fence", metadata=metadata)

chunks = Table(
    "chunks",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("lane", SmallInteger),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("available_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("fence", BigInteger),
    Column("lease_until", DateTime(timezone=True)),
    Column("worker", Text),
    Column("session", Text),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("result", JSONB),
    Column("reason", Text),
    UniqueConstraint("batch_id", "stage", "number"),
    CheckConstraint("state IN ('waiting', 'leased', 'done', 'parked', 'dropped')", name="state"),
    CheckConstraint(
        "stage IN ('read', 'preview', 'run', 'contested', 'closing', 'render', 'finish', 'publish')", name="stage"
    ),
)
Index("ix_chunks_open", chunks.c.batch_id, postgresql_where=text("state IN ('waiting', 'leased')"))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A leased chunk. ``lane`` None means rows of every lane; ``position`` is how far earlier slices came."""

    id: int
    batch_id: int
    stage: Stage
    number: int
    lane: int | None
    first: int
    last: int
    position: int
    attempts: int
    fence: int
    result: dict[str, Any] | None


def plan(connection: Connection, batch_id: int, stage: Stage, slices: Iterable[tuple[int | None, int, int]]) -> int:
    """Create the chunks of a stage, once: (lane, first ordinal, last ordinal) each. Says how many there are."""
    records = [
        {"batch": batch_id, "stage": stage, "number": number, "lane": lane, "first": first, "last": last}
        for number, (lane, first, last) in enumerate(slices, 1)
    ]
    if records:
        connection.execute(
            text(
                "INSERT INTO chunks (batch_id, stage, number, lane, first, last)"
                " VALUES (:batch, :stage, :number, :lane, :first, :last) ON CONFLICT DO NOTHING"
            ),
            records,
        )
    return len(records)


def park(connection: Connection, chunk_id: int, result: dict[str, Any]) -> None:
    """Set a chunk aside for good."""
    run(
        connection,
        "UPDATE chunks SET state = 'parked', finished_at = clock_timestamp(), result = %(result)s::jsonb"
        " WHERE id = %(id)s",
        {"id": chunk_id, "result": json.dumps(result)},
    )


def drop_waiting(connection: Connection, batch_id: int) -> None:
    """Take back the chunks of a batch that nobody has begun.

    One that a worker is claiming now is at work: waiting for it would be a deadlock, as the claim waits for the batch.
    """
    run(
        connection,
        "UPDATE chunks SET state = 'dropped' WHERE id IN (SELECT id FROM chunks WHERE batch_id = %(batch)s"
        " AND state = 'waiting' AND stage IN ('read', 'preview', 'run', 'contested') FOR UPDATE SKIP LOCKED)",
        {"batch": batch_id},
    )


def open_count(connection: Connection, batch_id: int) -> int:
    """How many chunks of a batch still wait or are being worked on."""
    return int(
        fetch(
            connection,
            "SELECT count(*) FROM chunks WHERE batch_id = %(batch)s AND state IN ('waiting', 'leased')",
            {"batch": batch_id},
        )[0][0]
    )


def waiting(connection: Connection, attempts: int) -> int:
    """How many chunks could be claimed now."""
    return int(
        fetch(
            connection,
            "SELECT count(*) FROM chunks c JOIN batches b ON b.id = c.batch_id WHERE c.state = 'waiting'"
            " AND c.available_at <= clock_timestamp() AND c.attempts < %(attempts)s"
            " AND b.kind NOT IN (SELECT kind FROM paused_kinds)",
            {"attempts": attempts},
        )[0][0]
    )


def newest_waiting(connection: Connection, stage: Stage) -> int:
    """The id of the newest chunk of a stage that nobody has begun, of any batch; 0 if there is none."""
    query = "SELECT coalesce(max(id), 0) FROM chunks WHERE stage = %(stage)s AND state = 'waiting'"
    return int(fetch(connection, query, {"stage": stage})[0][0])


def stages(connection: Connection, batch_id: int) -> set[Stage]:
    """The stages that a batch has chunks of."""
    return {
        row[0] for row in fetch(connection, "SELECT DISTINCT stage FROM chunks WHERE batch_id = %(b)s", {"b": batch_id})
    }


def of_stage(connection: Connection, batch_id: int, stage: Stage) -> Sequence[tuple[int, int, int, str, Any]]:
    """(number, first, last, state, result) of the chunks of a stage, in order."""
    return [
        (row[0], row[1], row[2], row[3], row[4])
        for row in fetch(
            connection,
            "SELECT number, first, last, state, result FROM chunks WHERE batch_id = %(batch)s AND stage = %(stage)s"
            " ORDER BY number",
            {"batch": batch_id, "stage": stage},
        )
    ]


def parked(connection: Connection, batch_id: int) -> list[tuple[Stage, int, int, int, str]]:
    """(stage, number, first, last, reason) of the chunks of a batch that were set aside."""
    return [
        (row[0], row[1], row[2], row[3], row[4])
        for row in fetch(
            connection,
            "SELECT stage, number, first, last, coalesce(reason, '') FROM chunks WHERE batch_id = %(batch)s"
            " AND state = 'parked' ORDER BY stage, number",
            {"batch": batch_id},
        )
    ]


def progress(connection: Connection, batch_id: int, stages: Sequence[Stage]) -> int:
    """How many rows of a batch are through these stages, sliced chunks counted as far as they came."""
    return int(
        fetch(
            connection,
            "SELECT coalesce(sum((result ->> 'rows')::bigint), 0) FROM chunks WHERE batch_id = %(batch)s"
            " AND stage = ANY(%(stages)s) AND result ? 'rows'",
            {"batch": batch_id, "stages": list(stages)},
        )[0][0]
    )


def codes_of(connection: Connection, batch_id: int, stages: Sequence[Stage]) -> dict[str, int]:
    """How many rows got each code in these stages of a batch."""
    rows = fetch(
        connection,
        "SELECT key, sum(value::int) FROM chunks, jsonb_each_text(result -> 'codes')"
        " WHERE batch_id = %(batch)s AND stage = ANY(%(stages)s)"
        " AND state IN ('done', 'parked') GROUP BY key ORDER BY key",
        {"batch": batch_id, "stages": list(stages)},
    )
    return {row[0]: row[1] for row in rows}


def total(connection: Connection, batch_id: int, name: str) -> int:
    """The sum of a number that the chunks of a batch left in their results."""
    found = fetch(
        connection,
        "SELECT coalesce(sum((result ->> %(name)s)::bigint), 0) FROM chunks WHERE batch_id = %(batch)s"
        " AND stage <> 'preview' AND result ? %(name)s",
        {"batch": batch_id, "name": name},
    )
    return int(found[0][0])


def pieces(connection: Connection, batch_id: int) -> list[dict[str, Any]]:
    """The pieces of a batch's result table that chunks left in the object store."""
    return [
        row[0]
        for row in fetch(
            connection,
            "SELECT result -> 'piece' FROM chunks WHERE batch_id = %(batch)s AND state = 'done' AND result ? 'piece'",
            {"batch": batch_id},
        )
    ]


def warnings_of(connection: Connection, batch_id: int, stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """The warnings that the chunks of these stages left, in order."""
    return [
        row[0]
        for row in fetch(
            connection,
            "SELECT result -> 'warnings' FROM chunks WHERE batch_id = %(batch)s AND stage = ANY(%(stages)s)"
            " AND result ? 'warnings' ORDER BY stage, number",
            {"batch": batch_id, "stages": list(stages)},
        )
    ]


def stage_seconds(connection: Connection, batch_id: int) -> dict[str, float]:
    """How long each stage of a batch took from its first start to its last end, in seconds."""
    return {
        row[0]: round(float(row[1]), 3)
        for row in fetch(
            connection,
            "SELECT stage, extract(epoch FROM max(finished_at) - min(started_at)) FROM chunks"
            " WHERE batch_id = %(batch)s AND finished_at IS NOT NULL GROUP BY stage",
            {"batch": batch_id},
        )
    }


def named_unknown_codes(connection: Connection, chunk_id: int) -> bool:
    """Whether rows of a chunk named codes that nobody knows."""
    query = "SELECT FROM chunks WHERE id = %(id)s AND (result ->> 'unknown')::int > 0"
    return bool(run(connection, query, {"id": chunk_id}))


def unknown_codes_today(connection: Connection, account_id: int) -> int:
    """How many codes that nobody knows the rows of an account named in the last 24 hours."""
    return int(
        fetch(
            connection,
            "SELECT coalesce(sum((c.result ->> 'unknown')::int), 0) FROM batches b JOIN chunks c ON c.batch_id = b.id"
            " WHERE b.account_id = %(account)s AND b.created_at > now() - interval '7 days'"
            " AND c.finished_at > now() - interval '24 hours' AND c.result ? 'unknown'",
            {"account": account_id},
        )[0][0]
    )

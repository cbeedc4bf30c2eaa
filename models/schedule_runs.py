"""Runs of schedules: one row a due time, leased by the scheduler that works on it.

Leases are like those of chunks (``models/leases.py``): the fencing number changes with every claim, and only its holder
may write down what came of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

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
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, run

State = Literal["due", "running", "done", "failed", "skipped"]
FINAL: tuple[State, ...] = ("done", "failed", "skipped")

schedule_runs = Table(
    "schedule_runs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("schedule_id", ForeignKey("schedules.id", ondelete="CASCADE"), nullable=False),
    Column("job", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    # Who asked for a run out of turn.
    Column("asked_by", Text),
    Column("state", Text, nullable=False, server_default="due"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("available_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("lease_until", DateTime(timezone=True)),
    Column("scheduler", Text),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'")),
    Column("reason", JSONB),
    Column("batch_id", BigInteger),
    UniqueConstraint("schedule_id", "due_at"),
    CheckConstraint("state IN ('due', 'running', 'done', 'failed', 'skipped')", name="state"),
)
Index("ix_schedule_runs_open", schedule_runs.c.schedule_id, postgresql_where=text("state IN ('due', 'running')"))
# No two runs of a job at the same time, whoever starts them.
Index("uq_schedule_runs_running", schedule_runs.c.job, unique=True, postgresql_where=text("state = 'running'"))


class RunLost(Exception):
    """The run belongs to another scheduler by now; nothing of this attempt may be committed any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """A leased run. ``counts``: what earlier attempts did already."""

    id: int
    schedule: str
    job: str
    arguments: dict[str, str]
    due_at: datetime
    attempts: int
    fence: int
    counts: dict[str, int]


# The oldest run that may start: none of its job is under way, and none of its schedule waits before it.
_NEXT = """
SELECT r.id FROM schedule_runs r
WHERE r.state = 'due' AND r.available_at <= clock_timestamp() AND (%(only)s::bigint IS NULL OR r.id = %(only)s)
  AND NOT EXISTS (SELECT FROM schedule_runs o WHERE o.state = 'running' AND o.job = r.job)
  AND NOT EXISTS (SELECT FROM schedule_runs o
                  WHERE o.state = 'due' AND o.schedule_id = r.schedule_id AND o.due_at < r.due_at)
ORDER BY r.due_at, r.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""


def claim(connection: Connection, scheduler: str, lease_seconds: float, only: int | None = None) -> Run | None:
    """Lease the oldest run that may start, or a certain one. The attempt is counted before any work begins."""
    run(connection, "SELECT pg_advisory_xact_lock(hashtext('schedule_runs'))", {})
    found = fetch(
        connection,
        f"WITH next AS MATERIALIZED ({_NEXT})"
        " UPDATE schedule_runs r SET state = 'running', attempts = attempts + 1, fence = fence + 1,"
        " lease_until = clock_timestamp() + make_interval(secs => %(lease)s), scheduler = %(scheduler)s,"
        " started_at = coalesce(started_at, clock_timestamp())"
        " FROM next, schedules s WHERE r.id = next.id AND s.id = r.schedule_id"
        " RETURNING r.id, s.name, r.job, s.arguments, r.due_at, r.attempts, r.fence, r.counts",
        {"only": only, "lease": lease_seconds, "scheduler": scheduler},
    )
    return Run(*found[0]) if found else None


def renew(connection: Connection, held: Run, lease_seconds: float) -> None:
    """Extend a lease. Does nothing while another transaction holds the row, and nothing for a run that is lost."""
    run(
        connection,
        "UPDATE schedule_runs SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s) WHERE id ="
        " (SELECT id FROM schedule_runs WHERE id = %(id)s AND state = 'running' AND fence = %(fence)s"
        "  FOR NO KEY UPDATE SKIP LOCKED)",
        {"id": held.id, "fence": held.fence, "lease": lease_seconds},
    )


def _settle(connection: Connection, held: Run, setting: str, **values: Any) -> None:
    """Change a run that is held. Raises :class:`RunLost`."""
    changed = run(
        connection,
        f"UPDATE schedule_runs SET {setting} WHERE id = %(id)s AND state = 'running' AND fence = %(fence)s",
        values | {"id": held.id, "fence": held.fence},
    )
    if changed != 1:
        raise RunLost(f"run {held.id}, fence {held.fence}")


def begin_step(connection: Connection, held: Run, lease_seconds: float) -> None:
    """Open a transaction of a run: it may stand still for as long as a lease lasts. Raises :class:`RunLost`."""
    run(
        connection,
        "SELECT set_config('idle_in_transaction_session_timeout', %(ms)s, true)",
        {"ms": f"{int(lease_seconds * 1000)}"},
    )
    query = "SELECT FROM schedule_runs WHERE id = %(id)s AND state = 'running' AND fence = %(fence)s"
    if run(connection, query, {"id": held.id, "fence": held.fence}) != 1:
        raise RunLost(f"run {held.id}, fence {held.fence}")


def count(connection: Connection, held: Run, counts: Mapping[str, int]) -> None:
    """Write down what a run has done so far, in the transaction that did it. Raises :class:`RunLost`."""
    _settle(connection, held, "counts = %(counts)s::jsonb", counts=json.dumps(dict(counts)))


def finish(connection: Connection, held: Run, counts: Mapping[str, int], batch_id: int | None) -> None:
    """Say that a run is done. Raises :class:`RunLost`."""
    _settle(
        connection,
        held,
        "state = 'done', ended_at = clock_timestamp(), lease_until = NULL, reason = NULL,"
        " counts = %(counts)s::jsonb, batch_id = %(batch)s",
        counts=json.dumps(dict(counts)),
        batch=batch_id,
    )


def fail(connection: Connection, held: Run, reason: Mapping[str, str]) -> None:
    """Say that a run had all its attempts in vain. Raises :class:`RunLost`."""
    setting = "state = 'failed', ended_at = clock_timestamp(), lease_until = NULL, reason = %(reason)s::jsonb"
    _settle(connection, held, setting, reason=json.dumps(dict(reason)))


def give_back(
    connection: Connection, held: Run, reason: Mapping[str, str], *, after_seconds: float, counted: bool
) -> None:
    """Let a run be tried again after a while. Raises :class:`RunLost`."""
    _settle(
        connection,
        held,
        "state = 'due', lease_until = NULL, reason = %(reason)s::jsonb,"
        " available_at = clock_timestamp() + make_interval(secs => %(after)s),"
        " attempts = attempts - CASE WHEN %(counted)s THEN 0 ELSE 1 END",
        reason=json.dumps(dict(reason)),
        after=after_seconds,
        counted=counted,
    )


class Released(NamedTuple):
    """A run whose scheduler gave no sign of life: it waits again, or has failed for good."""

    id: int
    schedule: str
    job: str
    due_at: datetime
    scheduler: str
    state: State


def release_expired(connection: Connection, attempts: int) -> list[Released]:
    """Give back the runs whose lease ran out; those that had all their attempts fail."""
    found = fetch(
        connection,
        "UPDATE schedule_runs r SET lease_until = NULL, available_at = clock_timestamp(),"
        " state = CASE WHEN attempts >= %(attempts)s THEN 'failed' ELSE 'due' END,"
        " ended_at = CASE WHEN attempts >= %(attempts)s THEN clock_timestamp() END,"
        " reason = jsonb_build_object('code', 'went_away',"
        "  'en', 'the scheduler ' || scheduler || ' went away in the middle of it',"
        "  'it', 'lo scheduler ' || scheduler || ' è venuto a mancare nel mezzo')"
        " FROM schedules s WHERE s.id = r.schedule_id AND r.id IN (SELECT id FROM schedule_runs"
        "  WHERE state = 'running' AND lease_until < clock_timestamp() FOR NO KEY UPDATE SKIP LOCKED)"
        " RETURNING r.id, s.name, r.job, r.due_at, r.scheduler, r.state",
        {"attempts": attempts},
    )
    return [Released(*row) for row in found]


class Told(NamedTuple):
    """A run as people look at it, with the state of its batch."""

    id: int
    schedule: str
    job: str
    due_at: datetime
    time_zone: str
    asked_by: str | None
    state: State
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    counts: dict[str, int]
    reason: dict[str, str] | None
    batch_id: int | None
    batch_state: str | None


def history(
    connection: Connection, *, schedule_id: int | None = None, run_id: int | None = None, limit: int = 1
) -> Iterator[Told]:
    """Runs with what came of them, newest first: of one schedule or of all, or a certain one."""
    rows = fetch(
        connection,
        "SELECT r.id, s.name, r.job, r.due_at, s.time_zone, r.asked_by, r.state, r.attempts, r.started_at,"
        " r.ended_at, r.counts, r.reason, r.batch_id, b.state FROM schedule_runs r"
        " JOIN schedules s ON s.id = r.schedule_id"
        " LEFT JOIN batches b ON b.id = r.batch_id"
        " WHERE (%(schedule)s::bigint IS NULL OR r.schedule_id = %(schedule)s)"
        " AND (%(run)s::bigint IS NULL OR r.id = %(run)s) ORDER BY r.due_at DESC, r.id DESC LIMIT %(limit)s",
        {"schedule": schedule_id, "run": run_id, "limit": limit},
    )
    return (Told(*row) for row in rows)


def forget(connection: Connection, before: datetime, most: int) -> int:
    """Delete the oldest runs that ended before a time, at most so many; says how many."""
    return run(
        connection,
        "DELETE FROM schedule_runs WHERE id IN (SELECT id FROM schedule_runs"
        " WHERE state IN ('done', 'failed', 'skipped') AND ended_at < %(before)s ORDER BY id LIMIT %(most)s)",
        {"before": before, "most": most},
    )

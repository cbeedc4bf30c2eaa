"""Schedules, and their runs: one row a due time, leased by the scheduler that works on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
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

Missed = Literal["catch_up", "skip"]
State = Literal["due", "running", "done", "failed", "skipped"]
FINAL: tuple[State, ...] = ("done", "failed", "skipped")

schedules = Table(
    "schedules",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("job", Text, nullable=False),
    Column("arguments", JSONB, nullable=False),
    Column("expression", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("missed", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    # The first due time that has no run yet; NULL when there is none to come.
    Column("next_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("missed IN ('catch_up', 'skip')", name="missed"),
    CheckConstraint("state IN ('active', 'paused')", name="state"),
)
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
class Schedule:
    """When which job runs. ``expression`` is a cron expression, read in ``time_zone``."""

    id: int
    name: str
    job: str
    arguments: dict[str, str]
    expression: str
    time_zone: str
    missed: Missed
    state: str
    next_at: datetime | None


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


_COLUMNS = ", ".join(field.name for field in fields(Schedule))


def add(connection: Connection, record: Mapping[str, Any]) -> bool:
    """Record a schedule; false if its name is taken."""
    names = ("name", "job", "arguments", "expression", "time_zone", "missed", "next_at")
    added = run(
        connection,
        f"INSERT INTO schedules ({', '.join(names)}) VALUES ({', '.join(f'%({name})s' for name in names)})"
        " ON CONFLICT (name) DO NOTHING",
        {**record, "arguments": json.dumps(record["arguments"])},
    )
    return added == 1


def every(connection: Connection) -> list[Schedule]:
    """All schedules by name."""
    return [Schedule(*row) for row in fetch(connection, f"SELECT {_COLUMNS} FROM schedules ORDER BY name", {})]


def by_name(connection: Connection, name: str, *, lock: bool = False) -> Schedule | None:
    """The schedule with a name; locked for a change when ``lock``."""
    query = f"SELECT {_COLUMNS} FROM schedules WHERE name = %(name)s" + (" FOR NO KEY UPDATE" if lock else "")
    found = fetch(connection, query, {"name": name})
    return Schedule(*found[0]) if found else None


def set_state(connection: Connection, schedule_id: int, state: str, next_at: datetime | None) -> None:
    """Pause a schedule, or let it go on from a due time."""
    run(
        connection,
        "UPDATE schedules SET state = %(state)s, next_at = %(next)s WHERE id = %(id)s",
        {"id": schedule_id, "state": state, "next": next_at},
    )


def remove(connection: Connection, schedule_id: int) -> None:
    """Delete a schedule and its runs."""
    run(connection, "DELETE FROM schedules WHERE id = %(id)s", {"id": schedule_id})


def clock(connection: Connection) -> datetime:
    """What time it is for every scheduler alike: the database's."""
    now: datetime = fetch(connection, "SELECT clock_timestamp()", {})[0][0]
    return now


def at_hand(connection: Connection) -> list[Schedule]:
    """Active schedules that are due and that nobody else plans at this moment, locked, the longest due first."""
    rows = fetch(
        connection,
        f"SELECT {_COLUMNS} FROM schedules WHERE state = 'active' AND next_at <= clock_timestamp()"
        " ORDER BY next_at FOR NO KEY UPDATE SKIP LOCKED",
        {},
    )
    return [Schedule(*row) for row in rows]


def seconds_to_next(connection: Connection) -> float | None:
    """The seconds until something is due or may be tried again (negative: it is overdue); None: nothing is planned."""
    found = fetch(
        connection,
        "SELECT extract(epoch FROM min(at) - clock_timestamp())::float FROM ("
        " SELECT next_at AS at FROM schedules WHERE state = 'active'"
        " UNION ALL SELECT available_at FROM schedule_runs WHERE state = 'due') coming",
        {},
    )
    seconds: float | None = found[0][0]
    return seconds


def unfinished(connection: Connection, schedule_id: int) -> int:
    """How many runs of a schedule wait or are under way."""
    query = "SELECT count(*) FROM schedule_runs WHERE schedule_id = %(id)s AND state IN ('due', 'running')"
    return int(fetch(connection, query, {"id": schedule_id})[0][0])


class Planned(NamedTuple):
    """A due time and, where it is not to run, why: code and sentences in two languages."""

    due_at: datetime
    skipped: Mapping[str, str] | None = None


def plan(connection: Connection, schedule: Schedule, times: Sequence[Planned], next_at: datetime | None) -> None:
    """Record due times, each once whoever plans them, and the first one that is to come."""
    run(
        connection,
        "INSERT INTO schedule_runs (schedule_id, job, due_at, state, reason, ended_at)"
        " SELECT %(schedule)s, %(job)s, due_at, CASE WHEN reason IS NULL THEN 'due' ELSE 'skipped' END, reason,"
        " CASE WHEN reason IS NOT NULL THEN clock_timestamp() END"
        " FROM unnest(%(times)s::timestamptz[], %(reasons)s::jsonb[]) AS w (due_at, reason)"
        " ON CONFLICT (schedule_id, due_at) DO NOTHING",
        {
            "schedule": schedule.id,
            "job": schedule.job,
            "times": [one.due_at.isoformat() for one in times],
            "reasons": [None if one.skipped is None else json.dumps(dict(one.skipped)) for one in times],
        },
    )
    set_state(connection, schedule.id, schedule.state, next_at)


def ask(connection: Connection, schedule: Schedule, asked_by: str) -> int:
    """Record a run out of turn, due now; its id."""
    query = (
        "INSERT INTO schedule_runs (schedule_id, job, due_at, asked_by)"
        " VALUES (%(schedule)s, %(job)s, clock_timestamp(), %(by)s) RETURNING id"
    )
    return int(fetch(connection, query, {"schedule": schedule.id, "job": schedule.job, "by": asked_by})[0][0])


def skip_waiting(connection: Connection, schedule_id: int, reason: Mapping[str, str]) -> int:
    """Skip the runs of a schedule that nobody works on; says how many."""
    return run(
        connection,
        "UPDATE schedule_runs SET state = 'skipped', ended_at = clock_timestamp(), reason = %(reason)s::jsonb"
        " WHERE schedule_id = %(id)s AND state = 'due'",
        {"id": schedule_id, "reason": json.dumps(dict(reason))},
    )


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


def renew(connection: Connection, held: Sequence[Run], lease_seconds: float) -> None:
    """Extend the leases of runs that are worked on here; nothing happens to those that are lost or just being written.

    Fencing numbers are compared, so a run that another scheduler took over stays its own.
    """
    run(
        connection,
        "UPDATE schedule_runs SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s) WHERE id IN"
        " (SELECT r.id FROM schedule_runs r JOIN unnest(%(ids)s::bigint[], %(fences)s::bigint[]) AS w (id, fence)"
        "  ON w.id = r.id AND w.fence = r.fence WHERE r.state = 'running' FOR NO KEY UPDATE OF r SKIP LOCKED)",
        {"ids": [one.id for one in held], "fences": [one.fence for one in held], "lease": lease_seconds},
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
    _settle(
        connection,
        held,
        "state = 'failed', ended_at = clock_timestamp(), lease_until = NULL, reason = %(reason)s::jsonb",
        reason=json.dumps(dict(reason)),
    )


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
        "SELECT r.id, s.name, r.job, r.due_at, r.asked_by, r.state, r.attempts, r.started_at, r.ended_at, r.counts,"
        " r.reason, r.batch_id, b.state FROM schedule_runs r JOIN schedules s ON s.id = r.schedule_id"
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

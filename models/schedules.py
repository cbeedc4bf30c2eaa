"""Schedules: when which job is due, and which due times are written down already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Identity,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, run

Missed = Literal["catch_up", "skip"]

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


_COLUMNS = ", ".join(field.name for field in fields(Schedule))


def add(connection: Connection, new: Schedule, next_at: datetime) -> bool:
    """Record a schedule that is due first at a time; false if its name is taken."""
    added = run(
        connection,
        "INSERT INTO schedules (name, job, arguments, expression, time_zone, missed, next_at) VALUES (%(name)s,"
        " %(job)s, %(arguments)s, %(expression)s, %(time_zone)s, %(missed)s, %(next)s) ON CONFLICT (name) DO NOTHING",
        asdict(new) | {"arguments": json.dumps(new.arguments), "next": next_at},
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


def change(connection: Connection, new: Schedule) -> None:
    """Let a schedule be due at other times, from one of them on, and tell its job other things."""
    run(
        connection,
        "UPDATE schedules SET arguments = %(arguments)s, expression = %(expression)s, time_zone = %(time_zone)s,"
        " missed = %(missed)s, next_at = %(next_at)s WHERE id = %(id)s",
        asdict(new) | {"arguments": json.dumps(new.arguments)},
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
    """The seconds until a schedule is due (0: it is) or a run may be tried again; None: nothing is to come."""
    found = fetch(
        connection,
        "SELECT greatest(0, extract(epoch FROM min(at) - clock_timestamp()))::float FROM ("
        " SELECT next_at AS at FROM schedules WHERE state = 'active'"
        " UNION ALL SELECT available_at FROM schedule_runs WHERE state = 'due' AND available_at > clock_timestamp()"
        ") coming WHERE at IS NOT NULL HAVING count(*) > 0",
        {},
    )
    return found[0][0] if found else None


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

"""Schedules as operations see them: added, listed, paused, run out of turn, removed, and what their runs did."""

from __future__ import annotations

import os
import re
import secrets
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from config.wiring import App
from jobs.job import Job
from jobs.refusals import Refused
from jobs.scheduled.registry import JOBS
from jobs.time_zones import is_time_zone
from licensing.fields import Language
from models import audit, schedule_runs, schedules
from models.database import transaction
from models.schedule_runs import Told
from models.schedules import Missed, Schedule
from scheduler.due_times import CronExpression
from scheduler.planning import PAUSED, times_of
from scheduler.running import LOOK_SECONDS, claim, work_off

SHOWN_TIMES = 3
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def add(
    app: App,
    name: str,
    *,
    job: str,
    expression: str,
    time_zone: str,
    missed: Missed | None,
    given: Mapping[str, str],
    actor: str,
) -> None:
    """Add a schedule; its first due time is the next one from now. Raises :class:`Refused`."""
    if not NAME.fullmatch(name):
        raise Refused(
            "bad_name",
            f"{name!r} cannot be the name of a schedule. Use up to 60 letters, digits, dots, hyphens and underscores.",
            f"{name!r} non può essere il nome di una pianificazione. Usare fino a 60 lettere, cifre, punti, trattini e "
            "trattini bassi.",
        )
    found = _job(job)
    arguments = _arguments(found, given)
    cron = CronExpression(expression)
    _check_zone(time_zone)
    with transaction(app.engine) as connection:
        new = Schedule(0, name, job, arguments, cron.expression, time_zone, missed or found.missed, "active", None)
        next_at = next(times_of(new, schedules.clock(connection)), None)
        if next_at is None:
            raise _never_due(cron)
        if not schedules.add(connection, new, next_at):
            raise Refused(
                "name_taken",
                f"There is a schedule {name} already. Remove it first (keymill schedules remove {name}), or choose "
                "another name.",
                f"Esiste già una pianificazione {name}. Rimuoverla prima (keymill schedules remove {name}), o "
                "scegliere un altro nome.",
            )
        audit.record(
            connection, actor, "schedule.added", f"schedule {name}", job=job, expression=cron.expression,
            time_zone=time_zone, arguments=arguments,
        )  # fmt: skip


def change(
    app: App,
    name: str,
    *,
    expression: str,
    time_zone: str,
    missed: Missed,
    given: Mapping[str, str],
    actor: str,
) -> None:
    """Let a schedule be due at other times from now on, and its job know other things; runs that wait stay.

    Raises :class:`Refused`.
    """
    cron = CronExpression(expression)
    _check_zone(time_zone)
    with transaction(app.engine) as connection:
        found = _find(connection, name, lock=True)
        arguments = _arguments(_job(found.job), given)
        new = replace(
            found, arguments=arguments, expression=cron.expression, time_zone=time_zone, missed=missed
        )  # fmt: skip
        next_at = next(times_of(new, schedules.clock(connection)), None)
        if next_at is None:
            raise _never_due(cron)
        schedules.change(connection, replace(new, next_at=next_at if found.state == "active" else None))
        audit.record(
            connection, actor, "schedule.changed", f"schedule {name}", expression=cron.expression,
            time_zone=time_zone, missed=missed, arguments=arguments,
        )  # fmt: skip


def _never_due(cron: CronExpression) -> Refused:
    return Refused(
        "never_due",
        f"{cron.expression} is not due within fifty years: no day is like that.",
        f"{cron.expression} non ricorre entro cinquant'anni: nessun giorno è così.",
    )


def _job(name: str) -> Job:
    if name not in JOBS:
        known = ", ".join(sorted(JOBS))
        raise Refused(
            "unknown_job",
            f"There is no job {name}. The jobs are: {known}.",
            f"Non esiste il lavoro {name}. I lavori sono: {known}.",
        )
    return JOBS[name]


def _arguments(job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """The arguments that were given, each known and of the right form."""
    known = {one.name: one for one in job.arguments}
    names = ", ".join(known) or "-"
    if unknown := sorted(set(given) - set(known)):
        raise Refused(
            "unknown_argument",
            f"{job.name} has no argument {unknown[0]}. Its arguments are: {names}.",
            f"{job.name} non ha l'argomento {unknown[0]}. I suoi argomenti sono: {names}.",
        )
    for one in job.arguments:
        value = given.get(one.name)
        if value is None and one.is_needed:
            raise Refused(
                "missing_argument",
                f"{job.name} needs to know {one.name}: --set {one.name}=...",
                f"{job.name} deve conoscere {one.name}: --set {one.name}=...",
            )
        if value is not None and one.least is not None and not (value.isdecimal() and int(value) >= one.least):
            raise Refused(
                "bad_argument",
                f"{one.name} is a whole number, {one.least} or more; {value!r} is not.",
                f"{one.name} è un numero intero, almeno {one.least}; {value!r} non lo è.",
            )
    return dict(given)


def _check_zone(name: str) -> None:
    if not is_time_zone(name):
        raise Refused(
            "unknown_time_zone",
            f"There is no time zone {name!r}. Write it like Europe/Rome or UTC.",
            f"Non esiste il fuso orario {name!r}. Scriverlo come Europe/Rome o UTC.",
        )


def every(app: App, language: Language) -> list[dict[str, Any]]:
    """All schedules with their next due times."""
    with app.engine.connect() as connection:
        return [_shown(connection, one, language) for one in schedules.every(connection)]


def shown(app: App, name: str, language: Language) -> dict[str, Any]:
    """A schedule with its next due times. Raises :class:`Refused` for an unknown one."""
    with app.engine.connect() as connection:
        return _shown(connection, _find(connection, name), language)


def _shown(connection: Connection, schedule: Schedule, language: Language) -> dict[str, Any]:
    """A schedule as JSON-able values, its next due times in its own zone."""
    coming = times_of(schedule, schedules.clock(connection)) if schedule.state == "active" else iter(())
    zone = ZoneInfo(schedule.time_zone)
    return {
        "schedule": schedule.name,
        "job": schedule.job,
        "arguments": schedule.arguments,
        "expression": schedule.expression,
        "explained": CronExpression(schedule.expression).explained(language),
        "time_zone": schedule.time_zone,
        "missed": schedule.missed,
        "state": schedule.state,
        "next": [at.astimezone(zone).isoformat() for at in islice(coming, SHOWN_TIMES)],
    }


def _find(connection: Connection, name: str, *, lock: bool = False) -> Schedule:
    found = schedules.by_name(connection, name, lock=lock)
    if found is None:
        raise Refused(
            "unknown_schedule",
            f"There is no schedule {name}. See: keymill schedules list",
            f"Non esiste la pianificazione {name}. Vedere: keymill schedules list",
        )
    return found


def pause(app: App, name: str, *, actor: str) -> int:
    """Let a schedule be due no more; what waits of it is skipped (says how many), what is under way ends.

    Pausing twice is the same as once. Raises :class:`Refused`.
    """
    with transaction(app.engine) as connection:
        found = _find(connection, name, lock=True)
        if found.state == "paused":
            return 0
        schedules.set_state(connection, found.id, "paused", None)
        skipped = schedules.skip_waiting(connection, found.id, PAUSED)
        audit.record(connection, actor, "schedule.paused", f"schedule {name}", skipped=skipped)
        return skipped


def resume(app: App, name: str, *, actor: str) -> None:
    """Let a paused schedule be due again, from its next time from now on. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        found = _find(connection, name, lock=True)
        if found.state == "paused":
            next_at = next(times_of(found, schedules.clock(connection)), None)
            schedules.set_state(connection, found.id, "active", next_at)
            audit.record(connection, actor, "schedule.resumed", f"schedule {name}")


def remove(app: App, name: str, *, actor: str) -> None:
    """Delete a schedule with its history; batches stay. Refused while a run of it is under way."""
    with transaction(app.engine) as connection:
        found = _find(connection, name, lock=True)
        schedules.skip_waiting(connection, found.id, PAUSED)
        if schedules.unfinished(connection, found.id):
            raise Refused(
                "run_under_way",
                f"A run of {name} is under way. Wait for its end: keymill schedules history {name}",
                f"È in corso un'esecuzione di {name}. Attenderne la fine: keymill schedules history {name}",
            )
        schedules.remove(connection, found.id)
        audit.record(
            connection, actor, "schedule.removed", f"schedule {name}", job=found.job, expression=found.expression,
            time_zone=found.time_zone, arguments=found.arguments,
        )  # fmt: skip


def ask(app: App, name: str, *, actor: str) -> None:
    """Let a scheduler run a schedule out of turn, paused or not, without waiting for it. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        schedules.ask(connection, _find(connection, name), actor)
        audit.record(connection, actor, "schedule.asked", f"schedule {name}")


def run_now(app: App, name: str, *, actor: str, language: Language, ended: threading.Event) -> dict[str, Any]:
    """Run a schedule out of turn, paused or not, and wait for what becomes of it; other runs of its job go first.

    This process works it off itself; if it dies, a scheduler goes on with it. Raises :class:`Refused`.
    """
    with transaction(app.engine) as connection:
        run_id = schedules.ask(connection, _find(connection, name), actor)
    me = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
    while True:
        if (held := claim(app, me, only=run_id)) is not None:
            work_off(app, held, ended)
        with app.engine.connect() as connection:
            (told,) = schedule_runs.history(connection, run_id=run_id)
        if told.state in schedule_runs.FINAL or ended.is_set():
            return _told(told, language)
        ended.wait(LOOK_SECONDS)


def history(app: App, name: str | None, limit: int, language: Language) -> list[dict[str, Any]]:
    """The newest runs, of one schedule or of all. Raises :class:`Refused` for an unknown one."""
    with app.engine.connect() as connection:
        found = None if name is None else _find(connection, name).id
        return [_told(one, language) for one in schedule_runs.history(connection, schedule_id=found, limit=limit)]


def _told(one: Told, language: Language) -> dict[str, Any]:
    """A run as JSON-able values, its due time in the schedule's zone; ``late_seconds``: from there to its start."""
    job = JOBS.get(one.job)
    late = None if one.started_at is None else round((one.started_at - one.due_at).total_seconds(), 3)
    return {
        "schedule": one.schedule,
        "job": one.job,
        "due": one.due_at.astimezone(ZoneInfo(one.time_zone)).isoformat(),
        "asked_by": one.asked_by,
        "state": one.state,
        "attempts": one.attempts,
        "started": None if one.started_at is None else one.started_at.isoformat(),
        "late_seconds": late,
        "ended": None if one.ended_at is None else one.ended_at.isoformat(),
        "counts": one.counts,
        "did": job.sentence(one.counts, language) if job and one.state == "done" else "",
        "reason": None if one.reason is None else {"code": one.reason["code"], "sentence": one.reason[language]},
        "batch": one.batch_id,
        "batch_state": one.batch_state,
    }

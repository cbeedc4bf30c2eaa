"""Schedules: what runs when, for the vendor's tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from jobs.scheduled.registry import JOBS
from models.schedules import Missed
from scheduler import schedules
from web.callers import Caller, Operator

router = APIRouter(prefix="/schedules", tags=["schedules"])
Name = Annotated[str, Path(min_length=1, max_length=60, description="Name of the schedule.")]
Text = Annotated[str, Field(min_length=1, max_length=100)]


class Schedule(BaseModel):
    """A schedule with its next due times, in its own time zone; none while it is paused."""

    schedule: str
    job: str
    arguments: dict[str, str]
    expression: str = Field(description="Cron expression, with five fields, or six with seconds first.")
    explained: str
    time_zone: str
    missed: Missed
    state: Literal["active", "paused"]
    next: list[datetime]


class Run(BaseModel):
    """What came of a due time."""

    schedule: str
    job: str
    due: datetime
    asked_by: str | None = Field(description="Who asked for a run out of turn.")
    state: Literal["due", "running", "done", "failed", "skipped"]
    attempts: int
    started: datetime | None
    late_seconds: float | None
    ended: datetime | None
    counts: dict[str, int]
    did: str
    reason: dict[str, Any] | None
    batch: int | None
    batch_state: str | None


class NewSchedule(BaseModel):
    """A schedule to be added."""

    schedule: Text
    job: str = Field(max_length=60, json_schema_extra={"enum": list(JOBS)})
    expression: Text
    time_zone: Text = "UTC"
    missed: Missed | None = Field(default=None, description="Left out: what fits the job.")
    arguments: dict[str, Annotated[str, Field(max_length=200)]] = Field(default={}, max_length=20)


class ScheduleList(BaseModel):
    """All schedules by name."""

    schedules: list[Schedule]


class RunList(BaseModel):
    """Runs, newest first."""

    runs: list[Run]


@router.get("", operation_id="list_schedules")
def every(caller: Operator) -> ScheduleList:
    """All schedules with their next due times."""
    return ScheduleList(schedules=[Schedule(**one) for one in schedules.every(caller.app, caller.language)])


@router.post("", status_code=201, operation_id="add_schedule")
def add(new: NewSchedule, caller: Operator) -> Schedule:
    """Add a schedule; its first due time is the next one from now."""
    caller.require("manage")
    schedules.add(
        caller.app,
        new.schedule,
        job=new.job,
        expression=new.expression,
        time_zone=new.time_zone,
        missed=new.missed,
        given=new.arguments,
        actor=caller.actor,
    )
    return _shown(caller, new.schedule)


@router.get("/{schedule}", operation_id="show_schedule")
def show(schedule: Name, caller: Operator) -> Schedule:
    """A schedule with its next due times."""
    return _shown(caller, schedule)


@router.get("/{schedule}/runs", operation_id="list_runs")
def runs(schedule: Name, caller: Operator, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> RunList:
    """What came of its due times."""
    return RunList(runs=[Run(**one) for one in schedules.history(caller.app, schedule, limit, caller.language)])


@router.post("/{schedule}/runs", status_code=202, operation_id="run_schedule")
def run(schedule: Name, caller: Operator) -> Schedule:
    """Let a scheduler run it now, out of turn; its runs say what comes of it."""
    caller.require("manage")
    schedules.ask(caller.app, schedule, actor=caller.actor)
    return _shown(caller, schedule)


@router.post("/{schedule}/pause", operation_id="pause_schedule")
def pause(schedule: Name, caller: Operator) -> Schedule:
    """Let it be due no more; what waits of it is skipped."""
    caller.require("manage")
    schedules.pause(caller.app, schedule, actor=caller.actor)
    return _shown(caller, schedule)


@router.post("/{schedule}/resume", operation_id="resume_schedule")
def resume(schedule: Name, caller: Operator) -> Schedule:
    """Let it be due again, from its next time on."""
    caller.require("manage")
    schedules.resume(caller.app, schedule, actor=caller.actor)
    return _shown(caller, schedule)


@router.delete("/{schedule}", status_code=204, operation_id="remove_schedule")
def remove(schedule: Name, caller: Operator) -> Response:
    """Delete it with its history; batches stay."""
    caller.require("manage")
    schedules.remove(caller.app, schedule, actor=caller.actor)
    return Response(status_code=204)


def _shown(caller: Caller, name: str) -> Schedule:
    return Schedule(**schedules.shown(caller.app, name, caller.language))

"""Schedules, for the vendor's operators: when what runs, next times, history; edited, paused, run out of turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from jobs.job import Argument, Job
from jobs.refusals import Refused
from jobs.scheduled.registry import JOBS
from models.schedules import Missed
from scheduler import schedules
from web.portal.pages import page
from web.portal.visitors import Operator, Sent, Visitor, nothing_here, text_of

router = APIRouter(prefix="/schedules")
RUNS = 25
_ARGUMENT = "argument:"  # what the fields of a job's arguments are called, before the argument's name


@router.get("")
def listed(request: Request, me: Operator) -> Response:
    """Every schedule with its next times, and what ran lately."""
    return _listed(request, me)


def _listed(
    request: Request, me: Visitor, refused: str | None = None, given: FormData | None = None, changed: str = ""
) -> Response:
    """``given``: a form that is shown again as it was filled in; ``changed``: the schedule that it is to change."""
    arguments = _arguments()
    usual = {"name": "", "job": "", "expression": "0 2 * * *", "time_zone": me.time_zone, "missed": "skip"}
    usual |= {f"{_ARGUMENT}{name}": "" for name in arguments}
    typed = usual if given is None else {name: text_of(given, name) for name in usual}
    history = schedules.history(me.app, None, RUNS, me.language)
    return page(
        request,
        me.reader,
        "schedules.html",
        422 if refused else 200,
        schedules=[
            one | {"typed": typed if one["schedule"] == changed else _typed(one)}
            for one in schedules.every(me.app, me.language)
        ],
        changed=changed,
        history=history,
        is_under_way=any(one["state"] in ("due", "running") for one in history),
        jobs=JOBS,
        arguments=arguments,
        given=usual if changed else typed,
        is_open=given is not None and not changed,
        refused=refused,
    )


def _arguments() -> dict[str, tuple[Argument, list[Job]]]:
    """What jobs need to know, by name, with the jobs that do."""
    found: dict[str, tuple[Argument, list[Job]]] = {}
    for job in JOBS.values():
        for argument in job.arguments:
            found.setdefault(argument.name, (argument, []))[1].append(job)
    return found


def _typed(one: Mapping[str, Any]) -> dict[str, str]:
    """The form that would make a schedule what it is."""
    told = {f"{_ARGUMENT}{name}": value for name, value in one["arguments"].items()}
    return {name: one[name] for name in ("expression", "time_zone", "missed")} | told


def _given(sent: FormData) -> dict[str, str]:
    """The arguments of a form, without those that were left empty."""
    found = {name.removeprefix(_ARGUMENT): text_of(sent, name) for name in sent if name.startswith(_ARGUMENT)}
    return {name: value for name, value in found.items() if value}


def _missed(text: str) -> Missed:
    return "catch_up" if text == "catch_up" else "skip"


@router.post("")
def add(request: Request, me: Operator, sent: Sent) -> Response:
    """Add a schedule."""
    me.require("manage")
    try:
        schedules.add(
            me.app,
            text_of(sent, "name", 60),
            job=text_of(sent, "job", 60),
            expression=text_of(sent, "expression", 100),
            time_zone=text_of(sent, "time_zone", 60),
            missed=_missed(text_of(sent, "missed")),
            given=_given(sent),
            actor=me.actor,
        )
    except Refused as refused:
        return _listed(request, me, refused.sentence(me.language), sent)
    return RedirectResponse("/schedules", 303)


@router.post("/{name}/{action}")
def change(request: Request, name: str, action: str, me: Operator, sent: Sent) -> Response:
    """Run a schedule now, pause it, let it go on, change its times and arguments, or remove it."""
    me.require("manage")
    try:
        if action == "run":
            schedules.ask(me.app, name, actor=me.actor)
        elif action == "pause":
            schedules.pause(me.app, name, actor=me.actor)
        elif action == "resume":
            schedules.resume(me.app, name, actor=me.actor)
        elif action == "remove":
            schedules.remove(me.app, name, actor=me.actor)
        elif action == "change":
            schedules.change(
                me.app,
                name,
                expression=text_of(sent, "expression", 100),
                time_zone=text_of(sent, "time_zone", 60),
                missed=_missed(text_of(sent, "missed")),
                given=_given(sent),
                actor=me.actor,
            )
        else:
            raise nothing_here()
    except Refused as refused:
        is_change = action == "change"
        return _listed(
            request, me, refused.sentence(me.language), sent if is_change else None, name if is_change else ""
        )  # fmt: skip
    return RedirectResponse("/schedules", 303)

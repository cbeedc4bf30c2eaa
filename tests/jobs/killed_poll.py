"""A poll that is killed at a step, in a process of its own: ``python -m tests.jobs.killed_poll STEP DROP``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from config.wiring import open_app
from jobs import dropping, drops, intake, polling
from models import drops as tables
from storage.drops import Remote

# Before and after each thing that a look changes: there, here, and in the database.
PLACES: dict[str, tuple[Any, str]] = {
    "claim": (Remote, "claim"),
    "fetch": (Remote, "fetch"),
    "take": (dropping, "take"),
    "accept": (intake, "accept"),
    "settle": (tables, "settle"),
    "write": (Remote, "write"),
    "archive": (Remote, "replace"),
    "unlink": (Path, "unlink"),
}
STEPS = [f"{when}-{place}" for place in PLACES for when in ("before", "after")]


def _die() -> NoReturn:
    os._exit(9)


def _deadly(work: Callable[..., Any], when: str) -> Callable[..., Any]:
    def instead(*arguments: Any, **named: Any) -> NoReturn:
        if when == "after":
            work(*arguments, **named)
        _die()

    return instead


def main(step: str, name: str) -> None:
    """Poll a drop and die at the step."""
    when, _, place = step.partition("-")
    holder, attribute = PLACES[place]
    with open_app() as app:
        drop = drops.find(app, name)
        setattr(holder, attribute, _deadly(getattr(holder, attribute), when))
        polling.poll(app, drop)


if __name__ == "__main__":
    main(*sys.argv[1:])

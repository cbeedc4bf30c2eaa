"""``keymill migrate``, ``worker``, ``scheduler``, ``up``: the processes of an installation."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Json, Lang, opened_app, speak

if TYPE_CHECKING:
    from config.wiring import App

KEYMILL = [sys.executable, "-m", "cli.main"]


def migrate(as_json: Json = False, lang: Lang = None) -> None:
    """Create the database schema, or bring it up to date. Running it again does nothing."""
    output = speak(as_json, lang)
    from config import logging, settings
    from config.wiring import open_app
    from models import schema

    found = settings.load()
    logging.configure(found)
    with open_app(found, check_schema=False) as app:
        before, after = schema.migrate(app.engine)
    output.say(f"The schema is at revision {after}.", f"Lo schema è alla revisione {after}.")
    output.document({"before": before, "after": after})


def worker(as_json: Json = False, lang: Lang = None) -> None:
    """Work off chunks until told to stop. One process a core; as many machines as you like."""
    speak(as_json, lang)
    from jobs.worker import serve

    _serve(serve)


def scheduler(as_json: Json = False, lang: Lang = None) -> None:
    """Look for lost work every few seconds until told to stop. One is enough, more do no harm."""
    speak(as_json, lang)
    from scheduler.beat import serve

    _serve(serve)


def up(
    workers: Annotated[int | None, typer.Option(help="Worker processes; default: one a core.", min=1)] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Everything in one process group: embedded servers where none are named, workers and the scheduler."""
    output = speak(as_json, lang)
    with told_to_stop() as ended, opened_app() as app, processes(app, workers or app.settings.workers) as pids:
        output.say(
            f"Keymill is up with {len(pids)} processes. Stop it with Ctrl-C.",
            f"Keymill è attivo con {len(pids)} processi. Fermarlo con Ctrl-C.",
        )
        output.document({"pids": pids})
        ended.wait()


def _serve(serve: Callable[[App, threading.Event], None]) -> None:
    with told_to_stop() as ended, opened_app() as app:
        serve(app, ended)


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, so that what was begun is ended in order."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def processes(app: App, workers: int) -> Iterator[list[int]]:
    """So many workers and a scheduler for as long as the block lasts; their log goes to a file in KEYMILL_HOME."""
    from config.wiring import child_environment
    from jobs.supervising import supervised

    app.settings.home.mkdir(parents=True, exist_ok=True)
    units = [("worker", [*KEYMILL, "worker"])] * workers + [("scheduler", [*KEYMILL, "scheduler"])]
    with supervised(units, child_environment(app), app.settings.home / "processes.log") as supervisor:
        yield supervisor.pids()

"""``keymill migrate``, ``web``, ``worker``, ``scheduler``, ``sftp``, ``up``: the processes of an installation."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import ENDINGS, Json, Lang, Output, actor, on_signals, opened_app, speak

if TYPE_CHECKING:
    from config.wiring import App

KEYMILL = [sys.executable, "-m", "cli.main"]
LOOK_SECONDS = 1.0  # how often ``up`` looks after the embedded servers, and a child after its parent
Parent = Annotated[int | None, typer.Option("--parent", hidden=True, help="End when this process has ended.")]


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


def worker(
    count: Annotated[int, typer.Option("--processes", help="Worker processes.", min=1)] = 1,
    parent: Parent = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Work off chunks until told to stop. One process a core; as many machines as you like."""
    speak(as_json, lang)
    if count == 1:
        from jobs.worker import serve

        _serve(serve, parent)
        return
    with told_to_stop() as ended, opened_app() as app, processes(app, count, schedulers=0):
        while not ended.wait(LOOK_SECONDS):
            pass  # a signal that another thread takes, as one that starts a worker anew, does not wake this one


def web(parent: Parent = None, as_json: Json = False, lang: Lang = None) -> None:
    """Serve the HTTP API until told to stop: requests that were begun are answered."""
    speak(as_json, lang)
    from web.serving import serve

    _serve(serve, parent)


def scheduler(parent: Parent = None, as_json: Json = False, lang: Lang = None) -> None:
    """Look for lost work every few seconds until told to stop. One is enough, more do no harm."""
    speak(as_json, lang)
    from scheduler.beat import serve

    _serve(serve, parent)


def sftp(
    new_host_key: Annotated[bool, typer.Option("--new-host-key", help="Make a new host key first.")] = False,
    parent: Parent = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Take files and give results by SFTP until told to stop: accounts sign in with their SSH keys."""
    output = speak(as_json, lang)
    from jobs import host_keys
    from jobs.sftp import serve

    def started(port: int) -> None:
        output.say(f"SFTP on port {port}. Stop it with Ctrl-C.", f"SFTP sulla porta {port}. Fermarlo con Ctrl-C.")
        output.document({"port": port})

    def serve_it(app: App, ended: threading.Event) -> None:
        if new_host_key:
            host_keys.load(app.engine, app.kek, renew=True, actor=actor())
        serve(app, ended, started=started)

    _serve(serve_it, parent)


def up(
    workers: Annotated[int | None, typer.Option(help="Worker processes; default: one a core.", min=1)] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Everything in one process group: embedded servers where none are named, web, SFTP, workers, scheduler."""
    output = speak(as_json, lang)
    with (
        told_to_stop() as ended,
        opened_app() as app,
        processes(app, workers or app.settings.workers, doors=("web", "sftp")) as pids,
    ):
        output.say(
            f"Keymill is up with {len(pids)} processes. Stop it with Ctrl-C.",
            f"Keymill è attivo con {len(pids)} processi. Fermarlo con Ctrl-C.",
        )
        people = _invite(app, output)
        output.document({"pids": pids, "address": app.settings.public_url, **people})
        while not ended.wait(LOOK_SECONDS):
            _keep_servers_running()


def _invite(app: App, output: Output) -> dict[str, Any]:
    """Say where to sign in, and on a new embedded installation as whom."""
    from config import settings
    from jobs.seeding import seed

    seeded = seed(app) if settings.load().is_embedded else None
    output.say(f"Sign in at {app.settings.public_url}", f"Accedere da {app.settings.public_url}")
    if seeded is None:
        return {}
    for account, email in seeded.people.items():
        output.line(f"  {email}  ({account})")
    output.say(
        f"The password of all four is {seeded.password}. It is told only now; `keymill users password` sets another.",
        f"La password di tutti e quattro è {seeded.password}. Viene detta solo ora; `keymill users password` ne "
        "imposta un'altra.",
    )
    return seeded._asdict()


def _keep_servers_running() -> None:
    """Start again an embedded server that died; one that cannot be started is logged, and tried again."""
    import structlog

    from config import settings
    from config.embedded import EmbeddedProblem, ensure_running

    found = settings.load()
    if found.database_url and found.redis_url:
        return
    try:
        ensure_running(found.home, postgres=not found.database_url, valkey=not found.redis_url)
    except EmbeddedProblem as problem:
        structlog.get_logger("keymill.up").error(problem.en)


def _serve(serve: Callable[[App, threading.Event], None], parent: int | None) -> None:
    with told_to_stop() as ended:
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent, ended), name="parent", daemon=True).start()
        with opened_app() as app:
            serve(app, ended)


def _end_with(parent: int, ended: threading.Event) -> None:
    """End when the process that started this one was killed and could not say so."""
    while os.getppid() == parent:
        if ended.wait(LOOK_SECONDS):
            return
    ended.set()


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGINT and a closed terminal set, so that what was begun is ended in order."""
    ended = threading.Event()
    with on_signals(ENDINGS, lambda *_: ended.set()):
        yield ended


@contextmanager
def processes(app: App, workers: int, schedulers: int = 1, doors: Sequence[str] = ()) -> Iterator[list[int]]:
    """So many processes of each role, and one of each door, for as long as the block lasts.

    Their log goes to a file in KEYMILL_HOME.

    They end with this command, however it ends: in order, by SIGTERM, or killed.
    """
    from config.wiring import child_environment
    from jobs.supervising import supervised

    app.settings.home.mkdir(parents=True, exist_ok=True)
    below = ["--parent", str(os.getpid())]
    units = [("worker", [*KEYMILL, "worker", *below])] * workers
    units += [("scheduler", [*KEYMILL, "scheduler", *below])] * schedulers
    units += [(door, [*KEYMILL, door, *below]) for door in doors]
    with supervised(units, child_environment(app), app.settings.home / "processes.log") as supervisor:
        yield supervisor.pids()

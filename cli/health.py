"""``keymill health``: whether a role runs on this machine, for what looks after containers."""

from __future__ import annotations

import socket
from typing import Annotated, Literal
from urllib.request import urlopen

import typer

from cli.output import Json, Lang, opened_app, speak

PATIENCE_SECONDS = 5


def health(
    role: Annotated[Literal["web", "worker", "scheduler", "sftp"], typer.Argument(help="The role of this machine.")],
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Say whether a process of a role is alive on this machine: it answers, or has given a sign of life lately."""
    out = speak(as_json, lang)
    is_alive = _answers() if role == "web" else _beats(role)
    if not is_alive:
        out.refuse("not_alive", f"No {role} is alive on this machine.", f"Nessun {role} è attivo su questa macchina.")
    out.say(f"A {role} is alive.", f"Un {role} è attivo.")
    out.document({"role": role, "alive": True})


def _answers() -> bool:
    from config import settings

    host, _, port = settings.load().listen.rpartition(":")
    here = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - not listened on
    try:
        with urlopen(f"http://{here}:{port}/healthz", timeout=PATIENCE_SECONDS):
            return True
    except OSError:
        return False


def _beats(role: str) -> bool:
    from jobs import readiness

    with opened_app() as app:
        return readiness.is_alive(app, role, socket.gethostname())

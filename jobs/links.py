"""Links to stored files that work for some time: the store's own, or ours where the store has no address for people."""

from __future__ import annotations

import time
from typing import NamedTuple
from urllib.parse import quote

from config.wiring import App
from jobs import sealing
from jobs.refusals import Refused

_PURPOSE = "links to files"


class Linked(NamedTuple):
    """What a link of ours stands for: the object, and the name under which it is saved."""

    name: str
    filename: str


def link(app: App, name: str, filename: str) -> tuple[str, float]:
    """A URL that gives an object to whoever has it, and until when (seconds since 1970)."""
    until = int(time.time()) + app.settings.link_seconds
    url = app.store.link(name, app.settings.link_seconds, filename)
    if url is not None and not url.startswith("file:"):
        return url, until
    token = sealing.sealed(app, _PURPOSE, [name, filename], until)
    return f"{app.settings.public_url.rstrip('/')}/files/{token}/{quote(filename, safe='')}", until


def opened(app: App, token: str) -> Linked:
    """What a link of ours stands for. Raises :class:`Refused` for one that is not ours or has expired."""
    kept = sealing.opened(app, _PURPOSE, token)
    if kept is None:
        raise _bad()
    return Linked(*kept)


def _bad() -> Refused:
    return Refused(
        "unknown_link",
        "This link has expired or was changed. Ask for the results again.",
        "Questo link è scaduto o è stato modificato. Chiedere di nuovo i risultati.",
    )

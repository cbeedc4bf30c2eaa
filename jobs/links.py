"""Links to stored files that work for some time: the store's own, or ours where the store has no address for people."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import NamedTuple
from urllib.parse import quote

from config.wiring import App
from jobs.refusals import Refused


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
    content = json.dumps([name, filename, until]).encode()
    token = _text(_seal(app, content) + content)
    return f"{app.settings.public_url.rstrip('/')}/files/{token}/{quote(filename, safe='')}", until


def opened(app: App, token: str) -> Linked:
    """What a link of ours stands for. Raises :class:`Refused` for one that is not ours or has expired."""
    try:
        found = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        found = b""
    seal, content = found[:_SEAL], found[_SEAL:]
    if not hmac.compare_digest(seal, _seal(app, content)):
        raise _bad()
    name, filename, until = json.loads(content)
    if time.time() > until:
        raise _bad()
    return Linked(name, filename)


_SEAL = hashlib.sha256().digest_size


def _seal(app: App, content: bytes) -> bytes:
    """A key of its own for links, made of the key-encryption key: every process of an installation has it."""
    key = hmac.digest(app.kek, b"keymill links to files", hashlib.sha256)
    return hmac.digest(key, content, hashlib.sha256)


def _text(found: bytes) -> str:
    return base64.urlsafe_b64encode(found).decode().rstrip("=")


def _bad() -> Refused:
    return Refused(
        "unknown_link",
        "This link has expired or was changed. Ask for the results again.",
        "Questo link è scaduto o è stato modificato. Chiedere di nuovo i risultati.",
    )

"""What is handed out and must come back unchanged, and in time: sealed, readable for whoever has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from config.wiring import App

_SEAL_BYTES = hashlib.sha256().digest_size


def key(app: App, purpose: str) -> bytes:
    """A key for one purpose, made of the key-encryption key: every process of an installation has it."""
    return hmac.digest(app.kek, f"keymill {purpose}".encode(), hashlib.sha256)


def sealed(app: App, purpose: str, kept: list[Any], until: int) -> str:
    """JSON values as a text for URLs and cookies, good until a time (seconds since 1970)."""
    content = json.dumps([*kept, until]).encode()
    return text_of(hmac.digest(key(app, purpose), content, hashlib.sha256) + content)


def opened(app: App, purpose: str, text: str) -> list[Any] | None:
    """The values of a text that was sealed for a purpose; None if it was not, was changed, or its time is over."""
    try:
        found = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    seal, content = found[:_SEAL_BYTES], found[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, hmac.digest(key(app, purpose), content, hashlib.sha256)):
        return None
    *kept, until = json.loads(content)
    return kept if time.time() <= until else None


def text_of(octets: bytes) -> str:
    """Base64 with the URL-safe alphabet and without padding."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")

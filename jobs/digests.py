"""How secrets that we handed out are kept: tokens of programs and of sessions."""

from __future__ import annotations

import hashlib


def digest(token: str) -> str:
    """What is stored of a token: it is long and random, so a fast hash is enough (docs/decisions/0016-http-api.md)."""
    return hashlib.sha256(token.encode()).hexdigest()

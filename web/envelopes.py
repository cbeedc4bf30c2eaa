"""What goes with every answer: headers that a door sets on the way, safety headers, and how long it took."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import problems
from web.latencies import LATENCIES

HEADERS = "keymill_headers"  # of the request's state: for whatever answer it gets
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


MOST_BYTES = 1_000_000  # of a body that is read into memory
TAKE_FILES = {"send_batch", "send_piece"}  # operations that count the bytes of files by themselves


class Envelope:
    """Wraps an application, below its handling of exceptions and above its routes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        size = 0
        has_nul = "\0" in scope["path"] or b"%00" in scope["query_string"]

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MOST_BYTES and _operation(scope) not in TAKE_FILES:
                raise HTTPException(413)
            return message

        async def enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in (_ALWAYS | scope.get("state", {}).get(HEADERS, {})).items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            app = problems.bad_character(Request(scope)) if has_nul else self.app
            await app(scope, counted, enveloped)
        finally:
            LATENCIES.labels(_operation(scope), str(status)).observe(time.perf_counter() - started)


def _operation(scope: Scope) -> str:
    """The operation that a request turned out to be for."""
    return getattr(scope.get("route"), "operation_id", None) or "other"

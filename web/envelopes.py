"""What goes with every answer: headers that a door sets on the way, safety headers, and how long it took."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.latencies import LATENCIES

HEADERS = "keymill_headers"  # of the request's state: for whatever answer it gets
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


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
            await self.app(scope, receive, enveloped)
        finally:
            operation = getattr(scope.get("route"), "operation_id", None) or "other"
            LATENCIES.labels(operation, str(status)).observe(time.perf_counter() - started)

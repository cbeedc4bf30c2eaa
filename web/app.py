"""The web server's application: every router, registered in one place."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI

from config.wiring import App
from jobs import broker, rates
from web import documents, problems, queries
from web.api import (
    batches,
    events,
    health,
    keys,
    kinds,
    licenses,
    mails,
    metrics,
    results,
    rows,
    schedules,
    ssh_keys,
    statements,
    tokens,
    uploads,
    webhooks,
)
from web.envelopes import Envelope
from web.portal import entrance

API = "/api/v1"
# Never traced: addresses that open something, and questions that are asked all the time.
_UNTRACED = ("/files/", "/sign-in", "/static/", "/healthz", "/readyz", "/metrics")


def _is_untraced(scope: Any) -> bool:
    return str(scope.get("path", "")).startswith(_UNTRACED)


def create(app: App) -> FastAPI:
    """The application that answers from an app."""
    server = FastAPI(
        title="Keymill",
        version=version("keymill"),
        summary="A spreadsheet goes in, the same spreadsheet with signed keys comes back.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=[uploads.TAG],
        telemetry={"operation_spans": False, "exclude": _is_untraced},
    )
    server.state.keymill = app
    for connect in (broker.connect, rates.connect):  # now, before threads could each make one
        connect(app.settings.redis_url)
    problems.install(server)
    server.add_middleware(Envelope)
    for module in (
        batches, rows, events, results, kinds, licenses, statements, schedules, uploads, tokens, webhooks, mails,
        ssh_keys,
    ):  # fmt: skip
        server.include_router(
            module.router, prefix=API, responses=problems.RESPONSES, dependencies=[Depends(queries.only_known)]
        )
    for router in (results.files, keys.router, health.router, metrics.router):
        server.include_router(router, responses=problems.RESPONSES)
    documents.install(server)
    entrance.install(server)
    return server

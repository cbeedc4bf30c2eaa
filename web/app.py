"""The web server's application: every router, registered in one place."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from config.wiring import App
from web import documents, problems
from web.api import health

API = "/api/v1"


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
    )
    server.state.keymill = app
    problems.install(server)
    server.include_router(health.router, responses=problems.RESPONSES)
    documents.install(server)
    return server

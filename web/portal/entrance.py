"""The portal's part of the application: routers, assets, and problems told as pages where a person reads them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from jobs.refusals import Refused
from models.database import is_outage
from storage.objects import StoreUnavailable
from web.portal import (
    accounts,
    batches,
    contracts,
    drops,
    licenses,
    notifications,
    operations,
    schedules,
    signing_in,
    uploads,
)
from web.portal.pages import STATIC, on_page, page
from web.portal.visitors import SignInFirst, came_from, reader_of, sign_in_address
from web.problems import NotAnswered, status_of

Handler = Callable[[Request, Any], Response | Awaitable[Response]]
_FOR_PROGRAMS = ("/api/", "/.well-known/", "/health", "/metrics", "/static/")
_TOLD = (Refused, NotAnswered, StoreUnavailable, RequestValidationError, HTTPException, Exception)


class _Assets(StaticFiles):
    """Assets carry a digest in their address, so that browsers may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def install(server: FastAPI) -> None:
    """Add the portal to the application. Comes after everything else that answers problems."""
    for module in (
        signing_in, uploads, batches, licenses, contracts, accounts, notifications, operations, drops, schedules,
    ):  # fmt: skip
        server.include_router(module.router, include_in_schema=False)
    server.mount("/static", _Assets(directory=STATIC))
    server.add_exception_handler(SignInFirst, _sign_in_first)
    for kind in _TOLD:
        server.add_exception_handler(kind, _as_page(server.exception_handlers[kind]))


async def _sign_in_first(request: Request, _error: Exception) -> Response:
    return RedirectResponse(sign_in_address(request), 303)


def _as_page(as_problem: Handler) -> Handler:
    """Tell a problem as a page to a person, as before to a program."""

    async def answered(request: Request, error: Exception) -> Response:
        response = as_problem(request, error)
        if not isinstance(response, Response):
            response = await response
        if request.url.path.startswith(_FOR_PROGRAMS) or "text/html" not in request.headers.get("accept", ""):
            return response
        visitor = getattr(request.state, "visitor", None)
        reader = visitor.reader if visitor else reader_of(request)
        status, sentence = _told(error, reader.language, response.status_code)
        back = came_from(request) if request.method == "POST" else ""
        return page(request, reader, "problem.html", status, sentence=sentence, code=status, back=back)

    return answered


def _told(error: Exception, language: str, status: int) -> tuple[int, str | None]:
    """The status and the sentence of a problem; None where there is nothing more to say than the status says."""
    refused = error.refused if isinstance(error, NotAnswered) else error
    if isinstance(refused, Refused):
        sentence = refused.it if language == "it" else refused.en
        return status_of(refused.code), on_page(sentence)
    if isinstance(error, RequestValidationError):
        return 404, None
    if is_outage(error):
        return 503, None
    return status, None

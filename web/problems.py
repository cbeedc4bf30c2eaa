"""What goes wrong, as RFC 9457 says it: ``application/problem+json`` with a stable code and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from config.wiring import App
from jobs.refusals import Refused
from licensing.fields import Language
from models.database import is_outage
from storage.objects import StoreUnavailable
from web.languages import accepted

log = structlog.get_logger("keymill.web")
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
_STATUS = {
    "account_suspended": 403,
    "file_too_large": 413,
    "foreign_form": 403,
    "key_missing": 400,
    "key_reused": 422,
    "kind_not_allowed": 403,
    "media_type": 415,
    "not_permitted": 403,
    "not_signed_in": 401,
    "store_unavailable": 503,
    "too_many_requests": 429,
    "wrong_credentials": 401,
    "wrong_offset": 409,
    "wrong_sender": 403,
    "wrong_state": 409,
}
_FOUND_NOT = {
    "no_list", "no_results", "not_found", "unknown_batch", "unknown_contract", "unknown_delivery", "unknown_drop",
    "unknown_license", "unknown_link", "unknown_mail", "unknown_schedule", "unknown_ssh_key", "unknown_statement",
    "unknown_token", "unknown_upload", "unknown_webhook",
}  # fmt: skip


class Fault(BaseModel):
    """One value of a request and what is wrong with it."""

    where: str = Field(description="Where the value stands: query.limit, body.name and so on.")
    what: str


class Problem(BaseModel):
    """Why a request was not answered, for a program (`code`) and for a person (`detail`)."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    type: str = Field(description="urn:keymill:problem: and the code.")
    title: str = Field(description="The phrase of the HTTP status.")
    status: int
    code: str = Field(description="Stable: it never changes its meaning.")
    detail: str = Field(description="What, where and how to mend it, in the language of Accept-Language.")
    errors: list[Fault] | None = Field(default=None, description="Each value that is wrong.")


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def problem_response(description: str) -> dict[str, Any]:
    """A problem that the document tells of by its own status."""
    return RESPONSES["default"] | {"description": description}


class NotAnswered(Exception):
    """A refusal of the door itself, with headers that say more."""

    def __init__(self, code: str, en: str, it: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(en)
        self.refused = Refused(code, en, it)
        self.headers = dict(headers or {})


def status_of(code: str) -> int:
    """The HTTP status of a refusal."""
    return 404 if code in _FOUND_NOT else _STATUS.get(code, 422)


def language_of(request: Request) -> Language:
    """The language of whoever sent a request."""
    app: App = request.app.state.keymill
    return accepted(request.headers.get("accept-language"), app.settings.language)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """A problem document."""
    body = {
        "type": f"urn:keymill:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    found = body | ({} if errors is None else {"errors": errors})
    return JSONResponse(found, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def bad_character(request: Request) -> Response:
    """No name, number or text has a NUL in it, and PostgreSQL takes none."""
    en, it = "The address holds a NUL character (%00).", "L'indirizzo contiene un carattere NUL (%00)."
    return problem(422, "bad_request", it if language_of(request) == "it" else en)


def install(server: FastAPI) -> None:
    """Let every exception become a problem."""
    server.add_exception_handler(Refused, _refused)
    server.add_exception_handler(NotAnswered, _not_answered)
    server.add_exception_handler(StoreUnavailable, _store_away)
    server.add_exception_handler(RequestValidationError, _invalid)
    server.add_exception_handler(HTTPException, _http)
    server.add_exception_handler(ClientDisconnect, _gone)
    server.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    status = status_of(error.code)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    return problem(status, error.code, error.sentence(language_of(request)), headers=headers)


async def _not_answered(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAnswered)
    refused = error.refused
    return problem(status_of(refused.code), refused.code, refused.sentence(language_of(request)), headers=error.headers)


async def _store_away(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreUnavailable)
    return await _refused(request, Refused(error.code, error.en, error.it))


async def _invalid(request: Request, error: Exception) -> Response:
    """Values that are not what the OpenAPI document says."""
    assert isinstance(error, RequestValidationError)
    errors = [{"where": ".".join(map(str, one["loc"])), "what": str(one["msg"])} for one in error.errors()]
    places = ", ".join(one["where"] for one in errors)
    sentences: dict[Language, str] = {
        "en": f"The request is not as the OpenAPI document says: {places}.",
        "it": f"La richiesta non corrisponde al documento OpenAPI: {places}.",
    }
    return problem(422, "bad_request", sentences[language_of(request)], errors=errors)


_HTTP: dict[int, tuple[str, str, str]] = {
    404: ("not_found", "There is nothing at this address.", "A questo indirizzo non c'è nulla."),
    413: (
        "body_too_large",
        "The body is larger than this address takes.",
        "Il corpo è più grande di quanto questo indirizzo accetti.",
    ),
    405: ("method", "This address does not know this method.", "Questo indirizzo non conosce questo metodo."),
}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, en, it = _HTTP.get(error.status_code, ("refused", str(error.detail), str(error.detail)))
    sentence = it if language_of(request) == "it" else en
    return problem(error.status_code, code, sentence, headers=error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    """Whoever asked went away in the middle: nobody reads this."""
    return problem(400, "gone", "The request ended early.")


async def _unexpected(request: Request, error: Exception) -> Response:
    """A database that is away is said so; anything else is logged and told without its innards."""
    if is_outage(error):
        en, it = "The database cannot be reached now. Try again.", "Il database non è raggiungibile ora. Riprovare."
        return await _refused(request, Refused("store_unavailable", en, it))
    log.error("unexpected", path=request.url.path, error=f"{type(error).__name__}: {error}"[:500], exc_info=error)
    en, it = "Something unexpected went wrong. It is in the log.", "Errore imprevisto. È nel registro."
    return problem(500, "unexpected", it if language_of(request) == "it" else en)

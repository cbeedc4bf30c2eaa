"""Who visits: the session behind a cookie, the language of a page, and that forms come from our own pages."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from config.wiring import App
from jobs import sealing, users
from licensing.fields import LANGUAGES, Language
from models import accounts
from models.database import transaction
from models.users import User
from web.callers import Caller, address_of, opened
from web.portal.pages import LANGUAGE_COOKIE, Reader
from web.problems import NotAnswered, language_of

COOKIE = "keymill_session"
CSRF = "csrf"
_MOST_FORM = 256 * 1024  # bytes of a form without a file


class SignInFirst(Exception):
    """A page that only who is signed in may see."""


@dataclass(frozen=True, slots=True)
class Visitor(Caller):
    """A user who is signed in, for an account."""

    user: User
    account_name: str
    time_zone: str
    token: str
    csrf: str

    @property
    def reader(self) -> Reader:
        """How pages are shown to them."""
        return Reader(self.language, self.time_zone, self)


def reader_of(request: Request) -> Reader:
    """How pages are shown to who is not signed in."""
    return Reader(chosen_language(request) or language_of(request))


def chosen_language(request: Request) -> Language | None:
    """The language that was chosen in this browser."""
    return next((one for one in LANGUAGES if request.cookies.get(LANGUAGE_COOKIE) == one), None)


def visitor(request: Request) -> Visitor:
    """Who is signed in. Raises :class:`SignInFirst`; :class:`NotAnswered` for a form that another site sent."""
    check_origin(request)
    app, token = opened(request), request.cookies.get(COOKIE, "")
    user = users.signed_in(app, token) if token else None
    if user is None:
        raise SignInFirst
    with transaction(app.engine) as connection:
        account = accounts.by_id(connection, user.account_id)
    spoken = next((one for one in LANGUAGES if user.locale == one), None)
    request.state.visitor = found = Visitor(
        app=app,
        account_id=account.id,
        account=account.number,
        account_type=account.type,
        permission=user.permission,
        kinds=None,
        actor=f"user:{user.email}",
        address=address_of(request),
        language=chosen_language(request) or spoken or language_of(request),
        user=user,
        account_name=account.name,
        time_zone=account.time_zone or "UTC",
        token=token,
        csrf=_csrf(app, token),
    )
    return found


def operator(found: Annotated[Visitor, Depends(visitor)]) -> Visitor:
    """An operator of the vendor; for everybody else the page does not exist."""
    if not found.is_vendor:
        raise nothing_here()
    return found


def nothing_here() -> NotAnswered:
    """A page that is not there, or not for this visitor: nobody can tell which."""
    return NotAnswered("not_found", "There is nothing at this address.", "A questo indirizzo non c'è nulla.")


def check_origin(request: Request) -> None:
    """Raises :class:`NotAnswered` for a request that changes something and comes from another site."""
    if request.method in ("GET", "HEAD"):
        return
    origin = request.headers.get("origin")
    here = {request.headers.get("host", ""), urlsplit(opened(request).settings.public_url).netloc}
    is_ours = urlsplit(origin).netloc in here if origin else request.headers.get("sec-fetch-site") == "same-origin"
    if not is_ours:
        raise foreign_form()


def foreign_form() -> NotAnswered:
    """A form that does not come from a page of ours, or from one of an earlier session."""
    return NotAnswered(
        "foreign_form",
        "This form does not come from this page. Load the page again and repeat.",
        "Questo modulo non proviene da questa pagina. Ricaricare la pagina e riprovare.",
    )


def check_csrf(found: Visitor, given: object) -> None:
    """Raises :class:`NotAnswered` unless a form carries the token of the visitor's session."""
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), found.csrf.encode()):
        raise foreign_form()


async def form(request: Request, found: Annotated[Visitor, Depends(visitor)]) -> FormData:
    """The fields of a form without a file, sent by a page of ours. Raises :class:`NotAnswered`."""
    sent = await plain_form(request)
    await run_in_threadpool(check_csrf, found, sent.get(CSRF))
    return sent


async def plain_form(request: Request) -> FormData:
    """The fields of a form without a file. Raises :class:`NotAnswered` for a longer one."""
    size = request.headers.get("content-length", "")
    if not size.isdigit() or int(size) > _MOST_FORM:
        raise foreign_form()
    return await request.form(max_files=0)


def text_of(sent: FormData, name: str, longest: int = 2000) -> str:
    """A field of a form as text without spaces around it; "" where it is missing."""
    value = sent.get(name, "")
    return value.strip()[:longest] if isinstance(value, str) else ""


def sign_in_address(request: Request) -> str:
    """Where to sign in, and come back to the page that was asked for."""
    back = came_from(request) if request.method != "GET" else _address(request.url.path, request.url.query)
    return "/sign-in" + (f"?next={quote(back)}" if back not in ("", "/") else "")


def came_from(request: Request) -> str:
    """The page of ours that a form stands on; "" where that is not told."""
    parts = urlsplit(request.headers.get("referer", ""))
    return _address(parts.path, parts.query) if parts.netloc == request.headers.get("host") else ""


def _address(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def set_cookie(app: App, response: Response, name: str, value: str, seconds: int) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=app.settings.public_url.startswith("https:"),
    )


def _csrf(app: App, token: str) -> str:
    """A token of the session's own for its forms: made of the key-encryption key, so that nobody else can make it."""
    key = sealing.key(app, "forms of the portal")
    return hmac.new(key, token.encode(), hashlib.sha256).hexdigest()


Signed = Annotated[Visitor, Depends(visitor)]
Operator = Annotated[Visitor, Depends(operator)]
Sent = Annotated[FormData, Depends(form)]

"""Signing in and out, the language of pages, and the visitor's own sign-in: password and sessions."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from jobs import rates, users
from jobs.refusals import Refused
from licensing.fields import LANGUAGES
from web.callers import address_of, opened
from web.portal import openid
from web.portal.pages import LANGUAGE_COOKIE, page
from web.portal.visitors import (
    COOKIE,
    Sent,
    Signed,
    check_origin,
    nothing_here,
    plain_form,
    reader_of,
    set_cookie,
    text_of,
)
from web.translations import said

router = APIRouter()
OPENID_COOKIE = "keymill_openid"
TRIES_A_MINUTE = 10  # for one address, and for one e-mail address
_LANGUAGE_SECONDS = 365 * 24 * 3600


async def _own_form(request: Request) -> FormData:
    """A form of a page that needs no session: it must come from this site."""
    check_origin(request)
    return await plain_form(request)


OwnForm = Annotated[FormData, Depends(_own_form)]


@router.get("/sign-in")
def ask(request: Request, back: Annotated[str, Query(alias="next", max_length=2000)] = "") -> Response:
    """Ask who it is."""
    return _ask(request, back)


def _ask(request: Request, back: str, *, email: str = "", refused: Refused | None = None) -> Response:
    reader = reader_of(request)
    return page(
        request,
        reader,
        "sign_in.html",
        422 if refused else 200,
        back=_here(back),
        email=email,
        refused=refused and refused.sentence(reader.language),
        ended=refused is None and COOKIE in request.cookies,
        openid=openid.is_offered(opened(request).settings),
    )


@router.post("/sign-in")
def sign_in(request: Request, sent: OwnForm) -> Response:
    """Start a session, or say that it is not right without saying what."""
    app, email = opened(request), text_of(sent, "email", 254)
    back = _here(text_of(sent, "next"))
    try:
        _count(request, email)
        password = sent.get("password", "")
        entry = users.sign_in(
            app,
            email,
            password if isinstance(password, str) else "",
            user_agent=request.headers.get("user-agent", ""),
            address=address_of(request),
        )
    except Refused as refused:
        return _ask(request, back, email=email, refused=refused)
    response = RedirectResponse(back or "/", 303)
    set_cookie(app, response, COOKIE, entry.token, users.SESSION_SECONDS)
    return response


@router.get("/sign-in/openid")
def leave(request: Request, back: Annotated[str, Query(alias="next", max_length=2000)] = "") -> Response:
    """Send somebody to the OpenID Connect provider, and remember in their browser what was sent along."""
    app = opened(request)
    if not openid.is_offered(app.settings):
        raise nothing_here()
    try:
        away = openid.leave(app, _here(back))
    except Refused as refused:
        return _ask(request, back, refused=refused)
    response = RedirectResponse(away.url, 303)
    set_cookie(app, response, OPENID_COOKIE, away.sealed, openid.AWAY_SECONDS)
    return response


@router.get("/sign-in/openid/back")
def come_back(
    request: Request,
    code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Start a session for who comes back from the provider."""
    app = opened(request)
    if not openid.is_offered(app.settings):
        raise nothing_here()
    try:
        known, back = openid.come_back(app, request.cookies.get(OPENID_COOKIE, ""), code=code, state=state)
        entry = users.sign_in_known(
            app, known, user_agent=request.headers.get("user-agent", ""), address=address_of(request)
        )
    except Refused as refused:
        response = _ask(request, "", refused=refused)
    else:
        response = RedirectResponse(_here(back) or "/", 303)
        set_cookie(app, response, COOKIE, entry.token, users.SESSION_SECONDS)
    response.delete_cookie(OPENID_COOKIE)
    return response


def _count(request: Request, email: str) -> None:
    """Slow down whoever tries passwords. Raises :class:`Refused`."""
    redis_url = opened(request).settings.redis_url
    for who in (f"sign-in:{address_of(request)}", f"sign-in:{email.casefold()}"):
        rate = rates.count(redis_url, who, TRIES_A_MINUTE)
        if rate.is_over:
            raise Refused(
                "too_many_requests",
                f"Too many tries. Try again in {rate.reset_seconds} seconds.",
                f"Troppi tentativi. Riprovare tra {rate.reset_seconds} secondi.",
            )


def _here(address: str) -> str:
    """An address of this site, or nothing: nobody is sent elsewhere after signing in."""
    parts = urlsplit(address)
    is_ours = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if is_ours and address.isprintable() else ""


@router.post("/sign-out")
def sign_out(me: Signed, _sent: Sent) -> Response:
    """End the session."""
    users.sign_out(me.app, me.token)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response


@router.post("/language")
def choose_language(request: Request, sent: OwnForm) -> Response:
    """Show pages in another language from now on."""
    response = RedirectResponse(_here(text_of(sent, "next")) or "/", 303)
    language = next((one for one in LANGUAGES if one == text_of(sent, "language")), None)
    if language is not None:
        app = opened(request)
        set_cookie(app, response, LANGUAGE_COOKIE, language, _LANGUAGE_SECONDS)
        user = users.signed_in(app, request.cookies.get(COOKIE, ""))
        if user is not None:
            users.speak(app, user, language)
    return response


@router.get("/me")
def myself(request: Request, me: Signed, changed: bool = False) -> Response:
    """The visitor's own sign-in."""
    return _myself(request, me, said(me.language, "me.changed") if changed else "", None)


def _myself(request: Request, me: Signed, done: str, refused: str | None) -> Response:
    sessions = [one | {"browser": _browser(one["user_agent"])} for one in users.sessions_of(me.app, me.user, me.token)]
    status = 422 if refused else 200
    return page(request, me.reader, "me.html", status, sessions=sessions, done=done, refused=refused)


def _browser(user_agent: str) -> str:
    """What a person calls the browser that names itself so, and its system."""
    names = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS": "macOS"}
    systems |= {"Linux": "Linux"}
    name = next((name for mark, name in names.items() if mark in user_agent), user_agent[:40] or "–")
    system = next((system for mark, system in systems.items() if mark in user_agent), None)
    return f"{name}, {system}" if system else name


@router.post("/me/password")
def change_password(request: Request, me: Signed, sent: Sent) -> Response:
    """Choose another password; other sessions end."""
    old, new, again = (str(sent.get(name, "")) for name in ("old", "new", "again"))
    try:
        if new != again:
            raise Refused("passwords_differ", "The new passwords differ.", "Le nuove password sono diverse.")
        users.change_password(me.app, me.user, old, new, me.token)
    except Refused as refused:
        return _myself(request, me, "", refused.sentence(me.language))
    return RedirectResponse("/me?changed=true", 303)


@router.post("/me/sessions/{session}/end")
def end_session(session: str, me: Signed, _sent: Sent) -> Response:
    """End one of the visitor's sessions."""
    users.end_session(me.app, me.user, session)
    return RedirectResponse("/me", 303)


@router.get("/")
def home(me: Signed) -> Response:
    """Where work starts: the batches."""
    return RedirectResponse("/batches", 303)

"""Pages: templates filled in, in the reader's language and time zone, under a strict Content-Security-Policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel import dates, numbers
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from jobs.kinds.registry import KINDS
from licensing.fields import LANGUAGES, Language
from web import charts
from web.translations import said

WEB = Path(__file__).parent.parent
STATIC = WEB / "static"
_DIGEST, _DIGEST_SHOWN = re.compile(r"[0-9a-f]{40,}"), 12
_COMMAND = re.compile(r" (See|Vedere): keymill .*$")
LANGUAGE_COOKIE = "keymill_language"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with none at all browsers hide where a form comes from, even from us
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}


class Reader(NamedTuple):
    """Who reads a page: language, time zone and, once signed in, the visitor."""

    language: Language
    time_zone: str = "UTC"
    visitor: Any = None


def page(request: Request, reader: Reader, template: str, status: int = 200, **values: Any) -> Response:
    """A page of the portal."""
    found = (
        _environment()
        .get_template(template)
        .render(
            request=request, path=request.url.path, reader=reader, me=reader.visitor, language=reader.language, **values
        )
    )
    return HTMLResponse(found, status, headers=HEADERS)


def first_of(found: list[dict[str, Any]], most: int, key: str) -> tuple[list[dict[str, Any]], Any]:
    """A page of what was found when one more was asked for than it holds: its rows, and by what its last one is known
    where more come after it (None: nothing does).
    """
    return found[:most], found[most - 1][key] if len(found) > most else None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "t": _said,
        "static": static,
        "charts": charts,
        "kind_title": _kind_title,
        "languages": LANGUAGES,
        "with_query": with_query,
    }
    environment.filters |= {
        "number": _in_language(_number),
        "bytes": _in_language(_bytes),
        "moment": _moment,
        "day": _in_language(_day),
        "short": _short,
        "on_page": on_page,
    }
    return environment


@cache
def static(name: str) -> str:
    """The address of an asset; it changes with its content, so that browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def with_query(request: Request, **changed: object) -> str:
    """The address of the page with other values in its query; None leaves one out."""
    values = {**dict(request.query_params), **changed}
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return f"{request.url.path}?{query}" if query else request.url.path


def on_page(sentence: str) -> str:
    """A sentence without the command that a terminal is told besides."""
    return _COMMAND.sub("", sentence)


@pass_context
def _said(context: Context, name: str, /, **values: object) -> str:
    return said(context["language"], name, **values)


@pass_context
def _kind_title(context: Context, kind: str) -> str:
    language: Language = context["language"]
    return KINDS[kind].title[language] if kind in KINDS else kind


def _in_language(shown: Callable[[Any, Language], str]) -> Callable[..., str]:
    @pass_context
    def filtered(context: Context, value: Any) -> str:
        return "–" if value is None else shown(value, context["language"])

    return filtered


def _number(value: int | float | Decimal, language: Language) -> str:
    return numbers.format_decimal(value, locale=language)


def _bytes(value: int, language: Language) -> str:
    """A size as people say it."""
    size, unit = float(value), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{numbers.format_decimal(round(size, 1 if unit != 'B' else 0), locale=language)} {unit}"


def _short(value: Any) -> str:
    """A digest by its beginning, which tells it from the others; anything else as it is."""
    text = str(value)
    return f"{text[:_DIGEST_SHOWN]}…" if _DIGEST.fullmatch(text) else text


def _day(value: date | str, language: Language) -> str:
    found = date.fromisoformat(value) if isinstance(value, str) else value
    return dates.format_date(found, "d MMM y", locale=language)


@pass_context
def _moment(context: Context, value: datetime | str | None) -> Markup | str:
    """A moment in the reader's time zone, exact for machines."""
    if value is None:
        return "–"
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    reader: Reader = context["reader"]
    local = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(ZoneInfo(reader.time_zone))
    shown = dates.format_datetime(local, "d MMM y, HH:mm", locale=reader.language)
    exact = local.isoformat(timespec="seconds")
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(exact, shown)

"""Licenses: searched, shown with everything about them, annotated and shared; and the software that they cover."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, get_args

import segno
from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from jobs import covering, searching
from jobs.refusals import Refused
from signing.license_files import license_file
from signing.tokens import claims_of
from web import auditing
from web.api.licenses import State
from web.portal import one_row
from web.portal.batches import attachment
from web.portal.pages import first_of, page
from web.portal.visitors import Sent, Signed, Visitor, nothing_here, text_of

router = APIRouter()
PAGE = 25
_AT_ONCE = 2_000  # licenses whose software is listed on a page
Text = Annotated[str, Query(max_length=300)]


@router.get("/licenses")
def search(
    request: Request,
    me: Signed,
    number: Text = "",
    customer: Text = "",
    product: Text = "",
    host: Text = "",
    state: Text = "",
    data: Text = "",
    after: Text = "",
) -> Response:
    """Licenses that the account holds, acts for or was shared, newest first."""
    if number:
        return RedirectResponse(f"/licenses/{searching.license(me.seen, number)['number']}", 303)
    given = {"customer": customer, "product": product, "host": host, "state": state, "after": after}
    found: list[dict[str, Any]] = []
    refused = None
    try:
        filters = {name: value.strip() for name, value in given.items() if value.strip()}
        found = searching.licenses(me.seen, filters, [data] if data.strip() else [], PAGE + 1)
    except Refused as problem:
        refused = problem.sentence(me.language)
    shown, more = first_of(found, PAGE, "number")
    return page(
        request,
        me.reader,
        "licenses.html",
        422 if refused else 200,
        licenses=shown,
        next=more,
        given=given | {"data": data},
        states=get_args(State),
        is_filtered=any(given.values()) or bool(data),
        refused=refused,
    )


@router.get("/licenses/{number}")
def show(
    request: Request, number: str, me: Signed, batch: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
) -> Response:
    """Everything about a license, its key included: that is written into the audit log."""
    return _show(request, number, me, one_row.answer(me, batch) if batch else None, batch)


def _show(
    request: Request, number: str, me: Visitor, told: tuple[bool, str] | None, batch: int | None = None
) -> Response:
    found = searching.license(me.seen, number)
    auditing.saw_keys(me, "key.read", f"license {found['number']}")
    return page(
        request,
        me.reader,
        "license.html",
        200 if told is None or told[0] else 422,
        license=found,
        qr=_qr(found["key"]),
        files=covering.covered(me.app, [found["number"]]),
        told=told,
        batch=batch,
        changes=not me.is_vendor and me.permission != "read" and found["state"] == "active",
        once=secrets.token_hex(16),
    )


def _qr(key: str) -> Markup:
    """The key as a code that a phone reads. Markup is safe here: the library draws it."""
    drawn = segno.make(key, error="l", micro=False).svg_inline(border=1, omitsize=True, svgclass=None, lineclass=None)
    return Markup(drawn)  # noqa: S704


@router.get("/licenses/{number}/file")
def license_text(number: str, me: Signed) -> Response:
    """The ``.lic`` file of a license."""
    found = searching.license(me.seen, number)
    auditing.saw_keys(me, "key.read", f"license {found['number']}")
    text = license_file(found["key"], claims_of(found["key"]), found["company"])
    return attachment(iter([text.encode()]), f"{found['number']}.lic")


@router.post("/licenses/{number}/data")
def annotate(request: Request, number: str, me: Signed, sent: Sent) -> Response:
    """Keep a piece of the owner's own data beside a license."""
    cells = {text_of(sent, "name", 255): text_of(sent, "value")}
    return _changed(request, number, me, "annotate-licenses", cells, text_of(sent, "once"))


@router.post("/licenses/{number}/shares")
def share(request: Request, number: str, me: Signed, sent: Sent) -> Response:
    """Let another account read or manage a license, or withdraw it."""
    cells = {
        "with_account": text_of(sent, "with_account", 64),
        "permission": text_of(sent, "permission", 20),
    }
    return _changed(request, number, me, "share-licenses", cells, text_of(sent, "once"))


def _changed(request: Request, number: str, me: Visitor, kind: str, cells: dict[str, str], once: str) -> Response:
    me.require("submit")
    number = searching.license(me.seen, number)["number"]
    try:
        batch = one_row.send(me, kind, {"license": number} | cells, once)
    except Refused as refused:
        return _show(request, number, me, (False, refused.sentence(me.language)))
    return RedirectResponse(f"/licenses/{number}?batch={batch}", 303)


@router.get("/downloads")
def downloads(request: Request, me: Signed, after: Text = "") -> Response:
    """The software that the account's active licenses cover, newest release first."""
    filters = {"state": "active"} | ({"after": after} if after else {})
    found = searching.licenses(me.seen, filters, (), _AT_ONCE + 1)
    files: dict[tuple[Any, ...], Any] = {}
    for one in covering.covered(me.app, [license["number"] for license in found[:_AT_ONCE]]):
        files.setdefault((one.sku, one.version, one.file), one)
    ordered = sorted(files.values(), key=lambda one: (one.sku, -_ordinal(one), one.version, one.file.name))
    more = found[_AT_ONCE - 1]["number"] if len(found) > _AT_ONCE else None
    return page(request, me.reader, "downloads.html", files=ordered, next=more, licenses=len(found[:_AT_ONCE]))


def _ordinal(one: Any) -> int:
    return one.release_date.toordinal() if one.release_date else 0


@router.get("/licenses/{number}/downloads/{sha256}")
def download(number: str, sha256: str, me: Signed) -> Response:
    """A file that a license covers."""
    found = searching.license(me.seen, number)
    files = [one.file for one in covering.covered(me.app, [found["number"]]) if one.file.sha256 == sha256]
    if not files:
        raise nothing_here()
    auditing.saw_keys(me, "software.fetched", f"license {found['number']}", file=files[0].name)
    return attachment(me.app.store.get(files[0].object_name), files[0].name, size=files[0].size)

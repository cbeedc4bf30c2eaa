"""Sending a file: chosen, looked at (what kind is it for, what are its columns), then accepted as a batch."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from importers.guessing import Fit
from importers.headers import header_key
from jobs import guessing, intake, uploads
from jobs.kind import Kind
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from models import audit, batches, header_mappings
from models.database import transaction
from models.tenancy import tenant
from models.uploads import Upload
from web.api.kinds import template as template_of
from web.portal.forms import SentFile, sent_file
from web.portal.pages import page
from web.portal.visitors import CSRF, Sent, Signed, Visitor, check_csrf, text_of

router = APIRouter()
_FIELD = "column:"  # what the selects of the mapping are called, before the title's key


def kinds_of(me: Visitor) -> list[Kind]:
    """The kinds that a visitor's account may send, in the order of their titles."""
    found = [kind for kind in KINDS.values() if me.account_type in kind.senders]
    return sorted(found, key=lambda kind: kind.title[me.language])


@router.get("/upload")
def choose(request: Request, me: Signed) -> Response:
    """Choose a file; templates to fill in."""
    me.require("submit")
    return _choose(request, me, None)


def _choose(request: Request, me: Visitor, refused: str | None) -> Response:
    most = me.app.settings.limits.file_bytes
    status = 422 if refused else 200
    return page(request, me.reader, "upload.html", status, kinds=kinds_of(me), most=most, refused=refused)


@router.get("/templates/{kind}")
def template(kind: str, me: Signed, form: Annotated[str, Query(alias="format")] = "xlsx") -> Response:
    """The template of a kind."""
    return template_of(kind, me, "csv" if form == "csv" else "xlsx", me.language)


@router.post("/upload")
async def receive(request: Request, me: Signed) -> Response:
    """Take a file and keep it until its sender has said what it is for."""
    me.require("submit")
    try:
        async with sent_file(request, me.app.settings.limits.file_bytes) as sent:
            check_csrf(me, sent.fields.get(CSRF))
            upload = await run_in_threadpool(_keep, me, sent)
    except Refused as refused:
        return await run_in_threadpool(_choose, request, me, refused.sentence(me.language))
    address = f"/uploads/{upload.id}"
    if "application/json" in request.headers.get("accept", ""):  # the page's script follows by itself
        return Response(status_code=201, headers={"Location": address})
    return RedirectResponse(address, 303)


def _keep(me: Visitor, sent: SentFile) -> Upload:
    upload = uploads.start(me.app, me.account_id, sent.filename, sent.size, sent.sha256)
    uploads.extend(me.app, upload, 0, sent.path)
    return upload


@router.get("/uploads/{upload}")
def check(
    request: Request, upload: str, me: Signed, kind: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Show what the file was taken for and why, and let its sender say otherwise."""
    me.require("submit")
    return _check(request, me, uploads.find(me.seen, upload), kind, None)


def _check(request: Request, me: Visitor, upload: Upload, wanted: str | None, refused: str | None) -> Response:
    chosen, sentence = wanted, None
    try:
        look = _look(me, upload)
        if chosen is None:
            guess = look.guess()
            chosen, sentence = guess.kind, guess.sentence(me.language)
    except Refused as problem:
        if problem.code != "kind_unclear":
            refused = problem.sentence(me.language)
            return page(request, me.reader, "check.html", 422, upload=upload, refused=refused, kind=None)
        sentence = problem.sentence(me.language).removesuffix(guessing.ADVICE[me.language])
    kind = KINDS.get(chosen or "")
    values: dict[str, Any] = {"kind": kind, "kinds": kinds_of(me), "sentence": sentence, "wanted": wanted}
    if kind is not None:
        values |= _columns(kind, look, _remembered(me, kind.name))
    return page(request, me.reader, "check.html", 422 if refused else 200, upload=upload, refused=refused, **values)


def _look(me: Visitor, upload: Upload) -> guessing.Look:
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        path = Path(folder) / "body"
        uploads.assemble(me.app, upload, path)
        return guessing.look(me.app, me.account, path, {})


def _remembered(me: Visitor, kind: str) -> dict[str, str]:
    """What the account's own titles stand for, by their keys."""
    with tenant(me.app.engine, me.account_id) as connection:
        return header_mappings.of_account(connection, me.account_id).get(kind, {})


def _columns(kind: Kind, look: guessing.Look, remembered: dict[str, str]) -> dict[str, Any]:
    """The file's columns: those that were matched, and those whose meaning a person says or said.

    ``open``: title and field by the title's key; ``free``: the fields that they may stand for.
    """
    fit = next((fit for fit in look.fits if fit.kind == kind.name), None)
    fit = fit or Fit(kind.name, {}, (), tuple(f.name for f in kind.fields if f.required), others=look.titles)
    fields = {field.name: field for field in kind.fields}
    by_hand = {name: title for name, title in fit.titles.items() if remembered.get(header_key(title)) == name}
    said = {header_key(title): (title, name) for name, title in by_hand.items()}
    return {
        "matched": [(title, fields[name]) for name, title in fit.titles.items() if name not in by_hand],
        "open": said | {key: (title, "") for title in fit.others if (key := header_key(title))},
        "missing": [fields[name] for name in fit.missing],
        "free": [field for field in kind.fields if field.name not in fit.titles or field.name in by_hand],
        "layout": fit.layout,
    }


@router.post("/uploads/{upload}")
def send(request: Request, upload: str, me: Signed, sent: Sent) -> Response:
    """Remember what columns were said to be, and accept the file as a batch. Sending it twice is the same as once."""
    me.require("submit")
    kind, key = text_of(sent, "kind"), _request_key(upload, sent)
    with tenant(me.app.engine, me.account_id) as connection:
        earlier = batches.by_request_key(connection, me.account_id, key)
    if earlier is not None:
        return RedirectResponse(f"/batches/{earlier.id}", 303)
    found = uploads.find(me.seen, upload)
    try:
        _remember(me, kind, sent)
        accepted = _accept(me, found, kind, key, sent)
    except Refused as refused:
        return _check(request, me, found, kind, refused.sentence(me.language))
    uploads.forget(me.app, found)
    return RedirectResponse(f"/batches/{accepted.batch_id}", 303)


@router.post("/uploads/{upload}/drop")
def drop(upload: str, me: Signed, _sent: Sent) -> Response:
    """Give a file up, and choose another one."""
    me.require("submit")
    uploads.forget(me.app, uploads.find(me.seen, upload))
    return RedirectResponse("/upload", 303)


def _request_key(upload: str, sent: FormData) -> str:
    """What makes a form the same when it is sent again: the file and all that was said of it."""
    asked = sorted((name, str(value)) for name, value in sent.multi_items() if name != CSRF)
    return f"web:{upload}:{hashlib.sha256(repr(asked).encode()).hexdigest()[:12]}"


def _remember(me: Visitor, kind: str, sent: FormData) -> None:
    """Keep the mapping that was made by hand. Raises :class:`Refused` where two titles are said to be the same."""
    known = {field.name for field in KINDS[kind].fields} if kind in KINDS else set[str]()
    mapped = {name.removeprefix(_FIELD): text_of(sent, name) for name in sent if name.startswith(_FIELD)}
    mapped = {key: field for key, field in mapped.items() if key == header_key(key) and (field in known or not field)}
    chosen = [field for field in mapped.values() if field]
    if len(set(chosen)) < len(chosen):
        raise Refused(
            "column_chosen_twice",
            "Two columns were given the same meaning. Choose one of them.",
            "A due colonne è stato dato lo stesso significato. Sceglierne una.",
        )
    if chosen or mapped.keys() & _remembered(me, kind):
        with transaction(me.app.engine) as connection:
            header_mappings.save(connection, me.account_id, kind, mapped)
            audit.record(connection, me.actor, "headers.mapped", f"account {me.account}", kind=kind, mapped=mapped)


def _accept(me: Visitor, upload: Upload, kind: str, key: str, sent: FormData) -> intake.Accepted:
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        path = Path(folder) / "body"
        uploads.assemble(me.app, upload, path)
        request = intake.Request(
            account=me.account,
            kind=kind,
            path=path,
            filename=upload.filename,
            request_key=key,
            confirm="ask",
            on_error="stop" if sent.get("on_error") == "stop" else "continue",
            language=me.language,
            door="web",
            actor=me.actor,
        )
        return intake.accept(me.app, request)

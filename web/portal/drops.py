"""SFTP drops, for the vendor's operators: how they stand; added once a person has compared the host key, removed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from jobs import drops
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from models.drops import Drop
from storage.drops import DropProblem
from web.portal.pages import page
from web.portal.visitors import Operator, Sent, Visitor, nothing_here, text_of

router = APIRouter(prefix="/operations/drops")
_FILES = 10
_FOLDERS = 3  # that a form has room for
FIELDS = ("name", "account", "host", "port", "login", "key_name", "pattern", "settle", "marker")
_USUAL = {"port": "22", "pattern": "*", "settle": "30"}


@router.get("")
def listed(request: Request, me: Operator) -> Response:
    """The SFTP drops that are looked into, what goes wrong there, and the latest files of each."""
    return _listed(request, me)


def _listed(request: Request, me: Visitor, given: FormData | None = None, refused: str | None = None) -> Response:
    found = [(one, drops.latest_files(me.app, one.name, _FILES)) for one in drops.every(me.app)]
    values = dict.fromkeys(FIELDS, "") | _USUAL
    if given is not None:
        values = {name: text_of(given, name, 300) for name in FIELDS}
    return page(
        request,
        me.reader,
        "drops.html",
        422 if refused else 200,
        drops=found,
        given=values,
        folders=(_folders(given) + [("", "")] * _FOLDERS)[:_FOLDERS],
        kinds=sorted(KINDS),
        key_folder=drops.key_folder(me.app),
        is_open=given is not None or not found,
        refused=refused,
    )


def _folders(given: FormData | None) -> list[tuple[str, str]]:
    """The folders of a form with their kinds, without those that were left empty."""
    if given is None:
        return []
    pairs = zip(given.getlist("folder"), given.getlist("kind"), strict=False)
    return [(str(folder).strip()[:300], str(kind)[:64]) for folder, kind in pairs if str(folder).strip()]


@router.post("")
def add(request: Request, me: Operator, sent: Sent) -> Response:
    """Show the host key that a server has; once somebody has compared it, look into the drop from now on."""
    me.require("manage")
    try:
        drop = _drop(me, sent)
        if sent.get("is_compared"):
            drops.add(me.app, drop, actor=me.actor)
            return RedirectResponse("/operations/drops", 303)
        found, fingerprint = drops.prepared(me.app, drop)
    except Refused as refused:
        return _listed(request, me, sent, refused.sentence(me.language))
    except DropProblem as problem:
        return _listed(request, me, sent, problem.it if me.language == "it" else problem.en)
    kept: dict[str, Any] = {name: text_of(sent, name, 300) for name in FIELDS}
    return page(
        request, me.reader, "drop.html", drop=found, fingerprint=fingerprint, given=kept, folders=_folders(sent)
    )


def _drop(me: Visitor, sent: FormData) -> Drop:
    """The drop that a form describes. Raises :class:`Refused`."""
    return Drop(
        name=text_of(sent, "name", 60),
        account=text_of(sent, "account", 64),
        host=text_of(sent, "host", 253),
        port=_number(text_of(sent, "port", 5)),
        login=text_of(sent, "login", 100),
        host_key=text_of(sent, "host_key"),
        key_file=drops.key_file(me.app, text_of(sent, "key_name", 60)),
        folders=drops.folders_of(f"{folder}={kind}" for folder, kind in _folders(sent)),
        pattern=text_of(sent, "pattern", 200) or "*",
        settle_seconds=_number(text_of(sent, "settle", 6)),
        marker=text_of(sent, "marker", 40),
    )


def _number(text: str) -> int:
    """A number of a form; one that no drop may have where it is none."""
    return int(text) if text.isascii() and text.isdigit() else -1


@router.post("/{name}")
def change(name: str, me: Operator, sent: Sent) -> Response:
    """Look into a drop no more, or again, or forget it."""
    me.require("manage")
    action = text_of(sent, "action")
    if action == "remove":
        drops.remove(me.app, name, force=bool(sent.get("force")), actor=me.actor)
    elif action in ("pause", "resume"):
        drops.set_state(me.app, name, "paused" if action == "pause" else "active", actor=me.actor)
    else:
        raise nothing_here()
    return RedirectResponse("/operations/drops", 303)

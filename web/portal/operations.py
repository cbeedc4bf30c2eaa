"""Operations, for the vendor's operators only: the work of everybody, processes, keys, the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from jobs import keys, operating
from jobs.kinds.registry import KINDS
from models import operations
from models.database import transaction
from web.portal.pages import first_of, page
from web.portal.visitors import Operator, Sent, text_of

router = APIRouter(prefix="/operations")
PAGE = 50
STATES = ("received", "reading", "previewed", "running", "exporting")
Text = Annotated[str, Query(max_length=200)]
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


@router.get("")
def work(request: Request, me: Operator, account: Text = "", state: Text = "", before: Before = None) -> Response:
    """What is under way, and what stands still and why."""
    return _work(request, me, account=account, state=state, before=before)


def _work(
    request: Request, me: Operator, *, account: str = "", state: str = "", before: int | None = None,
    refused: list[str] | None = None,
) -> Response:  # fmt: skip
    found = operating.overview(me.app)
    with transaction(me.app.engine) as connection:
        rows = operations.under_way(
            connection, account=account.strip() or None, state=state or None, before=before, limit=PAGE + 1
        )
        parked = operations.parked(connection, before=None, limit=PAGE)
    workers_alive = sum(one["is_alive"] and one["role"] == "worker" for one in found["processes"])
    shown, more = first_of(rows, PAGE, "batch")
    return page(
        request,
        me.reader,
        "operations.html",
        422 if refused else 200,
        rows=[row | {"why": _why(row, workers_alive)} for row in shown],
        next=more,
        parked=parked,
        states=STATES,
        account=account,
        state=state,
        kinds=sorted(KINDS),
        refused=refused or [],
        is_filtered=bool(account or state or before),
        workers_alive=workers_alive,
        **found,
    )


def _why(row: dict[str, Any], workers_alive: int) -> str:
    """The name of the sentence that says what a batch waits for."""
    if row["paused"]:
        return "paused"
    if row["state"] == "previewed":
        return "second_person" if row["asked_by"] else "sender"
    if row["leased"]:
        return "cancelling" if row["cancelling"] else "works"
    if row["waiting"]:
        return "failed" if row["attempts"] else "turn" if workers_alive else "no_workers"
    return "earlier"


@router.post("/batches")
def act(request: Request, me: Operator, sent: Sent) -> Response:
    """Retry or cancel the batches that were ticked."""
    me.require("submit")
    chosen = [int(str(one)) for one in sent.getlist("batch") if str(one).isdigit()]
    action = "retry" if text_of(sent, "action") == "retry" else "cancel"
    refused = operating.for_each(me.app, chosen, action, actor=me.actor)
    if refused:
        return _work(request, me, refused=[one.sentence(me.language) for one in refused])
    return RedirectResponse("/operations", 303)


@router.post("/kinds")
def pause(me: Operator, sent: Sent) -> Response:
    """Pause a kind, or let it go on."""
    me.require("manage")
    operating.pause(me.app, text_of(sent, "kind", 64), actor=me.actor, on=text_of(sent, "action") == "pause")
    return RedirectResponse("/operations", 303)


@router.get("/keys")
def signing_keys(request: Request, me: Operator) -> Response:
    """The signing keys: the newest signs, all of them verify."""
    return page(request, me.reader, "keys.html", keys=list(reversed(keys.list_keys(me.app.engine))))


@router.post("/keys")
def rotate(me: Operator, _sent: Sent) -> Response:
    """Sign with a new key from now on."""
    me.require("manage")
    keys.rotate(me.app.engine, me.app.kek, actor=me.actor)
    return RedirectResponse("/operations/keys", 303)


@router.get("/audit")
def audit(
    request: Request, me: Operator, actor: Text = "", action: Text = "", subject: Text = "", before: Before = None
) -> Response:
    """Who did what, when; newest first."""
    given = {"actor": actor.strip(), "action": action.strip(), "subject": subject.strip()}
    like = {name: f"%{value}%" if value else None for name, value in given.items()}
    with transaction(me.app.engine) as connection:
        found = operations.audit_entries(connection, before=before, limit=PAGE + 1, **like)
    shown, more = first_of(found, PAGE, "id")
    return page(
        request, me.reader, "audit.html", entries=shown, next=more, given=given,
        is_filtered=any(given.values()) or before is not None,
    )  # fmt: skip

"""Notifications of an account: webhooks, mail addresses, and what became of each message, with a second try."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from jobs import endpoints
from jobs.refusals import Refused
from licensing.fields import LANGUAGES
from models.accounts import Account
from models.outbox import TYPES
from web.portal.accounts import Managed
from web.portal.pages import first_of, page
from web.portal.visitors import Operator, Sent, Signed, Visitor, nothing_here, text_of

router = APIRouter()
HERE = "/accounts/{number}/notifications"
PAGE = 25
STATES = ("waiting", "delivered", "failed")
KEEP_HOURS = 24  # that older secrets sign beside a new one, as for programs
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
State = Annotated[str, Query(max_length=20)]
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


@router.get(HERE)
def show(request: Request, me: Signed, account: Managed, state: State = "", before: Before = None) -> Response:
    """Where an account's messages go, and what became of them."""
    return _show(request, me, account, state=state, before=before)


def _show(
    request: Request, me: Visitor, account: Account, *, state: str = "", before: int | None = None,
    refused: str | None = None, given: FormData | None = None, form: str = "", edited: int | None = None, **told: Any,
) -> Response:  # fmt: skip
    """``given``: the form (``form``: webhook or mail, ``edited``: of this webhook) that is shown again as it was."""
    here = HERE.format(number=account.number)
    filled = {name: text_of(given, name) if given else "" for name in ("url", "address", "language")}
    return page(
        request,
        me.reader,
        "notifications.html",
        422 if refused else 200,
        account=account,
        here=here,
        webhooks=endpoints.listed(me.seen, account.id, language=me.language),
        mails=endpoints.mails(me.seen, account.id),
        has_mail=bool(me.app.settings.smtp_url),
        types=[one for one in TYPES if account.type == "vendor" or one != "schedule.failed"],
        spoken=LANGUAGES,
        form=form,
        edited=edited,
        given=filled | {"types": given.getlist("types") if given else []},
        refused=refused,
        told=told,
        keep_hours=KEEP_HOURS,
        **_log(me, here, account.id, state, before),
    )


def _log(me: Visitor, here: str, account_id: int | None, state: str, before: int | None) -> dict[str, Any]:
    """A page of the delivery log, of an account or of all, and the address of the next one."""
    state = state if state in STATES else ""
    found = endpoints.deliveries(
        me.seen, account_id=account_id, state=state or None, before=before, limit=PAGE + 1, language=me.language
    )
    shown, more = first_of(found, PAGE, "id")
    kept = {"state": state}
    known = {one["id"] for one in endpoints.listed(me.seen, account_id)}
    return {
        "deliveries": [one | {"is_replayable": one["endpoint"] in known | {None}} for one in shown],
        "states": STATES,
        "state": state,
        "first": f"{here}?{urlencode(kept)}" if before else None,
        "next": f"{here}?{urlencode(kept | {'before': more})}" if more else None,
    }


def _back(account: Account) -> Response:
    return RedirectResponse(HERE.format(number=account.number), 303)


def _types(sent: FormData) -> list[str] | None:
    """The events that were ticked; None ticked: all of them."""
    return [str(one) for one in sent.getlist("types")] or None


@router.post(HERE + "/webhooks")
def add_webhook(request: Request, me: Signed, account: Managed, sent: Sent) -> Response:
    """Send the account's events to an address; the secret is shown once."""
    url = text_of(sent, "url", endpoints.LONGEST_URL + 1)
    try:
        made = endpoints.add(me.app, account.number, url, _types(sent), actor=me.actor)
    except Refused as refused:
        return _show(
            request, me, account, refused=refused.sentence(me.language), given=sent, form="webhook"
        )  # fmt: skip
    return _show(request, me, account, url=url, secret=made.secret)


@router.post(HERE + "/webhooks/{webhook}/{action}")
def change_webhook(
    request: Request, webhook: Number, action: str, me: Signed, account: Managed, sent: Sent
) -> Response:
    """Change, pause or try a webhook, let it go on, give it a new secret, send what failed again, or remove it."""
    url = next((one["url"] for one in endpoints.listed(me.seen, account.id) if one["id"] == webhook), None)
    if url is None:
        raise nothing_here()
    match action:
        case "change":
            changes: endpoints.Changes = {
                "url": text_of(sent, "url", endpoints.LONGEST_URL + 1), "types": _types(sent)
            }  # fmt: skip
            try:
                endpoints.edit(me.app, webhook, changes, actor=me.actor)
            except Refused as refused:
                return _show(
                    request, me, account, refused=refused.sentence(me.language), given=sent, edited=webhook
                )  # fmt: skip
        case "pause":
            endpoints.change(me.app, webhook, "paused", actor=me.actor)
        case "resume":
            endpoints.change(me.app, webhook, "active", actor=me.actor)
        case "remove":
            endpoints.change(me.app, webhook, "removed", actor=me.actor)
        case "secret":
            secret = endpoints.rotate(me.app, webhook, KEEP_HOURS, actor=me.actor)
            return _show(request, me, account, url=url, secret=secret, is_rotated=True)
        case "test":
            tried = endpoints.send_test(me.app, webhook, actor=me.actor)
            return _show(request, me, account, url=url, tried=tried)
        case "replay":
            count = endpoints.replay(me.app, endpoint_id=webhook, actor=me.actor)
            return _show(request, me, account, replayed=count)
        case _:
            raise nothing_here()
    return _back(account)


@router.post(HERE + "/mails")
def set_mail(request: Request, me: Signed, account: Managed, sent: Sent) -> Response:
    """Say what an address gets, in which language; it replaces what was said of it before."""
    language = next((one for one in LANGUAGES if one == text_of(sent, "language", 2)), None)
    address = text_of(sent, "address", 255)
    try:
        endpoints.subscribe(me.app, account.number, address, _types(sent), language, actor=me.actor)
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language), given=sent, form="mail")
    return _back(account)


@router.post(HERE + "/mails/remove")
def remove_mail(me: Signed, account: Managed, sent: Sent) -> Response:
    """Send an address nothing more."""
    endpoints.unsubscribe(me.app, account.number, text_of(sent, "address", 255), actor=me.actor)
    return _back(account)


@router.post(HERE + "/mails/replay")
def replay_mails(request: Request, me: Signed, account: Managed, sent: Sent) -> Response:
    """Send all mails to an address again that failed."""
    try:
        count = endpoints.replay_mails(me.app, account.number, text_of(sent, "address", 255), actor=me.actor)
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))
    return _show(request, me, account, replayed=count)


@router.post(HERE + "/deliveries/{delivery}/replay")
def replay(request: Request, delivery: Number, me: Signed, account: Managed, _sent: Sent) -> Response:
    """Send a message again, whether it arrived or not, under the same id."""
    endpoints.find_delivery(me.seen, delivery)
    try:
        count = endpoints.replay(me.app, delivery_id=delivery, actor=me.actor)
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))
    return _show(request, me, account, replayed=count)


@router.get("/operations/deliveries")
def of_all(request: Request, me: Operator, state: State = "failed", before: Before = None) -> Response:
    """What became of the messages of every account; those that failed, unless others are asked for."""
    me.require("manage")
    return _of_all(request, me, state, before)


def _of_all(
    request: Request, me: Visitor, state: str, before: int | None = None, refused: str | None = None, **told: Any
) -> Response:
    found = _log(me, "/operations/deliveries", None, state, before)
    return page(
        request, me.reader, "deliveries.html", 422 if refused else 200, refused=refused, told=told, **found
    )  # fmt: skip


@router.post("/operations/deliveries/{delivery}/replay")
def replay_any(request: Request, delivery: Number, me: Operator, _sent: Sent) -> Response:
    """Send a message of any account again."""
    me.require("manage")
    try:
        count = endpoints.replay(me.app, delivery_id=delivery, actor=me.actor)
    except Refused as refused:
        return _of_all(request, me, "failed", refused=refused.sentence(me.language))
    return _of_all(request, me, "failed", replayed=count)

"""Accounts: the list for operators, and one with its users, API tokens and rules, for those who manage it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from jobs import accounts, api_tokens, ssh_keys, users
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from licensing.permissions import PERMISSIONS, Permission
from models.accounts import Account
from web.portal import one_row
from web.portal.pages import first_of, page
from web.portal.visitors import Operator, Sent, Signed, Visitor, nothing_here, text_of

router = APIRouter(prefix="/accounts")
PAGE = 25
_COLUMNS = ("account", "name", "type", "email", "country")
TYPES = ("vendor", "oem", "distributor", "customer")
Text = Annotated[str, Query(max_length=200)]


def _managed(number: str, me: Signed) -> Account:
    """The account of a page: the visitor's own, or any for the vendor; for those who may manage it."""
    try:
        found = accounts.find(me.seen, number)
    except Refused as refused:
        raise nothing_here() from refused
    if not me.is_vendor and found.id != me.account_id:
        raise nothing_here()
    me.require("manage")
    return found


Managed = Annotated[Account, Depends(_managed)]


@router.get("")
def listed(
    request: Request, me: Operator, text: Text = "", type_: Annotated[str, Query(alias="type")] = "", after: Text = ""
) -> Response:
    """Every account, by number."""
    return _listed(request, me, text.strip(), type_, after)


def _listed(
    request: Request, me: Visitor, text: str = "", type_: str = "", after: str = "", *,
    refused: str | None = None, given: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    found = accounts.listed(me.seen, text=text, type_=type_, after=after or None, limit=PAGE + 1)
    shown, more = first_of(found, PAGE, "number")
    return page(
        request,
        me.reader,
        "accounts.html",
        422 if refused else 200,
        accounts=shown,
        next=more,
        text=text,
        type=type_,
        types=TYPES,
        refused=refused,
        given=given or dict.fromkeys(_COLUMNS, ""),
        once=secrets.token_hex(16),
    )


@router.post("")
def add(request: Request, me: Operator, sent: Sent) -> Response:
    """Add an account: a batch of one row, as every change of accounts is."""
    me.require("manage")
    given = {name: text_of(sent, name, 254) for name in _COLUMNS}
    try:
        if accounts.exists(me.seen, given["account"]):
            raise Refused(
                "account_exists",
                f"There is an account {given['account']} already.",
                f"Esiste già un account {given['account']}.",
            )
        return _sent(me, given, text_of(sent, "once", 64))
    except Refused as refused:
        return _listed(request, me, refused=refused.sentence(me.language), given=given)


def _sent(me: Visitor, cells: dict[str, str], once: str) -> Response:
    """Send a row of an account; its page, or the batch while it is under way. Raises :class:`Refused`."""
    batch = one_row.send(me, "load-accounts", cells, once)
    told = one_row.answer(me, batch)
    if told is None:
        return RedirectResponse(f"/batches/{batch}", 303)
    if not told[0]:
        raise Refused("row_refused", told[1], told[1])
    return RedirectResponse(f"/accounts/{quote(cells['account'])}", 303)


@router.get("/{number}")
def show(request: Request, me: Signed, account: Managed) -> Response:
    """An account: who may sign in, what programs may call, and its rules."""
    return _show(request, me, account)


def _show(request: Request, me: Visitor, account: Account, *, refused: str | None = None, **made: Any) -> Response:
    kinds = sorted((k for k in KINDS.values() if account.type in k.senders), key=lambda k: k.title[me.language])
    return page(
        request,
        me.reader,
        "account.html",
        422 if refused else 200,
        account=account,
        users=users.listed(me.seen, account.number),
        ssh_keys=ssh_keys.list_keys(me.seen, account.number),
        tokens=api_tokens.listed(me.seen, account.number),
        permissions=PERMISSIONS,
        kinds=kinds,
        days=api_tokens.USUAL_DAYS,
        most_days=api_tokens.MOST_DAYS,
        refused=refused,
        made=made,
    )


def _back(account: Account) -> Response:
    return RedirectResponse(f"/accounts/{account.number}", 303)


@router.post("/{number}/users")
def add_user(request: Request, me: Signed, account: Managed, sent: Sent) -> Response:
    """Let another person sign in; the first password is shown once."""
    email = text_of(sent, "email", 254)
    try:
        password = accounts.add_user(
            me.app, account.number, email, text_of(sent, "name", 200), text_of(sent, "permission"), actor=me.actor,
            locale=me.language,
        )  # fmt: skip
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))
    return _show(request, me, account, email=email, password=password)


@router.post("/{number}/users/{user}/{action}")
def change_user(request: Request, user: int, action: str, me: Signed, account: Managed, _sent: Sent) -> Response:
    """Suspend a user, let one back in, or give one a new first password."""
    try:
        found = accounts.user_of(me.seen, account.number, user)
        if found["user"] == me.user.id:
            raise Refused("not_oneself", "Nobody does that to themselves.", "Nessuno può farlo a sé stesso.")
        if action == "suspend":
            users.suspend(me.app, found["email"], actor=me.actor)
        elif action == "readmit":
            accounts.readmit(me.app, account.number, user, actor=me.actor)
        elif action == "password":
            password = accounts.first_password()
            users.set_password(me.app, found["email"], password, actor=me.actor)
            return _show(request, me, account, email=found["email"], password=password)
        else:
            raise nothing_here()
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))
    return _back(account)


@router.post("/{number}/tokens")
def add_token(request: Request, me: Signed, account: Managed, sent: Sent) -> Response:
    """Make an API token; it is shown once."""
    kinds = [str(kind) for kind in sent.getlist("kinds") if kind]
    days = text_of(sent, "days", 5)
    wanted = text_of(sent, "permission")
    permission: Permission = next((one for one in PERMISSIONS if one == wanted), "read")
    try:
        made = api_tokens.create(
            me.app,
            account.number,
            text_of(sent, "name"),
            permission,
            actor=me.actor,
            kinds=kinds or None,
            days=int(days) if days.isascii() and days.isdigit() else 0,
        )
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))
    return _show(request, me, account, token=made["name"], secret=made["secret"])


@router.post("/{number}/tokens/{token}/revoke")
def revoke_token(token: int, me: Signed, account: Managed, _sent: Sent) -> Response:
    """End a token at once."""
    api_tokens.revoke(me.app, token, actor=me.actor, account_number=account.number)
    return _back(account)


@router.post("/{number}/ssh-keys")
def add_ssh_key(request: Request, me: Signed, account: Managed, sent: Sent) -> Response:
    """Let the account sign in by SFTP with another key."""
    comment = text_of(sent, "comment", 100)
    try:
        ssh_keys.add(
            me.app, account.number, text_of(sent, "public_key", 20_000), actor=me.actor, comment=comment or None
        )
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))
    return _back(account)


@router.post("/{number}/ssh-keys/{key}/revoke")
def revoke_ssh_key(key: int, me: Signed, account: Managed, _sent: Sent) -> Response:
    """End a key of the account for good."""
    for one in ssh_keys.list_keys(me.seen, account.number):
        if one.id == key:
            ssh_keys.revoke(me.app, one.fingerprint, actor=me.actor)
            return _back(account)
    raise nothing_here()


@router.post("/{number}/state")
def set_state(request: Request, me: Operator, account: Managed, sent: Sent) -> Response:
    """Suspend an account, or let it back in; the vendor's own stays."""
    state = text_of(sent, "state", 20)
    if account.id == me.account_id or state not in ("active", "suspended"):
        raise nothing_here()
    cells = {"account": account.number, "name": account.name, "type": account.type, "state": state}
    try:
        return _sent(me, cells, "")
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))


@router.post("/{number}/approval")
def set_approval(request: Request, me: Signed, account: Managed, sent: Sent) -> Response:
    """Say which batches need a second person."""
    try:
        accounts.set_approval(
            me.app, account.number, text_of(sent, "above", 12), bool(sent.get("revoking")), actor=me.actor
        )
    except Refused as refused:
        return _show(request, me, account, refused=refused.sentence(me.language))
    return _back(account)

"""Mail addresses that get the account's messages, for those who manage it."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from jobs import endpoints
from licensing.fields import Language
from models.outbox import EventType
from web.api.webhooks import Replayed
from web.callers import Keeper

router = APIRouter(prefix="/mails", tags=["mails"])


class Mail(BaseModel):
    """An address and what it gets: the account's own one, or one that was subscribed."""

    account: str
    address: str
    types: list[str] | None = Field(description="null: every type. None at all: nothing.")
    language: str | None = Field(description="null: the account's.")
    failed: int = Field(description="Mails that were given up.")


class Subscription(BaseModel):
    """What an address is to get from now on."""

    address: str = Field(min_length=3, max_length=254)
    types: list[EventType] | None = Field(
        default=None, max_length=20, description="Left out: every type. An empty list: nothing."
    )
    language: Language | None = Field(default=None, description="Left out: the account's.")


class Address(BaseModel):
    """One of the account's addresses."""

    address: str = Field(min_length=3, max_length=254)


class MailList(BaseModel):
    """The addresses of the account."""

    mails: list[Mail]


@router.get("", operation_id="list_mails")
def listed(caller: Keeper) -> MailList:
    """Who gets the account's messages: its own address, unless that was told otherwise, and those subscribed."""
    return MailList(mails=[Mail(**one) for one in endpoints.mails(caller.seen, caller.account_id)])


@router.put("", operation_id="subscribe")
def subscribe(wanted: Subscription, caller: Keeper) -> MailList:
    """Say what an address gets; it replaces what was said of it before."""
    endpoints.subscribe(caller.app, caller.account, wanted.address, wanted.types, wanted.language, actor=caller.actor)
    return listed(caller)


@router.post("/replay", operation_id="replay_mails")
def replay_all(wanted: Address, caller: Keeper) -> Replayed:
    """Send all mails to an address again that failed, under the same message ids."""
    count = endpoints.replay_mails(caller.app, caller.account, wanted.address, actor=caller.actor)
    return Replayed(replayed=count)

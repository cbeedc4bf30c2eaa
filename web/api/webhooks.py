"""Webhooks of the account and what became of their messages, for those who manage it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from jobs import endpoints
from models.outbox import EventType
from web.callers import Caller, Keeper

router = APIRouter(tags=["webhooks"])
MOST = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=MOST)]
Types = Annotated[list[EventType], Field(min_length=1, max_length=20)]


class Disabled(BaseModel):
    """Why nothing is sent to a webhook any more."""

    code: str
    sentence: str


class Webhook(BaseModel):
    """Where events of an account are sent."""

    webhook: int
    account: str
    url: str
    types: list[str] | None = Field(description="null: every type.")
    state: Literal["active", "paused", "disabled"]
    reason: Disabled | None
    failing_since: datetime | None
    created: datetime
    waiting: int = Field(description="Deliveries that are still to be made.")
    failed: int = Field(description="Deliveries that were given up.")


class NewWebhook(Webhook):
    """A webhook that was made just now."""

    secret: str = Field(description="What its messages are signed with. It cannot be shown again.")


class Wanted(BaseModel):
    """The webhook that is to be made."""

    url: str = Field(min_length=1, max_length=endpoints.LONGEST_URL, description="An https address.")
    types: Types | None = Field(default=None, description="Left out: every type.")


class Changes(BaseModel):
    """What is to be different of a webhook; what is left out stays."""

    url: str | None = Field(
        default=None, min_length=1, max_length=endpoints.LONGEST_URL, description="An https address; null: as it is."
    )
    types: Types | None = Field(default=None, description="null: every type.")


class WebhookList(BaseModel):
    """Webhooks, oldest first."""

    webhooks: list[Webhook]


class Rotation(BaseModel):
    """How a secret is to be replaced."""

    keep_hours: float = Field(default=24, ge=0, le=24 * 366, description="How long older secrets sign beside the new.")


class Secret(BaseModel):
    """The new secret of a webhook."""

    webhook: int
    secret: str = Field(description="It cannot be shown again.")


class Tested(BaseModel):
    """What a webhook said to a test message."""

    arrived: bool
    status: int | None = Field(description="HTTP status; null where no answer came.")
    answer: str


class Delivery(BaseModel):
    """One message for one receiver, a webhook or a mail address."""

    delivery: int
    message_id: str = Field(description="The same at every attempt and replay.")
    account: str
    type: str
    subject: str
    at: datetime
    to: str
    webhook: int | None = Field(description="null: a mail.")
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    status: int | None
    answer: str | None
    answered: datetime | None
    next: datetime | None = Field(description="When it is tried again.")


class DeliveryList(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[Delivery]
    next: int | None = Field(description="Give it as `before` for the next page; null on the last one.")


class Replayed(BaseModel):
    """How many deliveries are sent again."""

    replayed: int


@router.get("/webhooks", operation_id="list_webhooks")
def listed(caller: Keeper) -> WebhookList:
    """The account's webhooks with their state."""
    found = endpoints.listed(caller.seen, language=caller.language)
    return WebhookList(webhooks=[Webhook(**_renamed(one)) for one in found])


@router.post("/webhooks", operation_id="create_webhook", status_code=201)
def create(wanted: Wanted, caller: Keeper) -> NewWebhook:
    """Send the account's events to an address from now on."""
    made = endpoints.add(caller.app, caller.account, wanted.url, wanted.types, actor=caller.actor)
    return NewWebhook(**_renamed(endpoints.find(caller.seen, made.id)), secret=made.secret)


@router.patch("/webhooks/{webhook}", operation_id="change_webhook")
def edit(webhook: Number, wanted: Changes, caller: Keeper) -> Webhook:
    """Give it another address or other types; it keeps its secret and its log, and what waits goes to the new one."""
    endpoints.find(caller.seen, webhook)
    changes: endpoints.Changes = {}
    if wanted.url is not None:
        changes["url"] = wanted.url
    if "types" in wanted.model_fields_set:
        changes["types"] = wanted.types
    endpoints.edit(caller.app, webhook, changes, actor=caller.actor)
    return _shown(caller, webhook)


@router.post("/webhooks/{webhook}/pause", operation_id="pause_webhook")
def pause(webhook: Number, caller: Keeper) -> Webhook:
    """Let its messages wait."""
    return _changed(caller, webhook, "paused")


@router.post("/webhooks/{webhook}/resume", operation_id="resume_webhook")
def resume(webhook: Number, caller: Keeper) -> Webhook:
    """Let it go on after a pause, or after it was disabled."""
    return _changed(caller, webhook, "active")


@router.delete("/webhooks/{webhook}", operation_id="remove_webhook", status_code=204, response_class=Response)
def remove(webhook: Number, caller: Keeper) -> None:
    """Remove it; its deliveries stay in the log, what waits for it fails."""
    endpoints.find(caller.seen, webhook)
    endpoints.change(caller.app, webhook, "removed", actor=caller.actor)


@router.post("/webhooks/{webhook}/secret", operation_id="rotate_secret")
def rotate(webhook: Number, rotation: Rotation, caller: Keeper) -> Secret:
    """Make a new secret. Until the older ones end, every message has a signature of each."""
    endpoints.find(caller.seen, webhook)
    secret = endpoints.rotate(caller.app, webhook, rotation.keep_hours, actor=caller.actor)
    return Secret(webhook=webhook, secret=secret)


@router.post("/webhooks/{webhook}/test", operation_id="test_webhook")
def test(webhook: Number, caller: Keeper) -> Tested:
    """Send it a `webhook.test` event now, whatever its state and types."""
    endpoints.find(caller.seen, webhook)
    found = endpoints.send_test(caller.app, webhook, actor=caller.actor)
    return Tested(arrived=found.arrived, status=found.status, answer=found.told(caller.language)[:1000])


@router.post("/webhooks/{webhook}/replay", operation_id="replay_webhook")
def replay_all(webhook: Number, caller: Keeper) -> Replayed:
    """Send all again that failed, under the same message ids."""
    endpoints.find(caller.seen, webhook)
    return Replayed(replayed=endpoints.replay(caller.app, endpoint_id=webhook, actor=caller.actor))


@router.get("/deliveries", operation_id="list_deliveries")
def deliveries(
    caller: Keeper,
    webhook: Annotated[int | None, Query(ge=1, le=MOST, description="Only those of this webhook.")] = None,
    state: Literal["waiting", "delivered", "failed"] | None = None,
    before: Annotated[int | None, Query(ge=1, le=MOST)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryList:
    """What became of the account's messages, by webhook and by mail: attempts, and the last answer."""
    found = endpoints.deliveries(
        caller.seen, endpoint_id=webhook, state=state, before=before, limit=limit + 1, language=caller.language
    )
    shown = [Delivery(**one, delivery=one["id"], webhook=one["endpoint"]) for one in found[:limit]]
    return DeliveryList(deliveries=shown, next=shown[-1].delivery if len(found) > limit else None)


@router.post("/deliveries/{delivery}/replay", operation_id="replay_delivery")
def replay(delivery: Number, caller: Keeper) -> Replayed:
    """Send one again, whether it arrived or not, under the same message id."""
    endpoints.find_delivery(caller.seen, delivery)
    return Replayed(replayed=endpoints.replay(caller.app, delivery_id=delivery, actor=caller.actor))


def _changed(caller: Caller, webhook: int, state: Literal["active", "paused"]) -> Webhook:
    endpoints.find(caller.seen, webhook)
    endpoints.change(caller.app, webhook, state, actor=caller.actor)
    return _shown(caller, webhook)


def _shown(caller: Caller, webhook: int) -> Webhook:
    return Webhook(**_renamed(endpoints.find(caller.seen, webhook, language=caller.language)))


def _renamed(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"webhook": one["id"]}

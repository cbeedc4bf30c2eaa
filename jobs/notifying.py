"""What accounts are told, written down in the transaction that makes it true. Sending is ``jobs/delivering.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import Connection

from config.wiring import App
from jobs import status
from licensing.fields import LANGUAGES
from models import accounts, batches, chunks, outbox
from models.batches import Batch
from models.chunks import Stage
from models.outbox import EventType


class TellOwners(Protocol):
    """Writes an event for each account that a batch did something to."""

    def __call__(self, connection: Connection, batch_id: int, *, mails: bool) -> None:
        """One event an account, however many things."""


# Batches that are about things of others, who are told too.
_OWNERS: dict[str, TellOwners] = {
    "notify-upgrades": outbox.add_upgrades,
    "reconcile-contracts": outbox.add_statements,
}


def tell(
    app: App, connection: Connection, account_id: int, type_: EventType, subject: str, data: Mapping[str, Any]
) -> None:
    """Tell an account of an event; once, however often it is said."""
    outbox.add(connection, account_id, type_, subject, data, mails=bool(app.settings.smtp_url))


def tell_operations(app: App, connection: Connection, type_: EventType, subject: str, data: Mapping[str, Any]) -> None:
    """Tell every vendor account."""
    for account_id in accounts.vendors(connection):
        tell(app, connection, account_id, type_, subject, data)


def batch_previewed(app: App, connection: Connection, batch_id: int) -> None:
    """A batch waits to be confirmed."""
    _tell_of_batch(app, connection, batch_id, "batch.previewed", ("preview",))


def batch_ended(app: App, connection: Connection, batch_id: int) -> None:
    """A batch is done, failed or cancelled; what it did to others is told to them."""
    batch = _tell_of_batch(app, connection, batch_id, "batch.ended", status.DECIDING)
    if batch.kind in _OWNERS:
        _OWNERS[batch.kind](connection, batch.id, mails=bool(app.settings.smtp_url))


def _tell_of_batch(
    app: App, connection: Connection, batch_id: int, type_: EventType, stages: tuple[Stage, ...]
) -> Batch:
    batch = batches.by_id(connection, batch_id)
    assert batch is not None
    page = f"{app.settings.public_url.rstrip('/')}/batches/{batch.id}"
    api = f"{app.settings.public_url.rstrip('/')}/api/v1/batches/{batch.id}"
    told = {
        "batch": batch.id,
        "kind": batch.kind,
        "file": batch.filename,
        "state": batch.state,
        "rows": batch.row_count,
        **status.by_outcome(chunks.codes_of(connection, batch.id, stages)),
        "reason": _reason(batch),
        "links": {"page": page, "batch": api, "results": f"{api}/results"},
    }
    tell(app, connection, batch.account_id, type_, f"batch {batch.id}", told)
    return batch


def _reason(batch: Batch) -> dict[str, str] | None:
    said = {language: status.reason_of(batch, language) for language in LANGUAGES}
    code = said["en"]
    if code is None:
        return None
    return {"code": code["code"]} | {language: reason["sentence"] for language, reason in said.items() if reason}

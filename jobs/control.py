"""What a sender or an operator can tell a batch: confirm it, cancel it."""

from __future__ import annotations

from sqlalchemy import Connection

from config.wiring import App
from jobs import approving, broker
from jobs.reading import MOST_ATOMIC_ROWS, too_many_rows
from jobs.refusals import Refused
from models import accounts, audit, batches, chunks
from models.accounts import Account
from models.batches import Batch
from models.database import transaction


def find(connection: Connection, batch_id: int, *, lock: bool = False) -> Batch:
    """A batch by its id. Raises :class:`Refused`."""
    batch = batches.by_id(connection, batch_id, lock=lock)
    if batch is None:
        raise Refused(
            "unknown_batch",
            f"There is no batch {batch_id}. See: keymill batches",
            f"Non esiste il lotto {batch_id}. Vedere: keymill batches",
        )
    return batch


def find_account(connection: Connection, number: str) -> Account:
    """An account by its number. Raises :class:`Refused`."""
    account = accounts.by_number(connection, number)
    if account is None:
        raise Refused(
            "unknown_account",
            f"No account {number} is known. The vendor loads accounts with load-accounts.",
            f"Nessun account {number} è noto. Il fornitore carica gli account con load-accounts.",
        )
    return account


def confirm(app: App, batch_id: int, *, actor: str, exact: bool = False) -> None:
    """Let a previewed batch run, or ask for the second person that it needs. Raises :class:`Refused`.

    Confirming twice is the same as once.
    """
    with transaction(app.engine) as connection:
        batch = find(connection, batch_id, lock=True)
        if batch.confirmed_at is not None and batch.cancelled_at is None:
            return
        if batch.state != "previewed":
            raise _not_now(batch, "confirmed", "confermato")
        if exact and not batch.options.get("exact"):
            _check_atomic(batch)
            batches.change(connection, batch_id, options=batch.options | {"exact": True})
        if not approving.confirmed(connection, batch, actor):
            return
        batches.confirm(connection, batch_id)
        audit.record(connection, actor, "batch.confirmed", f"batch {batch_id}")
    broker.call_to_advance(app.settings.redis_url, batch_id)


def cancel(app: App, batch_id: int, *, actor: str) -> None:
    """Stop a batch: what is done stays, the rest is skipped. Cancelling twice is the same as once."""
    with transaction(app.engine) as connection:
        batch = find(connection, batch_id, lock=True)
        if batch.cancelled_at is not None:
            return
        if batch.state in ("done", "failed"):
            raise _not_now(batch, "cancelled", "annullato")
        batches.cancel(connection, batch_id)
        chunks.drop_waiting(connection, batch_id)
        audit.record(connection, actor, "batch.cancelled", f"batch {batch_id}")
    broker.call_to_advance(app.settings.redis_url, batch_id)


def _not_now(batch: Batch, en: str, it: str) -> Refused:
    return Refused(
        "wrong_state",
        f"Batch {batch.id} is {batch.state} and cannot be {en} now.",
        f"Il lotto {batch.id} è nello stato {batch.state} e ora non può essere {it}.",
    )


def _check_atomic(batch: Batch) -> None:
    if (batch.row_count or 0) > MOST_ATOMIC_ROWS:
        raise Refused("too_many_rows", *too_many_rows(batch.row_count or 0))

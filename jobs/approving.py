"""Approval by a second person: an account lets batches with many keys, or that revoke licenses, run only so.

Whoever confirms first asks; another person of the account lets the batch run, or an operator on the command line.
A program (an API token) may ask but not approve: its secret may be the same person's.
"""

from __future__ import annotations

from sqlalchemy import Connection

from config.wiring import App
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from licensing.outcomes import CODES
from models import accounts, approvals, audit, batches, chunks
from models.accounts import Account
from models.approvals import Approval
from models.batches import Batch
from models.database import transaction

REVOKING = "revoke-licenses"
_OPERATOR, _PERSON = "cli", "user:"


def may_concern(account: Account, kind: str) -> bool:
    """Whether batches of a kind may need a second person, so that they are previewed in any case."""
    if kind == REVOKING:
        return account.approve_revoking
    return account.approve_above is not None and KINDS[kind].issues_licenses


def needs(connection: Connection, batch: Batch) -> bool:
    """Whether a batch that was previewed must be confirmed by two people."""
    account = accounts.by_id(connection, batch.account_id)
    if batch.kind == REVOKING or not may_concern(account, batch.kind):
        return may_concern(account, batch.kind)
    counts = chunks.codes_of(connection, batch.id, ("preview",))
    keys = sum(count for code, count in counts.items() if CODES[code].outcome == "issued")
    return keys > (account.approve_above or 0)


def confirmed(connection: Connection, batch: Batch, actor: str) -> bool:
    """Whether a batch may run now that somebody confirms it. The first of two people only asks.

    Raises :class:`Refused` for who may not be the second one.
    """
    if not needs(connection, batch):
        return True
    subject = f"batch {batch.id}"
    asked = approvals.of_batches(connection, [batch.id]).get(batch.id)
    if asked is None:
        approvals.ask(connection, batch.id, actor)
        audit.record(connection, actor, "batch.approval_asked", subject)
    if actor.partition(":")[0] != _OPERATOR:
        if asked is None:
            return False
        if asked.asked_by == actor or not actor.startswith(_PERSON):
            raise Refused(
                "second_person",
                f"Batch {batch.id} waits for a second person: another user of the account must confirm it in the "
                "portal.",
                f"Il lotto {batch.id} attende una seconda persona: un altro utente dell'account deve confermarlo nel "
                "portale.",
            )
    approvals.approve(connection, batch.id, actor)
    audit.record(connection, actor, "batch.approved", subject)
    return True


def of_batch(app: App, batch_id: int) -> Approval | None:
    """What two people said of a batch; None where nobody had to be asked."""
    with transaction(app.engine) as connection:
        return approvals.of_batches(connection, [batch_id]).get(batch_id)


def is_needed(app: App, batch_id: int) -> bool:
    """Whether a batch that was previewed must be confirmed by two people."""
    with transaction(app.engine) as connection:
        batch = batches.by_id(connection, batch_id)
        return batch is not None and batch.state == "previewed" and needs(connection, batch)

"""What operators do to the work of others: look, retry, cancel many, pause a kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from config.wiring import App
from jobs import broker, control
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from models import audit, batches, gauges, operations
from models.database import transaction

ALIVE_SECONDS = 30.0
# Stages whose failure ended the batch; rows of the others were answered (skipped), and are sent again as rows.
_STATE_OF = {
    "read": "reading",
    "preview": "reading",
    "closing": "exporting",
    "render": "exporting",
    "finish": "exporting",
}


def overview(app: App) -> dict[str, Any]:
    """Counts over the whole installation, its processes, the kinds that are paused, what the broker warns of."""
    with transaction(app.engine) as connection:
        return {
            "counts": gauges.counts(connection, ALIVE_SECONDS),
            "processes": operations.processes(connection),
            "paused": operations.paused(connection),
        }


def retry(app: App, batch_id: int, *, actor: str) -> None:
    """Try again what made a batch fail three times. Raises :class:`Refused` where there is nothing of that sort."""
    with transaction(app.engine) as connection:
        batch = control.find(connection, batch_id, lock=True)
        reopened = operations.reopen(connection, batch_id, list(_STATE_OF)) if batch.state == "failed" else []
        if not reopened:
            raise Refused(
                "nothing_to_retry",
                f"Batch {batch_id} has no step that could be tried again. Rows that were skipped are in its file of "
                "rejected rows: send that.",
                f"Il lotto {batch_id} non ha passi da ripetere. Le righe saltate sono nel file delle righe rifiutate: "
                "inviare quello.",
            )
        operations.set_unfinished(connection, batch_id, _STATE_OF[reopened[0]])
        audit.record(connection, actor, "batch.retried", f"batch {batch_id}", stages=reopened)
    broker.wake(app.settings.redis_url, batch_id, len(reopened))


def for_each(app: App, batch_ids: Iterable[int], action: str, *, actor: str) -> list[Refused]:
    """Retry or cancel many batches; what was refused does not keep the others from it."""
    refused = []
    for batch_id in batch_ids:
        try:
            if action == "retry":
                retry(app, batch_id, actor=actor)
            else:
                control.cancel(app, batch_id, actor=actor)
        except Refused as problem:
            refused.append(problem)
    return refused


def pause(app: App, kind: str, *, actor: str, on: bool) -> None:
    """Let the work of a kind rest, or go on. Raises :class:`Refused`."""
    if kind not in KINDS:
        raise Refused("unknown_kind", f"There is no batch kind {kind}.", f"Non esiste il tipo di lotto {kind}.")
    with transaction(app.engine) as connection:
        if on:
            operations.pause(connection, kind, actor)
        else:
            operations.resume(connection, kind)
        audit.record(connection, actor, "kind.paused" if on else "kind.resumed", f"kind {kind}")
        unfinished = [] if on else batches.unfinished(connection)
    for batch_id in unfinished:
        broker.call_to_advance(app.settings.redis_url, batch_id)

"""The guard against guessing: an account whose rows name too many unknown codes is stopped and operations are told."""

from __future__ import annotations

import structlog

from config.wiring import App
from models import accounts, audit, batches, chunks
from models.chunks import Chunk
from models.database import transaction

log = structlog.get_logger("keymill.guard")


def stop_guessers(app: App, chunk: Chunk) -> None:
    """After a chunk that decided rows: stop its sender if the unknown codes of the last 24 hours are too many."""
    if chunk.stage not in ("preview", "run", "contested"):
        return
    with transaction(app.engine) as connection:
        if not chunks.named_unknown_codes(connection, chunk.id):
            return
        batch = batches.by_id(connection, chunk.batch_id)
        assert batch is not None
        unknown = chunks.unknown_codes_today(connection, batch.account_id)
        if unknown <= app.settings.unknown_codes_a_day:
            return
        reason = f"{unknown} unknown codes in 24 hours"
        if not accounts.suspend(connection, batch.account_id, reason):
            return
        audit.record(connection, "keymill", "account.suspended", f"account {batch.account_id}", reason=reason)
        for batch_id in batches.unfinished_of(connection, batch.account_id):
            batches.change(connection, batch_id, reason={"code": "account_stopped"})
            batches.cancel(connection, batch_id)
            chunks.drop_waiting(connection, batch_id)
    log.error("account stopped", account=batch.account_id, unknown_codes=unknown)

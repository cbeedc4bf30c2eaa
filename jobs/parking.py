"""Chunks that failed three times: set aside with their reason, so that everything else goes on."""

from __future__ import annotations

from config.wiring import App
from models import audit, chunks, leases, rows
from models.database import transaction


def sentence_of(error: BaseException) -> str:
    """What went wrong in one line, for the operator."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500]


def park_used_up(app: App) -> list[int]:
    """Park every chunk that had all its attempts; its rows get the answer ``chunk_parked``. Says which batches."""
    parked = []
    with transaction(app.engine) as connection:
        for chunk_id, batch_id, stage, lane, first, last, reason in leases.used_up(connection, app.settings.attempts):
            result: dict[str, object] = {}
            if stage in ("run", "contested"):
                skipped = rows.skip_unanswered(
                    connection, batch_id, "chunk_parked", reason, first=first, last=last, lane=lane
                )
                result = {"rows": skipped, "codes": {"chunk_parked": skipped}}
            chunks.park(connection, chunk_id, result)
            audit.record(connection, "keymill", "chunk.parked", f"batch {batch_id}", stage=stage, reason=reason)
            parked.append(batch_id)
    return parked

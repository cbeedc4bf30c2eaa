"""The stage that reads a file: fetched from the store, taken apart in a child process, its rows stored once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from config import children, tracing
from config.wiring import App
from importers.contracts import Wanted
from jobs.kind import Kind
from jobs.kinds.registry import KINDS
from jobs.refusals import BatchRefused
from models import accounts, batches, leases, rows
from models.accounts import Account
from models.batches import Batch
from models.chunks import Chunk

CHILD = "jobs.children.reading"


def read(app: App, connection: Connection, chunk: Chunk) -> None:
    """Read a batch's file into rows. Raises :class:`BatchRefused` with the sentence that its sender reads."""
    with connection.begin():
        batch = batches.by_id(connection, chunk.batch_id)
        assert batch is not None
        batches.begin_reading(connection, batch.id)
        account = accounts.by_id(connection, batch.account_id)
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        path = Path(folder) / "upload"
        app.store.fetch(source_name(batch.sha256), path)
        request = _request(app, batch, account, path)
        with connection.begin():
            leases.still_held(connection, chunk)
            found = rows.read_in(connection, lambda write: _in_a_child(app, chunk, batch, request, write))
            if "refused" in found:
                raise BatchRefused(**found["refused"])
            if batch.is_atomic and found["row_count"] > MOST_ATOMIC_ROWS:
                raise BatchRefused("too_many_rows", *too_many_rows(found["row_count"]))
            if KINDS[batch.kind].produce is not None:
                found["warnings"] += _equal_orders(connection, batch)
            batches.change(connection, batch.id, reading=found, row_count=found["row_count"])
            leases.finish(connection, chunk, {"rows": found["row_count"]})
    tracing.tell(rows=found["row_count"])


def _equal_orders(connection: Connection, batch: Batch) -> list[dict[str, Any]]:
    """A warning about rows that are alike and have no reference: each is an order of its own."""
    equal = rows.equal_without_subject(connection, batch.id)
    if not equal:
        return []
    en = "Equal rows without a reference are separate orders. Give each order a reference if that is not meant."
    it = "Righe uguali senza riferimento sono ordini separati. Dare a ogni ordine un riferimento se non è voluto."
    return [{"code": "equal_orders", "en": en, "it": it, "cells": [str(row) for row in equal[:5]], "count": len(equal)}]


def source_name(sha256: str) -> str:
    """Where uploaded bytes lie: under their digest."""
    return f"uploads/{sha256[:2]}/{sha256}"


def wanted_of(kind: Kind, account: Account, given: Mapping[str, str], mapped: Mapping[str, str]) -> Wanted:
    """What to look for in a file of a kind that an account sends. ``mapped``: fields by the keys of its own titles."""
    return Wanted(
        fields=kind.fields,
        subject=kind.subject,
        domain=kind.domain,
        given=dict(given),
        separator=account.separator,
        encoding=account.encoding,
        locale=account.locale,
        mapped=dict(mapped),
    )


def _request(app: App, batch: Batch, account: Account, path: Path) -> dict[str, Any]:
    given, mapped = batch.options.get("given", {}), batch.options.get("mapped", {})
    return {
        "path": str(path),
        "filename": batch.filename,
        "prefix": str(batch.id),
        "wanted": wanted_of(KINDS[batch.kind], account, given, mapped).to_json(),
        "limits": app.settings.limits.to_json(),
    }


def child_limits(app: App, size: int) -> dict[str, Any]:
    """What a child that reads a file of so many bytes may use."""
    settings = app.settings
    cpu_seconds = settings.reader_cpu_seconds + settings.reader_cpu_seconds_a_megabyte * size // 1_000_000
    return {
        "memory_bytes": settings.reader_memory_mb * 1_000_000,
        "cpu_seconds": cpu_seconds,
        "wall_seconds": cpu_seconds * 4,
    }


def _in_a_child(
    app: App, chunk: Chunk, batch: Batch, request: dict[str, Any], write: Callable[[bytes], None]
) -> dict[str, Any]:
    """Run the reader with its limits. A reader that dies is tried again, and the batch fails after the third time."""
    try:
        return children.run(CHILD, request, on_block=write, **child_limits(app, batch.size))
    except children.ChildDied as death:
        if chunk.attempts < app.settings.attempts:
            raise
        raise BatchRefused(f"reader_{death.how}", death.en, death.it) from death


MOST_ATOMIC_ROWS = 100_000


def too_many_rows(count: int) -> tuple[str, str]:
    """Why a batch is too long to be all or nothing, in English and Italian."""
    return (
        f"All or nothing (--on-error stop, --exact) is possible up to {MOST_ATOMIC_ROWS:,} rows; the file has "
        f"{count:,}. Split it, or send it without.",
        f"Tutto o niente (--on-error stop, --exact) è possibile fino a {MOST_ATOMIC_ROWS:,} righe; il file ne ha "
        f"{count:,}. Dividerlo, o inviarlo senza.",
    )

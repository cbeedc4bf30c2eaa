"""A change that is made on a page goes the way of every file: a batch of one row, with its one answer."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from exporters.delimited import written
from jobs import answers, intake, status
from models import accounts
from models.batches import FINAL
from models.database import transaction
from web.portal.visitors import Visitor

WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.05


def send(me: Visitor, kind: str, cells: Mapping[str, str], key: str) -> int:
    """Send a row, named cell by cell, and wait a little for its answer; the number of its batch. Raises ``Refused``.

    ``key``: what makes the request the same when the form is sent again.
    """
    with transaction(me.app.engine) as connection:
        account = accounts.by_id(connection, me.account_id)
    content, _ = written([list(cells), list(cells.values())], account.separator or ",")
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        path = Path(folder) / "row"
        path.write_bytes(content.decode().encode(account.encoding or "utf-8", errors="replace"))
        request = intake.Request(
            account=me.account,
            kind=kind,
            path=path,
            filename=f"{kind}.csv",
            request_key=f"web:{key or secrets.token_hex(16)}",
            confirm="auto",
            language=me.language,
            door="web",
            actor=me.actor,
        )
        batch = intake.accept(me.app, request).batch_id
    until = time.monotonic() + WAIT_SECONDS
    while status.line_of(me.seen, batch)["state"] not in FINAL and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return batch


def answer(me: Visitor, batch: int) -> tuple[bool, str] | None:
    """Whether the row of such a batch was taken, and the sentence that says so; None before it has its answer."""
    found = answers.page(me.seen, batch, after=0, limit=1, language=me.language)
    if not found or found[0]["outcome"] is None:
        return None
    return found[0]["outcome"] not in ("rejected", "skipped"), found[0]["sentence"]

"""``retention``: what is over for long is deleted: rows and files of batches, messages, sessions, tokens, uploads.

The batch itself stays with its counts, and so does all that it did. What went is said where it is missed: by ``show``,
``results`` and ``revert``. Copies that customers were left (``customers/``) are theirs and stay, and so does the audit
log: it says who signed in when, and gets a line for each token that is deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from jobs import uploads
from jobs.job import Argument, Due, Job
from jobs.reading import source_name
from models import api_tokens, audit, batches, outbox, rows, schedule_runs, users
from models.batches import Batch

AT_ONCE = 10_000
DAYS = Argument(
    "days", {"en": "Days since the end of a batch", "it": "Giorni dalla fine di un lotto"}, least=1, is_needed=True
)
MESSAGES = Argument(
    "messages", {"en": "Days since a webhook or mail", "it": "Giorni da un webhook o un messaggio"}, "90", least=1
)
SESSIONS = Argument(
    "sessions", {"en": "Days since the end of a session", "it": "Giorni dalla fine di una sessione"}, "90", least=1
)
TOKENS = Argument(
    "tokens", {"en": "Days since the end of an API token", "it": "Giorni dalla fine di un token API"}, "365", least=1
)


def retain(due: Due) -> None:
    """Empty the batches, oldest first, then forget what else is over."""
    while True:
        with due.step() as connection:
            found = batches.ended_before(connection, _before(due, DAYS), 1)
            for batch in found:
                batches.change(connection, batch.id, content="deleting")
        if not found:
            break
        _empty(due, found[0])
    for name, argument, forget in (
        ("runs", DAYS, schedule_runs.forget),
        ("messages", MESSAGES, outbox.forget),
        ("sessions", SESSIONS, users.forget_sessions),
        ("tokens", TOKENS, _forget_tokens),
    ):
        _forget(due, name, _before(due, argument), forget)
    _forget(due, "uploads", due.at, lambda connection, _before, _most: uploads.clear(due.app, connection))


def _before(due: Due, argument: Argument) -> datetime:
    return due.at - timedelta(days=int(due.arguments[argument.name]))


def _forget(due: Due, name: str, before: datetime, forget: Callable[[Connection, datetime, int], int]) -> None:
    """Delete what is over since before a time, some of it in each step."""
    deleted = 1
    while deleted:
        with due.step() as connection:
            deleted = forget(connection, before, AT_ONCE)
            due.counts[name] += deleted


def _forget_tokens(connection: Connection, before: datetime, most: int) -> int:
    """Delete tokens; the audit log names them by their numbers, and keeps what belongs to each."""
    found = api_tokens.forget(connection, before, most)
    for one in found:
        audit.record(connection, "keymill", "token.forgotten", f"token {one.pop('token')}", **one)
    return len(found)


def _empty(due: Due, batch: Batch) -> None:
    """Delete the rows and files of a batch; repeated as a whole where it was broken off."""
    store = due.app.store
    for prefix in (f"results/{batch.id}/", f"pieces/{batch.id}/"):
        store.delete(list(store.list(prefix)))
    deleted = 1
    while deleted:
        with due.step() as connection:
            deleted = rows.delete(connection, batch.id, AT_ONCE)
            due.counts["rows"] += deleted
    with due.step() as connection:
        batches.lock_source(connection, batch.sha256)
        if not batches.needs_source(connection, batch.sha256):
            store.delete([source_name(batch.sha256)])
        batches.change(connection, batch.id, content="deleted")
        audit.record(connection, "keymill", "batch.emptied", f"batch {batch.id}", schedule=due.run.schedule)
        due.counts["batches"] += 1


JOB = Job(
    name="retention",
    title={"en": "Delete what is over for long", "it": "Eliminare ciò che è concluso da tempo"},
    run=retain,
    told={
        "en": "{batches} batches emptied ({rows} rows), {runs} old runs, {messages} messages, {sessions} sessions, "
        "{tokens} tokens and {uploads} uploads deleted",
        "it": "{batches} lotti svuotati ({rows} righe), eliminati {runs} vecchie esecuzioni, {messages} messaggi, "
        "{sessions} sessioni, {tokens} token e {uploads} caricamenti",
    },
    arguments=(DAYS, MESSAGES, SESSIONS, TOKENS),
)

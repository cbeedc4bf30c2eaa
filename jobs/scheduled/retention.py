"""``retention``: rows and files of batches that ended long ago, and old runs of schedules, are deleted.

The batch itself stays with its counts, and so does all that it did. What went is said where it is missed: by ``show``,
``results`` and ``revert``. Copies that customers were left (``customers/``) are theirs and stay.
"""

from __future__ import annotations

from datetime import timedelta

from jobs.job import Argument, Due, Job
from jobs.reading import source_name
from models import audit, batches, rows, schedule_runs
from models.batches import Batch

AT_ONCE = 10_000
DAYS = Argument(
    "days", {"en": "Days since the end of a batch", "it": "Giorni dalla fine di un lotto"}, least=1, is_needed=True
)


def retain(due: Due) -> None:
    """Empty the batches, oldest first, then forget the runs."""
    before = due.at - timedelta(days=int(due.arguments["days"]))
    while True:
        with due.step() as connection:
            found = batches.ended_before(connection, before, 1)
            for batch in found:
                batches.change(connection, batch.id, content="deleting")
        if not found:
            break
        _empty(due, found[0])
    deleted = 1
    while deleted:
        with due.step() as connection:
            deleted = schedule_runs.forget(connection, before, AT_ONCE)
            due.counts["runs"] += deleted


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
    title={"en": "Delete rows and files of old batches", "it": "Eliminare righe e file dei lotti vecchi"},
    run=retain,
    told={
        "en": "{batches} batches emptied ({rows} rows), {runs} old runs deleted",
        "it": "{batches} lotti svuotati ({rows} righe), {runs} vecchie esecuzioni eliminate",
    },
    arguments=(DAYS,),
)

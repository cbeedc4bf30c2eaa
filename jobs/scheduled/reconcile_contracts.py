"""``reconcile-contracts``: every contract with an open period, up to the day before the due time where it is."""

from __future__ import annotations

from jobs.handing_in import ACCOUNT, hand_in
from jobs.job import Due, Job
from models import contracts


def reconcile(due: Due) -> int | None:
    """Hand in a row for each contract."""
    columns = ("contract", "date")
    return hand_in(due, "reconcile-contracts", columns, lambda connection: contracts.to_reconcile(connection, due.at))


JOB = Job(
    name="reconcile-contracts",
    title={"en": "Reconcile contracts up to yesterday", "it": "Riconciliare i contratti fino a ieri"},
    run=reconcile,
    told={"en": "{rows} contracts", "it": "{rows} contratti"},
    arguments=(ACCOUNT,),
    missed="catch_up",
)

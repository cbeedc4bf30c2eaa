"""Batches that schedules make themselves: rows written as a file and handed in like anybody's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from jobs import control, intake, own_files
from jobs.job import Argument, Due
from jobs.refusals import Refused
from licensing.field_catalogue import FIELDS
from models import accounts, batches

ACCOUNT = Argument(
    "account",
    {"en": "Vendor account that the batch belongs to; default: the only one", "it": "Account del fornitore a cui"
    " appartiene il lotto; predefinito: l'unico"},
)  # fmt: skip


def hand_in(
    due: Due, kind: str, columns: Sequence[str], make: Callable[[Connection], Iterable[Sequence[Any]]]
) -> int | None:
    """Hand in a batch of rows, once for a due time however often it is tried; None when there are no rows.

    ``columns``: names in the field catalogue. ``make`` reads the rows in a transaction; their number is counted.
    """
    key = f"schedule:{due.run.schedule}:{due.at.isoformat()}"
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        path = Path(folder) / "rows.csv"
        with due.step() as connection:
            number = due.arguments.get("account") or _only_vendor(connection)
            account = control.find_account(connection, number)
            if (earlier := batches.by_request_key(connection, account.id, key)) is not None:
                return earlier.id
            due.counts["rows"] = own_files.write(path, [FIELDS[name].title["en"] for name in columns], make(connection))
        if not due.counts["rows"]:
            return None
        request = intake.Request(
            account=number,
            kind=kind,
            path=path,
            filename=f"{due.run.schedule}-{due.at:%Y-%m-%d-%H%M%S}.csv",
            request_key=key,
            confirm="auto",
            language=due.app.settings.language,
            door="schedule",
        )
        return intake.accept(due.app, request).batch_id


def _only_vendor(connection: Connection) -> str:
    found = accounts.active_of_type(connection, "vendor")
    if len(found) == 1:
        return found[0]
    named = ", ".join(found) or "-"
    raise Refused(
        "which_vendor",
        f"The batch belongs to a vendor account, and there is not exactly one that is active ({named}). Add the "
        "schedule anew with --set account=NUMBER.",
        f"Il lotto appartiene a un account fornitore, e quelli attivi non sono esattamente uno ({named}). Aggiungere "
        "di nuovo la pianificazione con --set account=NUMERO.",
    )

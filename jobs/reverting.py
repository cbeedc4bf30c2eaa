"""The file that takes back a whole batch: its rows that did something, last first."""

from __future__ import annotations

from pathlib import Path

from config.wiring import App
from jobs import control, own_files
from jobs.refusals import Refused, emptied
from licensing.field_catalogue import FIELDS
from licensing.fields import Language
from licensing.outcomes import WRITTEN
from models import batches, reversals
from models.database import transaction


def write_file(app: App, batch_id: int, path: Path, language: Language) -> int:
    """Write a ``revert-batches`` file (CSV) for a batch; says how many rows it has.

    What was done last is taken back first. Raises :class:`Refused` for a batch that is not over, or did nothing.
    """
    headers = [FIELDS[name].title[language] for name in ("batch", "row")]
    with transaction(app.engine) as connection:
        batch = control.find(connection, batch_id)
        if batch.state not in batches.FINAL:
            raise Refused(
                "wrong_state",
                f"Batch {batch_id} is {batch.state}. Wait for its end, or cancel it: keymill cancel {batch_id}",
                f"Il lotto {batch_id} è nello stato {batch.state}. Attenderne la fine o annullarlo: "
                f"keymill cancel {batch_id}",
            )
        if batch.is_emptied:
            raise emptied(batch_id)
        lines = reversals.effective(connection, batch_id, WRITTEN)
    if not lines:
        raise Refused(
            "nothing_to_revert",
            f"Batch {batch_id} did nothing that could be taken back.",
            f"Il lotto {batch_id} non ha fatto nulla che si possa annullare.",
        )
    return own_files.write(path, [*headers, *_EXPLAINED[language]], ([batch_id, *line] for line in lines))


_EXPLAINED = {"en": ("What it did", "Made"), "it": ("Che cosa ha fatto", "Creato")}

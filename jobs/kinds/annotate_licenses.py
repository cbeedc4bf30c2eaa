"""``annotate-licenses``: owners keep data of their own beside their licenses, whatever columns they like."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.naming import Holdings
from licensing.annotating import Note, decide_annotation
from licensing.cells import PackedCell
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import user_fields

COLUMNS = (FIELDS["license"].needed(),)


class Annotations:
    """The licenses that a slice of rows names, and what is noted of them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Annotations | None = None
    ) -> None:
        self.work = work
        self.holdings: Holdings = Holdings(
            connection, work, [(row[0], None) for row in rows], None if before is None else before.holdings
        )
        self.notes: dict[str, dict[str, Note]] = {
            **user_fields.of_licenses(connection, list(self.holdings.chains.licenses)),
            **(before.notes if before else {}),
        }

    def decide(self, row: Asked) -> Decision:
        """What the row's other columns change of the license's data, or why they do not."""
        license = self.holdings.find("manage", row.values[0])
        if isinstance(license, Decision):
            return license
        cells: dict[str, PackedCell] = {}
        for title, cell in row.others:
            if title.casefold() in map(str.casefold, cells):
                return Decision("column_twice", title, field=title)
            if title:
                cells[title] = cell
            elif cell is not None:
                return Decision("untitled_column", str(cell)[:80], field=title)
        if not cells:
            return Decision("nothing_to_annotate", field="license")
        notes = self.notes.setdefault(license.number, {})
        decision = decide_annotation(notes, cells, self.work.account.locale)
        if decision.code == "unchanged":
            return decision._replace(license_number=license.number)
        if decision.code != "annotated":
            return decision
        changes: dict[str, Note | None] = decision.effect
        for name, note in changes.items():
            if note is None:
                del notes[name]
            else:
                notes[name] = note
        effect = {(license.number, name): note for name, note in changes.items()}
        return decision._replace(license_number=license.number, effect=effect)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write what changed, as the last row of each left it."""
        changes: dict[tuple[str, str], Note | None] = {}
        for row in asked:
            changes |= row.decision.effect or {}
        if changes:
            user_fields.save(connection, changes, self.work.account.id, self.work.at)
        return {}


KIND = Kind(
    name="annotate-licenses",
    title={"en": "Annotate licenses", "it": "Annotare licenze"},
    senders=frozenset({"distributor", "customer", "oem"}),
    fields=COLUMNS,
    load=Annotations,
    subject=("license",),
    domain="license",
    is_sequential=True,  # an old number and that of what is left of it may stand in different rows
    takes_any_column=True,
)

"""``load-maintenance``: the support contracts of licenses, as another system keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.naming import Holdings
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from licensing.maintaining import Contract, decide_maintenance
from models import renewals
from models.licenses import Held, Maintenance

COLUMNS = (
    FIELDS["license"],
    FIELDS["serial"],
    FIELDS["starts"],
    FIELDS["ends"],
    FIELDS["level"],
    FIELDS["support_contact"],
)


class Loads:
    """The licenses that a slice of rows names, with the maintenance that they have."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Loads | None = None) -> None:
        self.holdings: Holdings = Holdings(
            connection, work, [(row[0], row[1]) for row in rows], None if before is None else before.holdings
        )
        self.chains = self.holdings.chains
        self.renewed = renewals.extended(connection, list(self.chains.licenses))

    def decide(self, row: Asked) -> Decision:
        """Whether the license's maintenance is new, changed or known, or why it does not change."""
        code, serial, *wanted = row.values
        license = self.holdings.find("own", code, serial)
        if isinstance(license, Decision):
            return license
        known = license.maintenance
        decision = decide_maintenance(
            Contract(*wanted), known and Contract(*known), is_renewed=license.number in self.renewed
        )
        if decision.effect is not None:
            license.maintenance = Maintenance(*decision.effect)
            return decision._replace(license_number=license.number, effect=license)
        return decision._replace(license_number=license.number) if decision.code == "unchanged" else decision

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write the maintenance, and sign the keys anew that say how long it is."""
        changed: dict[str, Held] = {
            row.decision.effect.number: row.decision.effect for row in asked if row.decision.effect
        }
        if not changed:
            return {}
        return self.chains.sign_again(connection, changed)


KIND = Kind(
    name="load-maintenance",
    title={"en": "Load maintenance", "it": "Caricare la manutenzione"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Loads,
    subject=("license|serial",),
    domain="license",
    is_sequential=True,  # a license and what is left of another may be the same
    issues_licenses=True,
)

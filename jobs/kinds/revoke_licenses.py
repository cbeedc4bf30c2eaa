"""``revoke-licenses``: the vendor withdraws licenses, with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.naming import Holdings
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import audit, contracts, licenses

COLUMNS = (
    FIELDS["license"].needed(),
    FIELDS["reason"].needed(),
)


class Revocations:
    """The licenses that a slice of rows names."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Revocations | None = None
    ) -> None:
        self.work = work
        self.holdings: Holdings = Holdings(
            connection, work, [(row[0], None) for row in rows], None if before is None else before.holdings
        )

    def decide(self, row: Asked) -> Decision:
        """Whether the license, or what is left of it, is revoked, or was before, or why not."""
        code, reason = row.values
        license = self.holdings.find("own", code)
        if isinstance(license, Decision):
            is_done = (license.code, license.detail) == ("license_not_active", "revoked")
            return Decision("unchanged") if is_done else license
        license.state = "revoked"
        return Decision("revoked", license_number=license.number, effect=(license.number, reason))

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """End the licenses, and keep why."""
        revoked = dict(row.decision.effect for row in asked if row.decision.effect)
        if revoked:
            licenses.end(connection, list(revoked), "revoked", self.work.at, list(revoked.values()))
            ordinals = {row.decision.effect[0]: row.ordinal for row in asked if row.decision.effect}
            contracts.give_back(connection, ordinals, self.work.at, self.work.batch.id)
            entries = {f"license {number}": {"reason": reason} for number, reason in revoked.items()}
            audit.record_all(connection, self.work.account.number, "license.revoked", entries)
        return {}


KIND = Kind(
    name="revoke-licenses",
    title={"en": "Revoke licenses", "it": "Revocare licenze"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Revocations,
    subject=("license",),
    domain="license",
    ends_licenses=True,
    is_sequential=True,  # an old number and that of what is left of it may stand in different rows
    takes_back={"revoked": "revocation"},
)

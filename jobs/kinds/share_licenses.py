"""``share-licenses``: owners let other accounts read or manage their licenses, and withdraw it again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.naming import Holdings
from licensing.codes import check, match_key
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import accounts, audit, shares

COLUMNS = (
    FIELDS["license"].needed(),
    FIELDS["with_account"].needed(),
    FIELDS["permission"],
)


class Sharing:
    """The licenses and accounts that a slice of rows names, and what is shared of them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Sharing | None = None
    ) -> None:
        self.work = work
        self.holdings: Holdings = Holdings(
            connection, work, [(row[0], None) for row in rows], None if before is None else before.holdings
        )
        self.recipients = accounts.by_numbers(connection, list({row[1] for row in rows}), lock=False)
        self.shared: dict[tuple[str, int], str | None] = {
            **shares.of_licenses(connection, list(self.holdings.chains.licenses)),
            **(before.shared if before else {}),
        }

    def decide(self, row: Asked) -> Decision:
        """Whether the license is shared, or its share withdrawn, or was before, or why not."""
        code, number, permission = row.values
        license = self.holdings.find("own", code)
        if isinstance(license, Decision):
            return license
        recipient = self.recipients.get(number)
        if recipient is None or recipient.state != "active":
            is_mistyped = check(match_key(number)) == "mistyped"
            return Decision("mistyped_code" if is_mistyped else "unknown_recipient", field="with_account")
        if recipient.id in (license.customer_id, self.work.account.id):
            return Decision("recipient_holds_it", field="with_account")
        wanted = None if permission == "none" else permission or "read"
        place = (license.number, recipient.id)
        if self.shared.get(place) == wanted:
            return Decision("unchanged", license_number=license.number)
        self.shared[place] = wanted
        code = "shared" if wanted else "share_withdrawn"
        return Decision(code, recipient.number, license_number=license.number, effect=place)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write what is shared now."""
        changed = {row.decision.effect: self.shared[row.decision.effect] for row in asked if row.decision.effect}
        if changed:
            shares.save(connection, changed, self.work.at)
            entries = {
                f"license {row.decision.license_number}": {"with": row.decision.detail, "permission": row.values[2]}
                for row in asked
                if row.decision.effect
            }
            audit.record_all(connection, self.work.account.number, "license.shared", entries)
        return {}


KIND = Kind(
    name="share-licenses",
    title={"en": "Share licenses", "it": "Condividere licenze"},
    senders=frozenset({"distributor", "customer", "oem"}),
    fields=COLUMNS,
    load=Sharing,
    subject=("license",),
    domain="license",
    is_sequential=True,  # an old number and that of what is left of it may stand in different rows
    takes_back={"shared": "share"},
)

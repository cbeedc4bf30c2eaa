"""``renew-maintenance``: renewal serials extend the maintenance of licenses, and their keys say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from jobs.chains import Chains
from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.naming import Named
from licensing import codes, renewing
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import products, renewals, serials
from models.licenses import Held, Maintenance
from models.renewals import Renewal
from models.serials import Registration, Serial

COLUMNS = (
    FIELDS["license"],
    FIELDS["serial"],
    FIELDS["renewal_serial"].needed(),
)


class Renewals:
    """The licenses of one slice of rows with their maintenance, and the renewal serials that are spent on them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Renewals | None = None
    ) -> None:
        self.work = work
        self.named = Named(connection, [(row[0], row[1]) for row in rows])
        self.chains: Chains = Chains(connection, work, self.named.numbers, None if before is None else before.chains)
        self.serials: dict[str, Serial] = serials.by_key(
            connection, list({codes.match_key(row[2]) for row in rows}), lock=not work.is_preview
        ) | (before.serials if before else {})
        known = self.chains.licenses.values()
        self.products = products.by_id(connection, list({license.product_id for license in known}))
        self.spent: set[tuple[int, str]] = renewals.spent(
            connection, [serial.id for serial in self.serials.values()]
        ) | (before.spent if before else set())

    def decide(self, row: Asked) -> Decision:
        """Whether the renewal extends the row's license, or did so before, or why not."""
        code, serial_code, renewal_code = row.values
        number, refusal = self.named.number(code, serial_code)
        if refusal is not None:
            return refusal
        license, _ = self.chains.now(number)
        renewal_key = codes.match_key(renewal_code)
        renewal = self.serials.get(renewal_key)
        decision = renewing.decide_renewal(
            number,
            None if license is None else self._offer(license),
            renewal_key,
            None if license is None or renewal is None else self._renewal(license, renewal),
            today=self.work.today,
        )
        if license is None or renewal is None or decision.code not in ("renewed", "already_renewed"):
            return decision
        if decision.code == "renewed":
            decision = decision._replace(effect=self._spend(row, license, renewal, decision.effect))
        return decision._replace(license_number=license.number)

    def _offer(self, license: Held) -> renewing.Offer:
        now = license.maintenance
        return renewing.Offer(
            license.access,
            license.state,
            license.product_id,
            license.quantity,
            license.customer_id,
            now and now.starts,
            now and now.ends,
            self.products[license.product_id].lapse_policy,
        )

    def _renewal(self, license: Held, serial: Serial) -> renewing.Renewal:
        return renewing.Renewal(
            serial.state,
            serial.purpose,
            serial.product_id,
            serial.remaining,
            serial.maintenance_months or 0,
            serial.owner_id,
            (serial.id, license.number) in self.spent,
        )

    def _spend(self, row: Asked, license: Held, serial: Serial, period: tuple[date, date]) -> tuple[Held, Renewal]:
        before = license.maintenance
        level = serial.maintenance_level or (before and before.level)
        license.maintenance = now = Maintenance(*period, level, before and before.support_contact)
        self.spent.add((serial.id, license.number))
        self.serials[serial.key] = replace(
            serial, remaining=serial.remaining - license.quantity, owner_id=license.customer_id, state="registered"
        )
        return license, Renewal(serial.id, license.number, license.quantity, now, before, row.ordinal)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Spend the renewals, and sign the keys anew: the license stays, its key says how long it is maintained."""
        effects: list[tuple[Held, Renewal]] = [row.decision.effect for row in asked if row.decision.effect]
        if not effects:
            return {}
        renewals.add(connection, self.work.batch.id, [renewal for _, renewal in effects])
        serials.register(
            connection,
            [
                Registration(one.serial_id, one.quantity, license.customer_id, None, None, None)
                for license, one in effects
            ],
            self.work.at,
        )
        renewed = {license.number: license for license, _ in effects}
        return self.chains.sign_again(connection, renewed)


KIND = Kind(
    name="renew-maintenance",
    title={"en": "Renew maintenance", "it": "Rinnovare la manutenzione"},
    senders=frozenset({"distributor", "customer"}),
    fields=COLUMNS,
    load=Renewals,
    subject=("renewal_serial",),
    domain="license",
    is_sequential=True,  # a row is about two subjects, a license and a renewal serial
    issues_licenses=True,
    takes_back={"renewed": "renewal"},
)

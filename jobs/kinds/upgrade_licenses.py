"""``upgrade-licenses``: owners who were notified of a release turn (part of) a license into one of its products."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.chains import Chains
from jobs.issuing import NewLicense
from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing import codes, upgrading
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from licensing.upgrading import Earlier
from models import licenses, notifications, products
from models.licenses import Held
from models.notifications import Notification

COLUMNS = (
    FIELDS["notification_id"],
    FIELDS["license"],
    FIELDS["product"].needed(),
    FIELDS["quantity"].needed(),
    FIELDS["support_contact"],
    FIELDS["host_id"],
    FIELDS["reference"],
)


class Upgrades:
    """The notifications of one slice of rows, the licenses that they are for, and what may become of them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Upgrades | None = None
    ) -> None:
        self.work = work
        self.keys = codes.keys_of([row[0] for row in rows if row[0]])
        by_license = {codes.written(row[1]) for row in rows if row[1] and not row[0]}
        self.sent = notifications.keys_of_licenses(connection, list(by_license)) if by_license else {}
        keys = list({*self.keys.values(), *(key for sent in self.sent.values() for key in sent)})
        if not work.is_preview:  # chains are what every kind locks: whoever holds one has its notifications, too
            licenses.lock_chains_of_notifications(connection, keys)
        self.notifications: dict[str, Notification] = notifications.by_key(connection, keys)
        meant = filter(None, map(self.notifications.get, map(self._key, rows)))
        self.chains: Chains = Chains(
            connection,
            work,
            [one.license_number for one in meant],
            None if before is None else before.chains,
            are_locked=True,
        )
        known = self.chains.licenses.values()
        targets = products.reachable(connection, list({(one.product_id, one.version) for one in known}))
        self.product_ids = {one.sku: one.product_id for found in targets.values() for one in found}
        self.reachable = {
            source: [upgrading.Release(one.sku, one.version, one.release_date, one.host_bound) for one in found]
            for source, found in targets.items()
        }
        used = [one.id for one in self.notifications.values() if one.remaining < one.quantity]
        self.earlier = licenses.of_notifications(connection, used) if used else {}
        self.made: dict[int, list[NewLicense]] = {}  # by these rows, by notification id
        if before is not None:
            self.notifications |= before.notifications
            self.earlier |= before.earlier
            self.made = before.made

    def _key(self, row: Values) -> str:
        """The notification that a row means: the one it names, or the only one of the license that it names."""
        if row[0]:
            return self.keys[row[0]]
        sent = self.sent.get(codes.written(row[1]), []) if row[1] else []
        return sent[0] if len(sent) == 1 else ""

    def decide(self, row: Asked) -> Decision:
        """Whether (part of) the notified license is upgraded, or was before, or why not."""
        code, license_code, sku, quantity, _support_contact, host_id, reference = row.values
        key = self._key(row.values)
        if not code and not license_code:
            return Decision("license_required", field="license")
        if not key and license_code and len(self.sent.get(codes.written(license_code), [])) > 1:
            return Decision("several_notifications", field="notification_id")
        request = upgrading.Request(key, sku.upper(), quantity, host_id or "", reference or "")
        notification = self.notifications.get(key)
        license = None if notification is None else self.chains.left_of(notification.license_number)
        if notification is None or license is None:
            decision = upgrading.decide_upgrade(request, None, ())
            return decision if code else decision._replace(field="license")
        decision = upgrading.decide_upgrade(request, self._offer(notification, license), self._earlier(notification.id))
        if decision.code != "issued":
            return decision
        return self._divide(row, notification, license, decision.effect)

    def _earlier(self, notification_id: int) -> Sequence[Earlier]:
        """What the notification already became, oldest first."""
        if notification_id not in self.earlier and notification_id not in self.made:
            return ()
        made = [
            Earlier(one.number, one.sku, one.host_id or "", one.quantity, one.reference or "")
            for one in self.made.get(notification_id, ())
        ]
        return [Earlier(*one) for one in self.earlier.get(notification_id, ())] + made

    def _offer(self, notification: Notification, license: Held) -> upgrading.Offer:
        now = license.maintenance
        return upgrading.Offer(
            license.access,
            notification.state,
            notification.remaining,
            (notification.sku, notification.version),
            license.state,
            license.quantity,
            license.host_id or "",
            now and now.starts,
            now and now.ends,
            self.reachable.get((license.product_id, license.version), ()),
        )

    def _divide(self, row: Asked, notification: Notification, license: Held, release: upgrading.Release) -> Decision:
        quantity, support_contact, host_id, reference = row.values[3:]
        new = self.chains.successor(row, license, "upgrade", quantity)
        new.product_id, new.sku, new.version = self.product_ids[release.sku], release.sku, release.version
        new.host_id, new.reference, new.notification_id = host_id or license.host_id, reference, notification.id
        if new.maintenance and support_contact:
            new.maintenance = new.maintenance._replace(support_contact=support_contact)
        divided = self.chains.divide(row, license, new)
        notification.remaining -= quantity
        self.made.setdefault(notification.id, []).append(new)
        if divided.rest is None:
            return Decision("issued", license_number=new.number, effect=divided)
        return Decision("issued_in_part", divided.rest.number, license_number=new.number, effect=divided)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """End the old licenses, issue the new ones, and take the quantities off the notifications."""
        divided = [row.decision.effect for row in asked if row.decision.effect]
        issued = self.chains.apply(connection, divided)
        by_id = {one.id: one for one in self.notifications.values()}
        notifications.use(connection, [(by_id[one.new.notification_id], one.new.quantity) for one in divided])
        return issued


KIND = Kind(
    name="upgrade-licenses",
    title={"en": "Upgrade licenses", "it": "Aggiornare licenze"},
    senders=frozenset({"distributor", "customer"}),
    fields=COLUMNS,
    load=Upgrades,
    subject=("notification_id|license",),
    domain="license",
    issues_licenses=True,
    ends_licenses=True,
    takes_back={"issued": "replacement", "issued_in_part": "replacement"},
)

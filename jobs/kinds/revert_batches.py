"""``revert-batches``: what rows of earlier batches did is taken back, as far as nothing has been built on it.

A row names a batch and a row of it. ``keymill revert`` lists the rows of a whole batch, last first, so that what was
done last is taken back first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Connection

from jobs.chains import Chains
from jobs.deciding import row_reader
from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.pools import Pools
from licensing import codes, reverting
from licensing.decisions import Decision
from licensing.drawing import offer_on
from licensing.field_catalogue import FIELDS
from licensing.outcomes import WRITTEN
from licensing.reverting import Effect, kept
from licensing.values import RowReader
from models import accounts, audit, batches, contracts, licenses, renewals, reversals, serials, shares, vouchers
from models.licenses import Held
from models.renewals import Undone
from models.reversals import Done, Made, Place
from models.serials import Serial

COLUMNS = (
    FIELDS["batch"].needed(),
    FIELDS["row"].needed(),
)


@dataclass(slots=True)
class Changes:
    """What is to be written, each in bulk."""

    places: dict[Place, int] = field(default_factory=dict)
    licenses: dict[str, Made] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    vouchers: list[int] = field(default_factory=list)
    unvoid: list[int] = field(default_factory=list)
    void: list[int] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    given_back: dict[int, int] = field(default_factory=dict)  # quantity by serial id
    returned: dict[str, Place] = field(default_factory=dict)  # licenses of contracts, by number
    drawn: dict[str, Place] = field(default_factory=dict)  # the same, when they are drawn again
    void_serials: list[Serial] = field(default_factory=list)
    notifications: dict[int, int] = field(default_factory=dict)  # quantity by id
    notices: list[Place] = field(default_factory=list)
    withdrawn: dict[tuple[str, int], str | None] = field(default_factory=dict)
    renewed: list[tuple[Held, Undone]] = field(default_factory=list)


class Reversals:
    """The rows that a slice of rows names, with what became of what they did."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Reversals | None = None
    ) -> None:
        self.connection, self.work = connection, work
        self.changes = Changes()
        self.batch_id: int | None = before.batch_id if before else reversals.batch_of(connection, work.batch.id)
        self.done: dict[Place, Done] = reversals.done(connection, [(row[0], row[1]) for row in rows])
        self.done |= before.done if before else {}
        found = [self.done[row[0], row[1]] for row in rows if (row[0], row[1]) in self.done]
        numbers = [number for one in found for number in (one.license_number, _rest(one)) if number]
        renewing = [one for one in found if self._effect(one) == "renewal"]
        renewed = [one.license_number or "" for one in renewing]
        self._load_pools(found, before)
        if not work.is_preview:
            licenses.lock_chains(connection, numbers)
        self.chains: Chains = Chains(connection, work, renewed, before.chains if before else None)
        self.made: dict[str, Made] = reversals.made(connection, numbers) | (before.made if before else {})
        self.renewals = renewals.of_rows(connection, [one.place for one in renewing])
        self._load_by_code(found, before)
        orders = [one.order_id for one in found if self._effect(one) == "mint_order" and one.order_id is not None]
        self.orders = reversals.left_of_orders(connection, orders)
        noticed = [one.place for one in found if self._effect(one) == "notifications"]
        self.notices = reversals.notifications_left(connection, noticed)
        self.shares: dict[tuple[str, int], str | None] = {**shares.of_licenses(connection, numbers)}
        self.shares |= before.shares if before else {}

    def _load_pools(self, found: Sequence[Done], before: Reversals | None) -> None:
        """The contracts that revoked licenses went back to, which are locked before any license, as by draw-downs."""
        revoked = [one.license_number for one in found if one.license_number and self._effect(one) == "revocation"]
        named = [(contract, None, sku) for contract, sku in contracts.of_licenses(self.connection, revoked)]
        pools = Pools(self.connection, self.work, named, lock=not self.work.is_preview)
        self.offers = {
            line.id: offer_on(pools.rules[line.id], pools.today(line), sku="", host_bound=False)
            for line in pools.lines.values()
        }
        self.drawn: dict[int, int] = contracts.drawn(self.connection, list(self.offers))
        self.drawn |= before.drawn if before else {}

    def _load_by_code(self, found: Sequence[Done], before: Reversals | None) -> None:
        """Vouchers, serials and accounts are found by what the original rows said."""
        readers: dict[int, tuple[Kind, RowReader]] = {}
        self.said: dict[Place, dict[str, object]] = {}
        for one in found:
            if one.batch_id not in readers:
                readers[one.batch_id] = self._reader(one.batch_id)
            kind, reader = readers[one.batch_id]
            values, _, _ = reader.read(orjson.loads(one.cells))
            self.said[one.place] = dict(zip(kind.names, values, strict=True))
        lock = not self.work.is_preview
        self.vouchers = vouchers.by_key(self.connection, self._keys("voucher_code"), lock=lock)
        self.serials = serials.by_key(self.connection, self._keys("serial"), lock=lock)
        named = {str(said["with_account"]) for said in self.said.values() if said.get("with_account")}
        self.accounts = accounts.by_numbers(self.connection, list(named), lock=False)
        if before is not None:
            self.vouchers |= before.vouchers
            self.serials |= before.serials

    def _keys(self, column: str) -> list[str]:
        return list({codes.match_key(str(said[column])) for said in self.said.values() if said.get(column)})

    def _reader(self, batch_id: int) -> tuple[Kind, RowReader]:
        batch = batches.by_id(self.connection, batch_id)
        assert batch is not None
        kind = self.work.kinds[batch.kind]
        return kind, row_reader(kind, batch, accounts.by_id(self.connection, batch.account_id))

    def _effect(self, one: Done) -> Effect | None:
        return self.work.kinds[one.kind].takes_back.get(one.code)

    def decide(self, row: Asked) -> Decision:
        """Whether what the row did is taken back, or was before, or why it stays."""
        place = (row.values[0], row.values[1])
        one = self.done.get(place)
        if one is None:
            return Decision("unknown_row", f"{place[0]} / {place[1]}", field="row")
        if one.is_reverted:
            return Decision("already_reverted")
        if one.code not in WRITTEN:
            return Decision("nothing_to_revert", one.code)
        effect = self._effect(one)
        if effect is None:
            return Decision("kept_for_good", one.kind, field="row")
        if self.batch_id not in (None, one.batch_id):  # rows of several would meet in what they did
            return Decision("another_batch", str(self.batch_id), field="batch")
        decision = self._UNDO[effect](self, one)
        if decision.code in ("reverted", "reverted_in_part"):
            one.is_reverted, self.batch_id = True, one.batch_id
            self.changes.places[place] = row.ordinal
        return decision

    def _license(self, one: Done) -> Decision:
        license = self.made.get(one.license_number or "")
        if license is None:
            return kept("-")
        decision = reverting.decide_license(license.state, is_renewed=license.is_renewed)
        if decision.code != "reverted":
            return decision
        self._withdraw(license)
        if license.voucher_id is not None:
            self.changes.vouchers.append(license.voucher_id)
        if license.serial_id is not None:
            self._give_back(license.serial_id, license.quantity)
        if license.contract_line_id is not None:
            self.changes.returned[license.number] = one.place
        return decision

    def _withdraw(self, license: Made) -> None:
        license.state, license.is_detached = "revoked", True
        self.changes.licenses[license.number] = license

    def _give_back(self, serial_id: int, quantity: int) -> None:
        self.changes.given_back[serial_id] = self.changes.given_back.get(serial_id, 0) + quantity

    def _replacement(self, one: Done) -> Decision:
        """What replaced (part of) a license, and what was left of it: both go, and the old license is active again."""
        parts = [self.made[number] for number in (one.license_number, _rest(one)) if number]
        for part in parts:
            decision = reverting.decide_license(part.state, is_renewed=part.is_renewed)
            if decision.code != "reverted":
                return decision
        new, old = parts[0], self.made[parts[0].parent or ""]
        for part in parts:
            self.changes.parents[part.number] = old.number
            self._withdraw(part)
        old.state = "active"
        self.changes.licenses[old.number] = old
        if new.notification_id is not None:
            known = self.changes.notifications.get(new.notification_id, 0)
            self.changes.notifications[new.notification_id] = known + new.quantity
        return Decision("reverted", license_number=old.number)

    def _renewal(self, one: Done) -> Decision:
        undone = self.renewals[one.place]
        license, _ = self.chains.now(one.license_number or "")
        if license is None or license.number != one.license_number or license.state != "active":
            return kept(license.state if license else "-")
        now = license.maintenance
        if now is None or (now.starts, now.ends) != (undone.starts, undone.ends):
            return kept("-" if now is None else now.ends.isoformat())
        days = undone.previous
        license.maintenance = None if days is None else now._replace(starts=days[0], ends=days[1])
        self._give_back(undone.serial_id, undone.quantity)
        self.changes.renewed.append((license, undone))
        return Decision("reverted", license_number=license.number)

    def _registration(self, one: Done) -> Decision:
        serial = self.serials[codes.match_key(str(self.said[one.place]["serial"]))]
        if serial.state != "registered":
            return kept(serial.state)
        serial.state = "unregistered"
        self._give_back(serial.id, 0)
        return Decision("reverted")

    def _revocation(self, one: Done) -> Decision:
        license = self.made[one.license_number or ""]
        if license.state != "revoked" or license.is_detached:
            return kept(license.state)
        line_id = license.contract_line_id
        if line_id is not None:  # somebody else may have drawn it since
            drawn = self.drawn.get(line_id, 0)
            decision = reverting.decide_drawn_again(license.quantity, self.offers[line_id], drawn)
            if decision.code != "reverted":
                return decision
            self.drawn[line_id] = drawn + license.quantity
            self.changes.drawn[license.number] = one.place
        license.state = "active"
        self.changes.licenses[license.number] = license
        return Decision("reverted", license_number=license.number)

    def _share(self, one: Done) -> Decision:
        recipient = self.accounts[str(self.said[one.place]["with_account"])]
        place = (one.license_number or "", recipient.id)
        if self.shares.get(place) is None:
            return kept("withdrawn")
        self.shares[place] = self.changes.withdrawn[place] = None
        return Decision("reverted", license_number=one.license_number)

    def _mint_order(self, one: Done) -> Decision:
        order_id = one.order_id or 0
        decision = reverting.decide_share_of(*self.orders.get(order_id, (0, 0)))
        if decision.code != "kept_in_use":
            self.changes.orders.append(order_id)
        return decision

    def _new_voucher(self, one: Done) -> Decision:
        voucher = self.vouchers[codes.match_key(str(self.said[one.place]["voucher_code"]))]
        if voucher.state != "minted":
            return kept(voucher.state)
        voucher.state = "void"
        self.changes.void.append(voucher.id)
        return Decision("reverted")

    def _void_voucher(self, one: Done) -> Decision:
        voucher = self.vouchers[codes.match_key(str(self.said[one.place]["voucher_code"]))]
        if voucher.state != "void":
            return kept(voucher.state)
        voucher.state = "minted"
        self.changes.unvoid.append(voucher.id)
        return Decision("reverted")

    def _new_serial(self, one: Done) -> Decision:
        serial = self.serials[codes.match_key(str(self.said[one.place]["serial"]))]
        if serial.state != "unregistered":
            return kept(serial.state)
        serial.state = "void"
        self.changes.void_serials.append(serial)
        return Decision("reverted")

    def _notifications(self, one: Done) -> Decision:
        decision = reverting.decide_share_of(*self.notices.get(one.place, (0, 0)))
        if decision.code != "kept_in_use":
            self.changes.notices.append(one.place)
        return decision

    _UNDO: dict[Effect, Callable[[Reversals, Done], Decision]] = {  # noqa: RUF012 - never changed
        "license": _license,
        "replacement": _replacement,
        "renewal": _renewal,
        "registration": _registration,
        "revocation": _revocation,
        "share": _share,
        "mint_order": _mint_order,
        "new_voucher": _new_voucher,
        "void_voucher": _void_voucher,
        "new_serial": _new_serial,
        "notifications": _notifications,
    }

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write what was taken back, each kind of thing at once."""
        changes, work = self.changes, self.work
        if not changes.places:
            return {}
        reason = f"reverted by batch {work.batch.id}"
        reversals.record(connection, changes.places, work.batch.id, work.at)
        returned = {number: changes.places[place] for number, place in changes.returned.items()}
        contracts.give_back(connection, returned, work.at, work.batch.id)
        drawn = {number: changes.places[place] for number, place in changes.drawn.items()}
        contracts.draw_again(connection, drawn, work.at, work.batch.id)
        contracts.free_references(connection, list(returned))
        reversals.write_licenses(connection, list(changes.licenses.values()), work.at, reason)
        reversals.return_notifications(connection, _outermost(changes.parents))
        reversals.free_vouchers(connection, changes.vouchers)
        reversals.unvoid_vouchers(connection, changes.unvoid)
        vouchers.void(connection, dict.fromkeys(changes.void, reason))
        reversals.void_orders(connection, changes.orders, reason)
        reversals.give_back_notifications(connection, changes.notifications)
        reversals.delete_notifications(connection, changes.notices)
        serials.change(connection, changes.void_serials)
        shares.save(connection, changes.withdrawn, work.at)
        issued = self._write_renewals(connection)
        reversals.give_back_serials(connection, changes.given_back)
        entries = {f"batch {batch} row {row}": {"by": work.batch.id} for batch, row in changes.places}
        audit.record_all(connection, work.account.number, "row.reverted", entries)
        return issued

    def _write_renewals(self, connection: Connection) -> Issued:
        if not self.changes.renewed:
            return {}
        renewals.undo(connection, [undone for _, undone in self.changes.renewed])
        changed = {license.number: license for license, _ in self.changes.renewed}
        return self.chains.sign_again(connection, changed)


def _rest(one: Done) -> str | None:
    """The number of what was left of a license that the row replaced in part."""
    return one.detail if one.code == "issued_in_part" else None


def _outermost(parents: dict[str, str]) -> dict[str, str]:
    """The licenses taken back, with the ones that are active again in the end: a chain may be taken back at once."""
    found = {}
    for number, parent in parents.items():
        while parent in parents:
            parent = parents[parent]
        found[number] = parent
    return found


KIND = Kind(
    name="revert-batches",
    title={"en": "Revert batches", "it": "Annullare gli effetti di lotti"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Reversals,
    subject=("batch", "row"),
    domain="row",
    ends_licenses=True,
    is_sequential=True,  # what was done last is taken back first
)

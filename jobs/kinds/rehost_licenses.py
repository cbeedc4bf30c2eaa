"""``rehost-licenses``: licenses, or part of them, move to another host."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.chains import Chains
from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing import codes, rehosting
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import licenses, notifications, products

COLUMNS = (
    FIELDS["license"].needed(),
    FIELDS["new_host_id"].needed(),
    FIELDS["quantity"],
)


class Moves:
    """The licenses of one slice of rows, where they were moved before, and how often they may be."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Moves | None = None) -> None:
        self.work = work
        self.numbers = {row[0]: codes.written(row[0]) for row in rows}
        named = [self.numbers[row[0]] for row in rows]
        self.chains: Chains = Chains(connection, work, named, None if before is None else before.chains)
        known = self.chains.licenses.values()
        self.products = products.by_id(connection, list({license.product_id for license in known}))
        limited = [one.number for one in known if self.products[one.product_id].rehost_limit is not None]
        self.moves = licenses.rehosts(connection, limited) if limited else {}

    def decide(self, row: Asked) -> Decision:
        """Whether (part of) the row's license moves, or moved there before, or why not."""
        code, new_host_id, quantity = row.values
        request = rehosting.Request(self.numbers[code], new_host_id, quantity)
        license, made = self.chains.now(request.number)
        if license is None:
            return rehosting.decide_rehost(request, None, (), today=self.work.today)
        product = self.products[license.product_id]
        decision = rehosting.decide_rehost(
            request,
            rehosting.Offer(
                license.access,
                license.state,
                license.host_id or "",
                license.quantity,
                license.valid_until,
                self.moves.get(license.number, ()),
                product.rehost_limit,
                product.rehost_days,
            ),
            [rehosting.Moved(one.number, one.host_id or "", one.quantity) for one in made if one.cause == "rehost"],
            today=self.work.today,
        )
        if decision.code != "issued":
            return decision
        moved = quantity or license.quantity
        new = self.chains.successor(row, license, "rehost", moved)
        new.host_id = new_host_id
        divided = self.chains.divide(row, license, new)
        if divided.rest is None:
            return decision._replace(license_number=divided.new.number, effect=divided)
        self.moves[divided.rest.number] = self.moves.get(license.number, [])
        return Decision("issued_in_part", divided.rest.number, license_number=divided.new.number, effect=divided)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """End the old licenses and issue the new ones; a notification goes with a license that moved as a whole."""
        divided = [row.decision.effect for row in asked if row.decision.effect]
        issued = self.chains.apply(connection, divided)
        whole = [one for one in divided if one.rest is None]
        if whole:
            moved = {one.old.number: one.new.number for one in whole}
            notifications.follow(connection, moved, [one.old.number for one in whole if one.old.root != one.old.number])
        return issued


KIND = Kind(
    name="rehost-licenses",
    title={"en": "Re-host licenses", "it": "Trasferire licenze"},
    senders=frozenset({"distributor", "customer"}),
    fields=COLUMNS,
    load=Moves,
    subject=("license",),
    domain="license",
    issues_licenses=True,
    ends_licenses=True,
    takes_back={"issued": "replacement", "issued_in_part": "replacement"},
)

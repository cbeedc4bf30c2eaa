"""``draw-down``: customers draw licenses from their flexible contracts as they need them, and give them back.

A row with a negative quantity gives (part of) a license back, which it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from jobs import numbers
from jobs.chains import Chains, Divided
from jobs.issuing import NewLicense, issue
from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.pools import Pools
from licensing import codes, drawing
from licensing.decisions import Decision
from licensing.drawing import Earlier, Offer
from licensing.field_catalogue import FIELDS
from licensing.holding import refusal, unknown
from models import contracts, licenses, products
from models.contracts import ContractLine
from models.database import NULL, copy_text
from models.licenses import Held, Shown
from models.products import Product

MOST = 1_000_000_000
COLUMNS = (
    FIELDS["contract"].needed(),
    FIELDS["product"].needed(),
    replace(FIELDS["quantity"], least=-MOST, greatest=MOST).needed(),
    FIELDS["host_id"],
    FIELDS["cost_center"],
    FIELDS["reference"],
    FIELDS["license"],
)


class Pool(NamedTuple):
    """A line that rows draw from, on the day of the batch's confirmation in its contract's time zone."""

    line: ContractLine
    product: Product
    today: date
    offer: Offer


class Draws:
    """The contracts of one slice of rows, what is drawn of them, and the licenses that come back."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Draws | None = None) -> None:
        self.work = work
        self.pools = Pools(connection, work, [(row[0], None, row[1]) for row in rows], lock=not work.is_preview)
        self.named: dict[tuple[str, str], Pool | Decision] = {}  # as rows call them
        self.drawn: dict[int, int] = contracts.drawn(connection, [line.id for line in self.pools.lines.values()])
        self.earlier = self._references(connection, rows)
        self.chains: Chains = Chains(
            connection,
            work,
            [codes.written(row[6]) for row in rows if row[6]],
            None if before is None else before.chains,
        )
        if before is not None:
            self.drawn |= before.drawn
            self.earlier |= before.earlier
        self.fresh_numbers = iter(numbers.license_numbers(len(rows)))

    def _pool(self, contract_code: str, sku: str) -> Pool | Decision:
        """The pool that a row means, looked for once, or why there is none."""
        found = self.named.get((contract_code, sku))
        if found is None:
            line = self.pools.find(contract_code, None, sku)
            found = line if isinstance(line, Decision) else self._offered(line, self.pools.products[sku.upper()])
            self.named[contract_code, sku] = found
        return found

    def _offered(self, line: ContractLine, product: Product) -> Pool:
        today = self.pools.today(line)
        terms = self.pools.rules[line.id]
        offer = drawing.offer_on(terms, today, sku=product.sku, host_bound=product.host_bound)
        return Pool(line, product, today, offer)

    def _references(self, connection: Connection, rows: Sequence[Values]) -> dict[tuple[int, str], Earlier]:
        pools = [(self._pool(row[0], row[1]), row[5]) for row in rows if row[5]]
        wanted = {(pool.line.id, reference) for pool, reference in pools if isinstance(pool, Pool)}
        found = contracts.by_reference(connection, list(wanted)) if wanted else {}
        return {place: Earlier(*one) for place, one in found.items()}

    def decide(self, row: Asked) -> Decision:
        """Whether a license is drawn or given back, or was before, or why not."""
        contract_code, sku, quantity, host_id, _cost_center, reference, _license = row.values
        pool = self._pool(contract_code, sku)
        if isinstance(pool, Decision):
            return pool
        line, product, _today, offer = pool
        if quantity == 0:
            return Decision("nothing_to_draw", field="quantity")
        earlier = self.earlier.get((line.id, reference or ""))
        if quantity < 0:
            return self._give_back(row, pool, earlier)
        request = drawing.Request(quantity, host_id or "", reference or "")
        decision = drawing.decide_draw_down(request, offer, self.drawn.get(line.id, 0), earlier)
        if decision.code not in ("issued", "issued_beyond_commitment"):
            return decision
        number = next(self.fresh_numbers)
        self._remember(line, reference, quantity, number, request.host_id)
        new = NewLicense(
            row.ordinal,
            number,
            line.contract.customer_id,
            line.contract.customer_number,
            product.id,
            product.sku,
            product.version or products.FIRST_VERSION,
            quantity,
            host_id,
            reference,
            offer.ends,
            None,
            contract_line_id=line.id,
        )
        return decision._replace(license_number=number, effect=(pool, new))

    def _give_back(self, row: Asked, pool: Pool, earlier: Earlier | None) -> Decision:
        line = pool.line
        quantity, reference, license_code = -row.values[2], row.values[5], row.values[6]
        if not license_code:
            return Decision("license_required", field="license")
        number = codes.written(license_code)
        license, _ = self.chains.now(number)
        if license is None:
            return unknown(number)
        if refused := refusal(number, license.access, "manage"):
            return refused
        is_of_line = license.contract_line_id == line.id
        returned = drawing.Returned(license.state, license.quantity, is_of_line)
        decision = drawing.decide_return(quantity, returned, earlier)
        if decision.code not in ("returned", "returned_in_part"):
            return decision
        self._remember(line, reference, -quantity, license.number, license.host_id or "")
        if decision.code == "returned":
            license.state = "revoked"
            return decision._replace(license_number=license.number, effect=(pool, license))
        divided = self.chains.reduce(row, license, license.quantity - quantity)
        return decision._replace(license_number=divided.new.number, effect=(pool, divided))

    def _remember(self, line: ContractLine, reference: str | None, quantity: int, number: str, host_id: str) -> None:
        self.drawn[line.id] = self.drawn.get(line.id, 0) + quantity
        if reference:
            self.earlier[line.id, reference] = Earlier(quantity, number, host_id)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Sign and write what is drawn, end what is given back, and write both down."""
        effective = [row for row in asked if row.decision.effect]
        if not effective:
            return {}
        effects = [row.decision.effect[1] for row in effective]
        issued: dict[str, Shown] = {}
        if drawn := [one for one in effects if isinstance(one, NewLicense)]:
            issued |= issue(connection, self.work, drawn)
        issued |= self.chains.apply(connection, [one for one in effects if isinstance(one, Divided)])
        if ended := [one.number for one in effects if isinstance(one, Held)]:
            licenses.end(connection, ended, "revoked", self.work.at, ["returned"] * len(ended))
        contracts.record(connection, ["".join(map(self._movement, effective))])
        return issued

    def _movement(self, row: Asked) -> str:
        """A line of COPY, as ``contracts.record`` takes it."""
        pool, what = row.decision.effect
        number = what.old.number if isinstance(what, Divided) else what.number
        quantity, (cost_center, reference) = row.values[2], row.values[4:6]
        return (
            f"{pool.line.id}\t{pool.today}\t{quantity}\t{number}\t{copy_text(reference) if reference else NULL}"
            f"\t{copy_text(cost_center) if cost_center else NULL}\t{self.work.batch.id}\t{row.ordinal}\n"
        )


KIND = Kind(
    name="draw-down",
    title={"en": "Draw down", "it": "Prelevare licenze"},
    senders=frozenset({"customer", "distributor"}),
    fields=COLUMNS,
    load=Draws,
    subject=("contract",),  # all of its lines are locked with it, and amended under it
    domain="contract",
    issues_licenses=True,
    ends_licenses=True,
    takes_back={"issued": "license", "issued_beyond_commitment": "license"},
)

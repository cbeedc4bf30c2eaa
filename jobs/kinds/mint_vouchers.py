"""``mint-vouchers``: the vendor orders new voucher codes for an OEM, millions in one row if need be."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs import numbers
from jobs.kind import Asked, Kind, Values, Work
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import accounts, products, vouchers
from models.database import copy_text

COLUMNS = (
    FIELDS["oem"].needed(),
    FIELDS["product"].needed(),
    FIELDS["count"].needed(),
    FIELDS["version"],
    FIELDS["term"],
    FIELDS["expires"],
    FIELDS["po_number"],
    FIELDS["reference"],
)
CODES_A_SLICE = 50_000


class Orders:
    """The OEMs, products and earlier orders that a slice of rows names."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values]) -> None:
        self.work = work
        self.oems = accounts.by_numbers(connection, list({row[0] for row in rows}), lock=False)
        self.products = products.by_sku(connection, list({row[1] for row in rows}))
        references = [(self.oems[row[0]].id, row[7]) for row in rows if row[7] and row[0] in self.oems]
        if not work.is_preview:
            vouchers.lock_oems(connection, [oem_id for oem_id, _ in references])
        self.earlier = vouchers.orders_by_reference(connection, references) if references else {}
        self.given: dict[tuple[int, str], tuple[object, ...]] = {}

    def decide(self, values: Values) -> Decision:
        """Whether codes are minted, were minted before under the same reference, or why not."""
        oem_number, sku, count, version, term, expires, po_number, reference = values
        oem, product = self.oems.get(oem_number), self.products.get(sku.upper())
        if oem is None:
            return Decision("unknown_account", oem_number, field="oem")
        if oem.type != "oem":
            return Decision("not_an_oem", oem_number, field="oem")
        if product is None:
            return Decision("unknown_product", sku, field="product")
        terms = (product.id, version, count, term, expires, po_number)
        order = {
            "batch_id": self.work.batch.id,
            "oem_id": oem.id,
            "product_id": product.id,
            "version": version,
            "count": count,
            "term_months": term,
            "expires": expires,
            "po_number": po_number,
            "reference": reference,
        }
        if reference:
            earlier = self.earlier.get((oem.id, reference))
            if earlier is not None and earlier[1] != self.work.batch.id:
                if tuple(earlier[3:]) != terms:
                    return Decision("reference_reused", reference, field="reference")
                return Decision("already_minted", order_id=earlier[0])
            if (oem.id, reference) in self.given:
                if self.given[oem.id, reference] != terms:
                    return Decision("reference_reused", reference, field="reference")
                return Decision("already_minted", effect=order)
            self.given[oem.id, reference] = terms
        return Decision("minted", f"{count:,}", effect=order)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> None:
        """Nothing: codes are made slice by slice in :func:`mint`."""


def mint(connection: Connection, work: Work, row: Asked, position: int) -> int:
    """Make the next codes of an order, and say how many are still to come."""
    order = row.decision.effect | {"ordinal": row.ordinal}
    order_id, minted = vouchers.place_order(connection, order)
    row.decision = row.decision._replace(order_id=order_id)
    count = min(CODES_A_SLICE, order["count"] - minted)
    if count > 0:
        tail = "\t".join(
            (
                str(order["oem_id"]),
                str(order["product_id"]),
                copy_text(order["version"]) if order["version"] else "\\N",
                "\\N" if order["term_months"] is None else str(order["term_months"]),
                order["expires"].isoformat() if order["expires"] else "\\N",
                f"{order_id}\n",
            )
        )
        codes = numbers.voucher_codes(count)
        vouchers.add(connection, ["".join([f"{code.replace('-', '')}\t{code}\t{tail}" for code in codes])])
        vouchers.count_minted(connection, order_id, count)
    return int(order["count"] - minted - count)


KIND = Kind(
    name="mint-vouchers",
    title={"en": "Mint vouchers", "it": "Generare voucher"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Orders,
    subject=("oem", "reference"),
    domain="mint_order",
    produce=mint,
)

"""``mint-vouchers``: the vendor orders new voucher codes for an OEM, millions in one row if need be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from config.wiring import App
from exporters.code_lists import code_list
from jobs import numbers
from jobs.kind import Asked, Issued, Kind, Listing, Values, Work
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import accounts, products, vouchers
from models.batches import Batch
from models.database import copy_line

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


@dataclass(slots=True)
class Order:
    """An order as it is decided; ``id`` is known once its first codes are made."""

    record: dict[str, Any]
    id: int | None = None

    @property
    def terms(self) -> tuple[object, ...]:
        """What makes another order with the same reference the same order."""
        return tuple(
            self.record[name] for name in ("product_id", "version", "count", "term_months", "expires", "po_number")
        )


class Orders:
    """The OEMs, products and earlier orders that a slice of rows names."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Orders | None = None
    ) -> None:
        self.work = work
        self.oems = accounts.by_numbers(connection, list({row[0] for row in rows}), lock=False)
        self.products = products.by_sku(connection, list({row[1] for row in rows}))
        references = [(self.oems[row[0]].id, row[7]) for row in rows if row[7] and row[0] in self.oems]
        if not work.is_preview:
            vouchers.lock_oems(connection, [oem_id for oem_id, _ in references])
        self.earlier = vouchers.orders_by_reference(connection, references) if references else {}
        self.given: dict[tuple[int, str], Order] = dict(before.given) if before else {}

    def decide(self, row: Asked) -> Decision:
        """Whether codes are minted, were minted before under the same reference, or why not."""
        oem_number, sku, count, version, term, expires, po_number, reference = row.values
        oem, product = self.oems.get(oem_number), self.products.get(sku.upper())
        if oem is None:
            return Decision("unknown_account", oem_number, field="oem")
        if oem.type != "oem":
            return Decision("not_an_oem", oem_number, field="oem")
        if product is None:
            return Decision("unknown_product", sku, field="product")
        order = Order(
            {
                "batch_id": self.work.batch.id,
                "ordinal": row.ordinal,
                "oem_id": oem.id,
                "product_id": product.id,
                "version": version,
                "count": count,
                "term_months": term,
                "expires": expires,
                "po_number": po_number,
                "reference": reference,
            }
        )
        return self._by_reference(order, oem.id, reference) if reference else _minted(order)

    def _by_reference(self, order: Order, oem_id: int, reference: str) -> Decision:
        """A reference is an order's identity: the same order again is answered with the same codes."""
        same_file = self.given.get((oem_id, reference))
        stored = self.earlier.get((oem_id, reference))
        if same_file is not None:
            known, known_id = same_file.terms, same_file.id
        elif stored is not None and stored[1:3] != (self.work.batch.id, order.record["ordinal"]):
            known, known_id = tuple(stored[3:]), stored[0]
        else:
            self.given[oem_id, reference] = order
            return _minted(order)
        if known != order.terms:
            return Decision("reference_reused", reference, field="reference")
        return Decision("already_minted", order_id=known_id)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Nothing: codes are made slice by slice in :func:`mint`."""
        return {}


def _minted(order: Order) -> Decision:
    return Decision("minted", str(order.record["count"]), effect=order)


def mint(connection: Connection, work: Work, row: Asked, most: int) -> tuple[int, int]:
    """Make the next codes of an order: how many now, and how many are still to come."""
    order: Order = row.decision.effect
    record = order.record
    order.id, minted = vouchers.place_order(connection, record)
    row.decision = row.decision._replace(order_id=order.id)
    count = min(most, record["count"] - minted)
    if count > 0:
        tail = copy_line(
            record["oem_id"],
            record["product_id"],
            record["version"],
            record["term_months"],
            record["expires"],
            order.id,
        )
        codes = numbers.voucher_codes(count)
        vouchers.add(connection, ["".join([f"{code.replace('-', '')}\t{code}\t{tail}" for code in codes])])
        vouchers.count_minted(connection, order.id, count)
    return count, record["count"] - minted - count


def codes_minted(_app: App, connection: Connection, batch: Batch) -> Listing | None:
    """The voucher codes that the orders of a batch minted, or had minted before."""
    orders = dict.fromkeys(vouchers.orders_of_batch(connection, batch.id))
    if not orders:
        return None
    codes = chain.from_iterable(vouchers.codes_of_order(connection, order_id) for order_id, _ in orders)
    return Listing("codes", sum(count for _, count in orders), code_list(codes, batch.options["language"]))


KIND = Kind(
    name="mint-vouchers",
    title={"en": "Mint vouchers", "it": "Generare voucher"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Orders,
    subject=("oem", "reference"),
    domain="mint_order",
    produce=mint,
    listing=codes_minted,
    takes_back={"minted": "mint_order"},
)

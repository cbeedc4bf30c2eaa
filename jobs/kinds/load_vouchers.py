"""``load-vouchers``: codes that another system made, brought in for an OEM."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing import codes
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import accounts, products, vouchers
from models.database import copy_line
from models.vouchers import Voucher

COLUMNS = (
    FIELDS["voucher_code"].needed(),
    FIELDS["oem"].needed(),
    FIELDS["product"].needed(),
    FIELDS["version"],
    FIELDS["term"],
    FIELDS["expires"],
)


class Loads:
    """The vouchers, OEMs and products that a slice of rows names."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Loads | None = None) -> None:
        self.vouchers: dict[str, Voucher] = vouchers.by_key(
            connection, codes.match_keys([row[0] for row in rows]), lock=not work.is_preview
        ) | (before.vouchers if before else {})
        self.oems = accounts.by_numbers(connection, list({row[1] for row in rows}), lock=False)
        self.products = products.by_sku(connection, list({row[2] for row in rows}))

    def decide(self, row: Asked) -> Decision:
        """Whether the voucher is new, changed or known; what was redeemed is never changed."""
        code, oem_number, sku, version, term, expires = row.values
        key = codes.match_key(code)
        if codes.check(key) == "mistyped":
            return Decision("mistyped_code", field="voucher_code")
        oem, product = self.oems.get(oem_number), self.products.get(sku.upper())
        if oem is None:
            return Decision("unknown_account", oem_number, field="oem")
        if oem.type != "oem":
            return Decision("not_an_oem", oem_number, field="oem")
        if product is None:
            return Decision("unknown_product", sku, field="product")
        known = self.vouchers.get(key)
        if known is None:
            voucher = Voucher(key, 0, code, oem.id, product.id, version, term, expires, "minted")
            self.vouchers[key] = voucher
            return Decision("created", effect=voucher)
        if known.oem_id != oem.id:
            return Decision("voucher_of_another", field="voucher_code")
        changes = [
            (name, field)
            for name, field, value in (
                ("product_id", "product", product.id),
                ("version", "version", version),
                ("term_months", "term", term),
                ("expires", "expires", expires),
            )
            if value is not None and value != getattr(known, name)
        ]
        if not changes:
            return Decision("unchanged")
        if known.state != "minted":
            return Decision("voucher_in_use", changes[0][1], field=changes[0][1])
        known.product_id = product.id
        known.version = version or known.version
        known.term_months = known.term_months if term is None else term
        known.expires = expires or known.expires
        return Decision("updated", ", ".join(field for _, field in changes), effect=known)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write new vouchers and changes."""
        created = {row.decision.effect.key: row.decision.effect for row in asked if row.decision.code == "created"}
        vouchers.add(
            connection,
            [
                copy_line(v.key, v.code, v.oem_id, v.product_id, v.version, v.term_months, v.expires, None)
                for v in created.values()
            ],
        )
        vouchers.change(
            connection,
            [
                {
                    "id": v.id,
                    "product_id": v.product_id,
                    "version": v.version,
                    "term_months": v.term_months,
                    "expires": v.expires,
                }
                for v in (row.decision.effect for row in asked if row.decision.code == "updated")
                if v.key not in created
            ],
        )
        return {}


KIND = Kind(
    name="load-vouchers",
    title={"en": "Load vouchers of another system", "it": "Caricare voucher di un altro sistema"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Loads,
    subject=("voucher_code",),
    domain="voucher",
    takes_back={"created": "new_voucher"},
)

"""``redeem-vouchers``: an OEM turns voucher codes into licenses, each for one of its customers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs import customers, numbers
from jobs.customers import Named
from jobs.kind import Asked, Kind, Values, Work
from licensing import codes, redeeming, terms
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import licenses, products, vouchers
from models.database import copy_text
from models.products import Product
from models.vouchers import Voucher
from signing.tokens import LicenseClaims

COLUMNS = (
    FIELDS["voucher_code"].needed(),
    FIELDS["company"].needed(),
    FIELDS["email"],
    FIELDS["country"],
    FIELDS["host_id"],
    FIELDS["reference"],
)


class Redemptions:
    """The vouchers of one slice of rows, what they became already, and the license numbers kept ready for them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Redemptions | None = None
    ) -> None:
        self.work = work
        keys = [codes.match_key(row[0]) for row in rows]
        self.vouchers = vouchers.by_key(connection, keys, lock=not work.is_preview)
        self.products = products.by_id(connection, list({voucher.product_id for voucher in self.vouchers.values()}))
        redeemed = [voucher.id for voucher in self.vouchers.values() if voucher.state == "redeemed"]
        self.earlier: dict[int, redeeming.Earlier] = {
            voucher_id: redeeming.Earlier(*license)
            for voucher_id, license in (licenses.of_vouchers(connection, redeemed) if redeemed else {}).items()
        }
        if before is not None:
            self.earlier |= before.earlier
        self.fresh_numbers = iter(numbers.license_numbers(len(rows)))

    def decide(self, row: Asked) -> Decision:
        """Whether the row's voucher becomes a license, or became it before, or why not."""
        code, company, _email, country, host_id, _reference = row.values
        request = redeeming.Request(codes.match_key(code), codes.company_key(company), country or "", host_id or "")
        voucher = self.vouchers.get(request.key)
        if voucher is None:
            return redeeming.decide_redemption(
                request, None, None, account_id=self.work.account.id, today=self.work.today
            )
        product = self.products[voucher.product_id]
        decision = redeeming.decide_redemption(
            request,
            redeeming.Offer(voucher.oem_id, voucher.state, voucher.expires, product.sku, product.host_bound),
            self.earlier.get(voucher.id),
            account_id=self.work.account.id,
            today=self.work.today,
        )
        if decision.code != "issued":
            return decision
        number = next(self.fresh_numbers)
        self.earlier[voucher.id] = redeeming.Earlier(number, request.company_key, request.country, request.host_id)
        return Decision("issued", license_number=number, effect=(voucher, product, request))

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> None:
        """Register the customers, sign the keys, write the licenses and take the vouchers out of stock."""
        issued = [row for row in asked if row.decision.code == "issued"]
        if not issued:
            return
        found = customers.settle(
            self.work,
            (
                Named(row.decision.effect[2].company_key, row.values[3] or "", row.values[1], row.values[2])
                for row in issued
            ),
        )
        claims = [self._claims(row, found) for row in issued]
        assert self.work.signer is not None
        keys = self.work.signer.sign_many(claims)
        licenses.add(connection, ["".join(self._lines(issued, claims, keys, found))])
        vouchers.mark_redeemed(connection, [row.decision.effect[0].id for row in issued])

    def _claims(self, row: Asked, found: dict[tuple[str, str], tuple[int, str]]) -> LicenseClaims:
        voucher, product, request = row.decision.effect
        last_day = terms.valid_until(self.work.today, _term(voucher, product))
        return LicenseClaims(
            customer_number=found[request.company_key, request.country][1],
            license_number=row.decision.license_number or "",
            issued_at=int(self.work.at.timestamp()),
            expires_at=terms.expiry_epoch(last_day),
            sku=product.sku,
            version=voucher.version or product.version or "1",
            quantity=1,
            host=request.host_id or None,
            maintained_until=None,
        )

    def _lines(
        self,
        issued: Sequence[Asked],
        claims: Sequence[LicenseClaims],
        keys: Sequence[str],
        found: dict[tuple[str, str], tuple[int, str]],
    ) -> list[str]:
        account, batch, at = self.work.account.id, self.work.batch.id, self.work.at.isoformat()
        lines = []
        for row, claim, key in zip(issued, claims, keys, strict=True):
            voucher, product, request = row.decision.effect
            last_day = terms.valid_until(self.work.today, _term(voucher, product))
            host = copy_text(request.host_id) if request.host_id else "\\N"
            reference = copy_text(row.values[5]) if row.values[5] else "\\N"
            customer = found[request.company_key, request.country][0]
            lines.append(
                "\t".join(
                    (
                        claim.license_number,
                        key,
                        str(account),
                        str(customer),
                        str(product.id),
                        copy_text(claim.version),
                        host,
                        reference,
                        at,
                        str(last_day) if last_day else "\\N",
                        str(voucher.id),
                        str(batch),
                        f"{row.ordinal}\n",
                    )
                )
            )
        return lines


def _term(voucher: Voucher, product: Product) -> int | None:
    """The voucher's own term, else its product's; None is perpetual."""
    return voucher.term_months if voucher.term_months is not None else product.term_months


KIND = Kind(
    name="redeem-vouchers",
    title={"en": "Redeem vouchers", "it": "Riscattare voucher"},
    senders=frozenset({"oem"}),
    fields=COLUMNS,
    load=Redemptions,
    subject=("voucher_code",),
    domain="voucher",
    guards_codes=True,
    issues_licenses=True,
)

"""``redeem-vouchers``: an OEM turns voucher codes into licenses, each for one of its customers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection

from jobs import customers, numbers
from jobs.customers import Named
from jobs.issuing import signed_in_blocks
from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing import codes, redeeming, terms
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import licenses, products, vouchers
from models.database import NULL, copy_text
from models.licenses import Shown
from signing.tokens import LicenseClaims

COLUMNS = (
    FIELDS["voucher_code"].needed(),
    FIELDS["company"].needed(),
    FIELDS["email"],
    FIELDS["country"],
    FIELDS["host_id"],
    FIELDS["reference"],
)

Found = dict[tuple[str, str], tuple[int, str]]  # customers by company key and country: id and number


class Redemptions:
    """The vouchers of one slice of rows, what they became already, and the license numbers kept ready for them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Redemptions | None = None
    ) -> None:
        self.work = work
        self.issued_at, self.issued_at_text = int(work.at.timestamp()), work.at.isoformat()
        self.keys = codes.keys_of([row[0] for row in rows])
        self.vouchers = vouchers.by_key(connection, list(self.keys.values()), lock=not work.is_preview)
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
        request = redeeming.Request(self.keys[code], codes.company_key(company), country or "", host_id or "")
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

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Register the customers, sign the keys, write the licenses and take the vouchers out of stock."""
        issued = [row for row in asked if row.decision.code == "issued"]
        if not issued:
            return {}
        found = customers.settle(self.work, [_named(row) for row in issued])
        claims = [self._claims(row, found) for row in issued]
        keys: list[str] = []
        tail = f"{self.work.batch.id}\t"
        licenses.add(
            connection,
            (
                "".join(
                    f"{claim.license_number}\t{key}\t{self._license_fields(row, claim, found)}\t{tail}{row.ordinal}\n"
                    for row, claim, key in zip(issued[block], claims[block], signed, strict=True)
                )
                for block, signed in signed_in_blocks(self.work, claims, keys)
            ),
        )
        vouchers.mark_redeemed(connection, [row.decision.effect[0].id for row in issued])
        return {
            claim.license_number: Shown(key, claim.sku, claim.quantity, self._last_day(row))
            for row, claim, key in zip(issued, claims, keys, strict=True)
        }

    def _last_day(self, row: Asked) -> date | None:
        """The last day of a license: by the voucher's own term, else its product's; None is perpetual."""
        voucher, product, _request = row.decision.effect
        months = voucher.term_months if voucher.term_months is not None else product.term_months
        return terms.valid_until(self.work.today, months)

    def _claims(self, row: Asked, found: Found) -> LicenseClaims:
        voucher, product, request = row.decision.effect
        return LicenseClaims(
            found[request.company_key, request.country][1],
            row.decision.license_number or "",
            self.issued_at,
            terms.expiry_epoch(self._last_day(row)),
            product.sku,
            voucher.version or product.version or products.FIRST_VERSION,
            1,
            request.host_id or None,
        )

    def _license_fields(self, row: Asked, claim: LicenseClaims, found: Found) -> str:
        """COPY fields from the account to the voucher."""
        voucher, product, request = row.decision.effect
        host = copy_text(request.host_id) if request.host_id else NULL
        reference = copy_text(row.values[5]) if row.values[5] else NULL
        customer = found[request.company_key, request.country][0]
        return (
            f"{self.work.account.id}\t{customer}\t{product.id}\t{copy_text(claim.version)}\t{host}\t{reference}"
            f"\t{self.issued_at_text}\t{self._last_day(row) or NULL}\t{voucher.id}"
        )


def _named(row: Asked) -> Named:
    _code, company, email, country, _host_id, _reference = row.values
    return Named(row.decision.effect[2].company_key, country or "", company, email)


KIND = Kind(
    name="redeem-vouchers",
    title={"en": "Redeem vouchers", "it": "Riscattare voucher"},
    senders=frozenset({"oem"}),
    fields=COLUMNS,
    load=Redemptions,
    subject=("voucher_code",),
    domain="voucher",
    issues_licenses=True,
    takes_back={"issued": "license"},
)

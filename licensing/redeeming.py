"""Redeeming a voucher: the rule that decides whether a code becomes a license."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from licensing.codes import check
from licensing.decisions import Decision


class Request(NamedTuple):
    """What a row asks for. ``key`` is the code's look-up key; ``country`` and ``host_id`` are "" when blank."""

    key: str
    company_key: str
    country: str
    host_id: str


class Offer(NamedTuple):
    """The voucher that a row names, as far as the rule needs it."""

    oem_id: int
    state: str
    expires: date | None
    sku: str
    host_bound: bool


class Earlier(NamedTuple):
    """The license that the voucher already became, and what was asked for then."""

    number: str
    company_key: str
    country: str
    host_id: str


def is_same_request(request: Request, earlier: Earlier) -> bool:
    """Whether a row asks again for what was given: same company, and no cell that says otherwise.

    A blank cell means "leave alone", so it agrees with anything.
    """
    return (
        request.company_key == earlier.company_key
        and (not request.country or not earlier.country or request.country == earlier.country)
        and (not request.host_id or request.host_id == earlier.host_id)
    )


def decide_redemption(
    request: Request, offer: Offer | None, earlier: Earlier | None, *, account_id: int, today: date
) -> Decision:
    """The answer to one row of ``redeem-vouchers``.

    A code of someone else's gets the same answer as one that does not exist: who owns it is nobody's business.
    """
    if offer is None or offer.oem_id != account_id:
        if check(request.key) == "mistyped":
            return Decision("mistyped_code", field="voucher_code")
        return Decision("unknown_voucher", field="voucher_code")
    if offer.state == "void":
        return Decision("voucher_void", field="voucher_code")
    if earlier is not None and is_same_request(request, earlier):
        return Decision("already_issued", license_number=earlier.number)
    if earlier is not None or offer.state == "redeemed":
        return Decision("already_redeemed", field="voucher_code")
    if offer.expires is not None and offer.expires < today:
        return Decision("voucher_expired", offer.expires.isoformat(), field="voucher_code")
    if offer.host_bound and not request.host_id:
        return Decision("host_required", offer.sku, field="host_id")
    return Decision("issued")

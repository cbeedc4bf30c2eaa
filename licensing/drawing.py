"""Drawing licenses from a flexible contract: the rule that decides whether a row gets one, and what it is beyond."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from licensing.contracts import Line
from licensing.decisions import Decision


class Request(NamedTuple):
    """What a row asks for; ``reference`` and ``host_id`` are "" when blank."""

    quantity: int
    host_id: str
    reference: str


class Offer(NamedTuple):
    """A line as it stands on a day, the same for all rows of a list.

    ``closed``: the answer where the day is not in its term. ``most``: beyond that nothing is drawn, None for no end.
    ``ends``: the last day of the term, and of what is drawn. ``host_bound``: whether its product needs a host.
    """

    closed: Decision | None
    committed: int
    most: int | None
    ends: date
    sku: str
    host_bound: bool


def offer_on(line: Line, today: date, *, sku: str, host_bound: bool) -> Offer:
    """What a line offers on a day, in the contract's time zone.

    Under a hard stop nothing is drawn beyond what is committed and the growth allowance.
    """
    most = int(line.allowed_on(today)) if line.policy == "hard_stop" else None
    return Offer(not_in_term(line, today), line.commitment_on(today).quantity, most, line.ends, sku, host_bound)


class Earlier(NamedTuple):
    """What a row with the same reference was answered with before."""

    quantity: int
    number: str
    host_id: str


def decide_draw_down(request: Request, offer: Offer, drawn: int, earlier: Earlier | None) -> Decision:
    """The answer to a row that draws, where so much is drawn already.

    Beyond a hard stop it is refused with what is left; the other policies issue, and say how much is beyond.
    """
    if earlier is not None:
        is_same = earlier.quantity == request.quantity and request.host_id in ("", earlier.host_id)
        if is_same:
            return Decision("already_issued", license_number=earlier.number)
        return Decision("reference_reused", request.reference, field="reference")
    if offer.closed:
        return offer.closed
    if offer.host_bound and not request.host_id:
        return Decision("host_required", offer.sku, field="host_id")
    after = drawn + request.quantity
    if offer.most is not None and after > offer.most:
        return Decision("pool_exhausted", str(max(0, offer.most - drawn)), field="quantity")
    beyond = after - offer.committed
    return Decision("issued_beyond_commitment", str(beyond)) if beyond > 0 else Decision("issued")


def not_in_term(line: Line, today: date) -> Decision | None:
    """The answer to rows before and after the term of a line."""
    if line.starts <= today <= line.ends:
        return None
    return Decision("contract_not_active", f"{line.starts} - {line.ends}", field="contract")


class Returned(NamedTuple):
    """The license that a row gives back, as far as the rule needs it."""

    state: str
    quantity: int
    is_of_line: bool


def decide_return(quantity: int, license: Returned, earlier: Earlier | None) -> Decision:
    """The answer to a row that gives so much (a positive number) of a license back."""
    if earlier is not None:
        is_same = earlier.quantity == -quantity
        return Decision("already_returned") if is_same else Decision("reference_reused", field="reference")
    if not license.is_of_line:
        return Decision("license_of_another_contract", field="license")
    if license.state != "active":
        return Decision("license_not_active", license.state, field="license")
    if quantity > license.quantity:
        return Decision("quantity_not_left", str(license.quantity), field="quantity")
    return Decision("returned" if quantity == license.quantity else "returned_in_part", str(quantity))

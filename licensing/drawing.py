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
    """A line as it stands: its terms, what is drawn of it, and whether its product is bound to a host."""

    line: Line
    drawn: int
    sku: str
    host_bound: bool


class Earlier(NamedTuple):
    """What a row with the same reference was answered with before."""

    quantity: int
    number: str
    host_id: str


def decide_draw_down(request: Request, offer: Offer, earlier: Earlier | None, *, today: date) -> Decision:
    """The answer to a row that draws. ``today`` in the contract's time zone.

    Under a hard stop nothing is drawn beyond what is committed and the growth allowance; the other policies issue, and
    say how much is beyond the commitment.
    """
    if earlier is not None:
        is_same = earlier.quantity == request.quantity and request.host_id in ("", earlier.host_id)
        if is_same:
            return Decision("already_issued", license_number=earlier.number)
        return Decision("reference_reused", request.reference, field="reference")
    if closed := not_in_term(offer.line, today):
        return closed
    if offer.host_bound and not request.host_id:
        return Decision("host_required", offer.sku, field="host_id")
    after = offer.drawn + request.quantity
    if offer.line.policy == "hard_stop" and after > (allowed := int(offer.line.allowed_on(today))):
        return Decision("pool_exhausted", str(max(0, allowed - offer.drawn)), field="quantity")
    beyond = after - offer.line.commitment_on(today).quantity
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

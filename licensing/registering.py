"""Registering a serial: the rule that decides whether a certificate becomes a license."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from licensing.codes import check
from licensing.decisions import Decision

Party = int | tuple[str, str]  # a customer: its id or, as long as it has none, its company key and country


class Request(NamedTuple):
    """What a row asks for. ``quantity`` None: all that is left; ``host_id`` and ``reference`` are "" when blank."""

    key: str
    customer: Party
    host_id: str
    quantity: int | None
    reference: str


class Offer(NamedTuple):
    """The serial that a row names, as far as the rule needs it. ``owner``: who registered it first."""

    state: str
    purpose: str
    prints_key: bool
    remaining: int
    owner: Party | None
    sku: str
    host_bound: bool


class Earlier(NamedTuple):
    """A license that the serial already became, and what was asked for then."""

    number: str
    host_id: str
    quantity: int
    reference: str


def same_request(request: Request, earlier: Sequence[Earlier], remaining: int) -> Earlier | None:
    """The license that a row asks for again, if it does: same reference, host and quantity.

    A blank host agrees with any. A blank quantity means "all that is left", so it asks for something new as long as
    anything is left.
    """
    for license in earlier:
        if (
            license.reference == request.reference
            and request.host_id in ("", license.host_id)
            and (remaining == 0 if request.quantity is None else request.quantity == license.quantity)
        ):
            return license
    return None


def decide_registration(request: Request, offer: Offer | None, earlier: Sequence[Earlier]) -> Decision:
    """The answer to one row of ``register-serials``; ``detail`` of ``issued`` is empty.

    Someone else's serial is ``already_registered`` and nothing else: who owns it is nobody's business.
    """
    if offer is None:
        return Decision("mistyped_code" if check(request.key) == "mistyped" else "unknown_serial", field="serial")
    if offer.state == "void":
        return Decision("serial_void", field="serial")
    if offer.purpose == "renewal":
        return Decision("serial_renews_maintenance", field="serial")
    if offer.owner is not None and offer.owner != request.customer:
        return Decision("already_registered", field="serial")
    if offer.prints_key:
        return Decision("no_key_needed" if offer.owner is None else "unchanged")
    found = same_request(request, earlier, offer.remaining)
    if found is not None:
        return Decision("already_issued", license_number=found.number)
    if offer.remaining == 0:
        return Decision("serial_used_up", field="serial")
    if request.quantity is not None and request.quantity > offer.remaining:
        return Decision("quantity_not_left", str(offer.remaining), field="quantity")
    if offer.host_bound and not request.host_id:
        return Decision("host_required", offer.sku, field="host_id")
    return Decision("issued")

"""Moving a license to another host: the rule that decides whether it may, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from licensing.decisions import Decision
from licensing.holding import Access, refusal, unknown


class Request(NamedTuple):
    """What a row asks for. ``quantity`` None: all of it."""

    number: str
    new_host_id: str
    quantity: int | None


class Offer(NamedTuple):
    """The license that a row names, or what is left of it. ``limit`` None: it may move as often as it likes.

    ``moves``: the days on which it, or a license that it comes from, was moved before; ``window``: the days that the
    limit counts over (None: all its life).
    """

    access: Access | None
    state: str
    host_id: str
    quantity: int
    valid_until: date | None
    moves: Sequence[date]
    limit: int | None
    window: int | None


class Moved(NamedTuple):
    """A license that an earlier row made of this one, and what was asked for then."""

    number: str
    host_id: str
    quantity: int


def moves_that_count(moves: Sequence[date], window: int | None, today: date) -> int:
    """How many moves fall into the window of so many days that ends today."""
    return sum(window is None or day > today - timedelta(days=window) for day in moves)


def decide_rehost(request: Request, offer: Offer | None, earlier: Sequence[Moved], *, today: date) -> Decision:
    """The answer to one row of ``rehost-licenses``; a license of someone else's does not exist."""
    if offer is None:
        return unknown(request.number)
    if refused := refusal(request.number, offer.access, "manage"):
        return refused
    for moved in earlier:
        if moved.host_id == request.new_host_id and request.quantity in (None, moved.quantity):
            return Decision("already_issued", license_number=moved.number)
    if offer.state != "active":
        return Decision("license_not_active", offer.state, field="license")
    if offer.valid_until is not None and offer.valid_until < today:
        return Decision("license_not_active", "expired", field="license")
    if not offer.host_id:
        return Decision("license_without_host", field="license")
    if offer.host_id == request.new_host_id:
        return Decision("unchanged")
    if request.quantity is not None and request.quantity > offer.quantity:
        return Decision("quantity_not_left", str(offer.quantity), field="quantity")
    if offer.limit is not None and moves_that_count(offer.moves, offer.window, today) >= offer.limit:
        return Decision("rehost_limit_reached", str(offer.limit), field="license")
    return Decision("issued")

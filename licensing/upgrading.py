"""Upgrading a license by a notification: the rule that decides what a row may choose, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from licensing.codes import check
from licensing.decisions import Decision
from licensing.holding import Access


class Request(NamedTuple):
    """What a row asks for: ``sku`` in upper case; ``host_id`` and ``reference`` are "" when blank."""

    key: str
    sku: str
    quantity: int
    host_id: str
    reference: str


class Release(NamedTuple):
    """A release that the license may move to."""

    sku: str
    version: str
    released: date | None
    host_bound: bool


class Offer(NamedTuple):
    """The notification that a row names, the license that it is for (or the rest of it), and where that may move to.

    ``told``: the release that the notification tells of. ``reachable``: by upgrade paths, newest first.
    """

    access: Access | None
    state: str
    remaining: int
    told: tuple[str, str]
    license_state: str
    license_quantity: int
    host_id: str
    starts: date | None
    ends: date | None
    reachable: Sequence[Release]


class Earlier(NamedTuple):
    """A license that the notification already became, and what was asked for then."""

    number: str
    sku: str
    host_id: str
    quantity: int
    reference: str


def is_covered(released: date | None, starts: date | None, ends: date | None) -> bool:
    """Whether maintenance covers a release: it came out between the first and the last day."""
    return released is not None and starts is not None and ends is not None and starts <= released <= ends


def choose(offer: Offer, sku: str) -> Release | None:
    """The release that a row gets for the product that it names.

    Of the product that the notification tells of, that very version; of another, the newest that is covered.
    """
    for release in offer.reachable:
        is_told = (release.sku, release.version) == offer.told
        is_chosen = release.sku.upper() == sku and (is_told or release.sku != offer.told[0])
        if is_chosen and is_covered(release.released, offer.starts, offer.ends):
            return release
    return None


def offered(offer: Offer) -> list[str]:
    """The products that a row may choose from."""
    return sorted({release.sku for release in offer.reachable if choose(offer, release.sku.upper())})


def decide_upgrade(request: Request, offer: Offer | None, earlier: Sequence[Earlier]) -> Decision:
    """The answer to one row of ``upgrade-licenses``; ``effect`` of ``issued`` is the :class:`Release`."""
    if offer is None or offer.access is None:
        code = "mistyped_code" if check(request.key) == "mistyped" else "unknown_notification"
        return Decision(code, field="notification_id")
    if offer.access == "read":
        return Decision("license_read_only", field="notification_id")
    for one in earlier:
        is_same = (one.sku.upper(), one.quantity, one.reference) == (request.sku, request.quantity, request.reference)
        if is_same and request.host_id in ("", one.host_id):
            return Decision("already_issued", license_number=one.number)
    if offer.remaining == 0:
        return Decision("notification_used", field="notification_id")
    if offer.license_state != "active":
        return Decision("license_not_active", offer.license_state, field="notification_id")
    release = None if offer.state == "lapsed" else choose(offer, request.sku)
    if release is None:
        products = [] if offer.state == "lapsed" else offered(offer)
        if products:
            return Decision("product_not_offered", ", ".join(products), field="product")
        return Decision("maintenance_lapsed", "?" if offer.ends is None else offer.ends.isoformat(), "notification_id")
    left = min(offer.remaining, offer.license_quantity)
    if request.quantity > left:
        return Decision("quantity_not_left", str(left), field="quantity")
    if release.host_bound and not (request.host_id or offer.host_id):
        return Decision("host_required", release.sku, field="host_id")
    return Decision("issued", effect=release)

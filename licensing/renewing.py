"""Renewing maintenance: the rule that decides whether a renewal serial extends a license, and until when."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from licensing.codes import check
from licensing.decisions import Decision
from licensing.holding import Access, refusal, unknown
from licensing.terms import add_months


class Offer(NamedTuple):
    """The license that a row names. ``starts`` and ``ends`` None: it never had maintenance.

    ``policy`` after a lapse: ``restart``, ``backdate`` or ``refuse``.
    """

    access: Access | None
    state: str
    product_id: int
    quantity: int
    customer_id: int
    starts: date | None
    ends: date | None
    policy: str


class Renewal(NamedTuple):
    """The renewal serial that a row names. ``is_spent_here``: it extended this license before."""

    state: str
    purpose: str
    product_id: int
    remaining: int
    months: int
    owner_id: int | None
    is_spent_here: bool


def renewed_period(starts: date | None, ends: date | None, months: int, policy: str, today: date) -> tuple[date, date]:
    """First and last day of maintenance after a renewal.

    In time, it goes on from the last day, so nothing is lost by renewing early. After a lapse it starts again today
    (``restart``), or the months count from the old end, which fills the gap (``backdate``).
    """
    if starts is None or ends is None or (ends < today and policy != "backdate"):
        return today, add_months(today, months)
    return starts, add_months(ends, months)


def decide_renewal(
    number: str, offer: Offer | None, renewal_key: str, renewal: Renewal | None, *, today: date
) -> Decision:
    """The answer to one row of ``renew-maintenance``; ``effect`` of ``renewed`` is (first day, last day)."""
    if offer is None:
        return unknown(number)
    if refused := refusal(number, offer.access, "manage"):
        return refused
    if renewal is None:
        code = "mistyped_code" if check(renewal_key) == "mistyped" else "unknown_serial"
        return Decision(code, field="renewal_serial")
    if renewal.purpose != "renewal":
        return Decision("serial_makes_license", field="renewal_serial")
    if renewal.owner_id not in (None, offer.customer_id):
        return Decision("already_registered", field="renewal_serial")
    if renewal.is_spent_here:
        return Decision("already_renewed", "" if offer.ends is None else offer.ends.isoformat())
    if renewal.state == "void":
        return Decision("serial_void", field="renewal_serial")
    if offer.state != "active":
        return Decision("license_not_active", offer.state, field="license")
    if renewal.product_id != offer.product_id:
        return Decision("renewal_of_another_product", field="renewal_serial")
    if renewal.remaining < offer.quantity:
        return Decision("renewal_too_small", f"{renewal.remaining} < {offer.quantity}", field="renewal_serial")
    if offer.ends is not None and offer.ends < today and offer.policy == "refuse":
        return Decision("maintenance_lapsed", offer.ends.isoformat(), field="license")
    period = renewed_period(offer.starts, offer.ends, renewal.months, offer.policy, today)
    return Decision("renewed", period[1].isoformat(), effect=period)

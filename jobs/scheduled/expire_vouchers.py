"""``expire-vouchers``: vouchers that nobody redeemed in time are marked as expired."""

from __future__ import annotations

from jobs.job import Due, Job
from jobs.marking import mark_expired
from models import expiry


def expire(due: Due) -> None:
    """Mark them."""
    mark_expired(due, "voucher", expiry.mark_vouchers)


JOB = Job(
    name="expire-vouchers",
    title={"en": "Mark vouchers past their date", "it": "Contrassegnare i voucher scaduti"},
    run=expire,
    told={"en": "{expired} vouchers expired", "it": "{expired} voucher scaduti"},
)

"""``expire-licenses``: licenses whose term is over are marked as expired."""

from __future__ import annotations

from jobs.job import Due, Job
from jobs.marking import mark_expired
from models import expiry


def expire(due: Due) -> None:
    """Mark them."""
    mark_expired(due, "license", expiry.mark_licenses)


JOB = Job(
    name="expire-licenses",
    title={"en": "Mark licenses past their date", "it": "Contrassegnare le licenze scadute"},
    run=expire,
    told={"en": "{expired} licenses expired", "it": "{expired} licenze scadute"},
)

"""``publish-revocations``: the signed list of ended licenses anew, so that its date is never old."""

from __future__ import annotations

from jobs import revocations
from jobs.job import Due, Job


def publish(due: Due) -> None:
    """Sign and store the list."""
    with due.step() as connection:
        due.counts["licenses"] = sum(revocations.publish(due.app, connection).counts.values())


JOB = Job(
    name="publish-revocations",
    title={"en": "Publish the revocation list", "it": "Pubblicare l'elenco delle revoche"},
    run=publish,
    told={"en": "{licenses} licenses on the list", "it": "{licenses} licenze nell'elenco"},
)

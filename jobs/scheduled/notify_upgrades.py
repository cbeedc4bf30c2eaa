"""``notify-upgrades``: the owners of licenses that a release is due to, for every release that is out."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from jobs.handing_in import ACCOUNT, hand_in
from jobs.job import Due, Job
from models import notifications, products


def notify(due: Due) -> int | None:
    """Hand in a row for each release that somebody is to be notified of."""

    def releases(connection: Connection) -> Iterator[tuple[str, str]]:
        today = due.at.date()
        for sku, version, release_id in products.upgradable_to(connection, today):
            if notifications.due(connection, release_id, today, 1):
                yield sku, version

    return hand_in(due, "notify-upgrades", ("product", "release"), releases)


JOB = Job(
    name="notify-upgrades",
    title={"en": "Notify owners of upgrades", "it": "Avvisare i titolari degli aggiornamenti"},
    run=notify,
    told={"en": "{rows} releases", "it": "{rows} versioni"},
    arguments=(ACCOUNT,),
)

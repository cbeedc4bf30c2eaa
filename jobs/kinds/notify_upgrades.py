"""``notify-upgrades``: owners whose maintenance covers a release get the ID that they upgrade with.

One ID a license, for its whole quantity: an upgrade replaces that license, so the ID must say which one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from config.wiring import App
from exporters.listings import Title, listing
from jobs import numbers
from jobs.kind import Asked, Issued, Kind, Listing, Values, Work
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import licenses, notifications, products
from models.batches import Batch

COLUMNS = (
    FIELDS["product"].needed(),
    FIELDS["release"].needed(),
)
TITLES: tuple[Title, ...] = (
    FIELDS["notification_id"].title,
    FIELDS["product"].title,
    FIELDS["version"].title,
    FIELDS["license"].title,
    {"en": "Quantity left", "it": "Quantità rimasta"},
    FIELDS["customer_number"].title,
    FIELDS["company"].title,
    FIELDS["email"].title,
    FIELDS["support_contact"].title,
)


class Notices:
    """The releases that a slice of rows names, and who was notified of them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Notices | None = None
    ) -> None:
        self.work, self.connection = work, connection
        self.products = products.by_sku(connection, list({row[0] for row in rows}))
        ids = [product.id for product in self.products.values()]
        self.dates = products.releases_of(connection, ids)
        self.ids = products.release_ids(connection, list(self.dates))
        self.previewed: dict[int, int] = before.previewed if before else {}

    def decide(self, row: Asked) -> Decision:
        """Whether there are owners to notify of the release, or why not."""
        sku, version = row.values
        product = self.products.get(sku.upper())
        if product is None:
            return Decision("unknown_product", sku, field="product")
        if (product.id, version) not in self.ids:
            return Decision("unknown_release", version, field="release")
        released = self.dates[product.id, version]
        if released is None or released > self.work.today:
            return Decision("not_released", str(released or "-"), field="release")
        release_id = self.ids[product.id, version]
        made = notifications.made(self.connection, release_id)  # rows are few, and earlier ones have made some
        own = made.get((self.work.batch.id, row.ordinal), 0)
        coming = 0 if release_id in self.previewed else self._due(release_id)
        if coming or own:
            if self.work.is_preview:
                self.previewed[release_id] = coming
            return Decision("notified", str(own + coming), order_id=release_id, effect=release_id)
        if all_made := sum(made.values()) + self.previewed.get(release_id, 0):
            return Decision("already_notified", str(all_made), order_id=release_id)
        return Decision("nobody_to_notify")

    def _due(self, release_id: int) -> int:
        """How many licenses are to be notified; in a run it is enough to know that there is one."""
        most = None if self.work.is_preview else 1
        return len(notifications.due(self.connection, release_id, self.work.today, most))

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Nothing: notifications are made slice by slice in :func:`notify`."""
        return {}


def notify(connection: Connection, work: Work, row: Asked, most: int) -> tuple[int, int]:
    """Make the next notifications of a release: how many now, and whether more may come (1) or not (0)."""
    release_id: int = row.decision.effect
    found = notifications.due(connection, release_id, work.today, most)
    licenses.lock_chains(connection, found)
    still = notifications.due(connection, release_id, work.today, most, among=found) if found else []
    codes = dict(zip(still, numbers.notification_codes(len(still)), strict=True))
    notifications.add(connection, release_id, codes, (work.batch.id, row.ordinal))
    made = notifications.made(connection, release_id).get((work.batch.id, row.ordinal), 0)
    row.decision = row.decision._replace(detail=str(made))
    return len(still), int(len(found) == most)


def notifications_made(_app: App, connection: Connection, batch: Batch) -> Listing | None:
    """The notifications of the releases that a batch's rows name, whether made now or before."""
    count, found = notifications.of_batch(connection, batch.id)
    return Listing("notifications", count, listing(TITLES, found, batch.options["language"])) if count else None


KIND = Kind(
    name="notify-upgrades",
    title={"en": "Notify owners of upgrades", "it": "Avvisare i titolari degli aggiornamenti"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Notices,
    subject=("product", "release"),
    domain="release",
    produce=notify,
    listing=notifications_made,
    takes_back={"notified": "notifications"},
)

"""``list-downloads``: the files of the releases that licenses cover, with links that work for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from config.wiring import App
from exporters.listings import Title, listing
from jobs.kind import Asked, Issued, Kind, Listing, Values, Work
from jobs.naming import Holdings
from licensing.cells import Cell
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import downloads, rows
from models.batches import Batch

COLUMNS = (FIELDS["license"].needed(),)
TITLES: tuple[Title, ...] = (
    FIELDS["license"].title,
    FIELDS["product"].title,
    FIELDS["version"].title,
    FIELDS["release_date"].title,
    FIELDS["file_name"].title,
    FIELDS["platform"].title,
    FIELDS["language"].title,
    FIELDS["file_size"].title,
    FIELDS["file_sha256"].title,
    {"en": "Link", "it": "Link"},
    {"en": "Link works until (UTC)", "it": "Link valido fino al (UTC)"},
)
NO_LINKS = {
    "en": "Without links: the object store is a local folder, which gives none",
    "it": "Senza link: l'archivio dei file è una cartella locale, che non ne dà",
}
_AT_ONCE = 1_000  # licenses


class Downloads:
    """The licenses that a slice of rows names, and how many files each covers."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Downloads | None = None
    ) -> None:
        self.holdings: Holdings = Holdings(
            connection, work, [(row[0], None) for row in rows], None if before is None else before.holdings
        )
        self.counts = downloads.counts(connection, list(self.holdings.chains.licenses), work.today)

    def decide(self, row: Asked) -> Decision:
        """How many files the license, or what is left of it, covers."""
        license = self.holdings.find("read", row.values[0])
        if isinstance(license, Decision):
            return license
        count = self.counts.get(license.number, 0)
        return Decision("downloads_listed", str(count), license_number=license.number)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Nothing: the files are listed with the results."""
        return {}


def files_covered(app: App, connection: Connection, batch: Batch) -> Listing | None:
    """The files that the licenses of a batch cover, each with a link."""
    numbers = rows.licenses_answered(connection, batch.id, "downloads_listed")
    assert batch.confirmed_at is not None
    today = batch.confirmed_at.astimezone(UTC).date()
    parts = [numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE)]
    count = sum(sum(downloads.counts(connection, part, today).values()) for part in parts)
    if not count:
        return None
    seconds = app.settings.link_seconds
    until = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(seconds=seconds)

    def lines() -> Iterator[Sequence[Cell]]:
        for part in parts:
            for number, sku, version, released, file in downloads.covered(connection, part, today):
                link = app.store.link(file.object_name, seconds, file.name)
                shown = (file.name, file.platform, file.language, file.size, file.sha256)
                yield (number, sku, version, released, *shown, link, until if link else None)

    language = batch.options["language"]
    how = "" if app.settings.effective_store_url.startswith("s3:") else NO_LINKS[language]
    return Listing("downloads", count, listing(TITLES, lines(), language), how=how)


KIND = Kind(
    name="list-downloads",
    title={"en": "List downloads", "it": "Elencare i download"},
    senders=frozenset({"distributor", "customer", "oem"}),
    fields=COLUMNS,
    load=Downloads,
    subject=("license",),
    domain="license",
    listing=files_covered,
)

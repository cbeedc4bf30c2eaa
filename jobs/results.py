"""The files that a batch leaves: result, rejected rows, the kind's own list, license files, and a manifest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count, islice
from pathlib import Path, PurePath
from typing import Any

import orjson
from sqlalchemy import Connection

from config.wiring import App
from exporters import license_bundles, manifests
from exporters.pieces import Head, Line, PieceFacts, PieceFormat
from exporters.results import OUTCOME_TITLES, REASON_TITLE, format_for
from jobs import copies, workbooks
from jobs.kind import Listing, Reports
from jobs.kinds.registry import KINDS
from licensing.field_catalogue import FIELDS
from licensing.fields import Language
from licensing.outcomes import CODES, UNCHANGED, WRITTEN
from models import accounts, issued_keys, rows
from models.accounts import Account
from models.batches import Batch
from signing.license_files import license_file
from signing.tokens import claims_of
from storage.objects import file_blocks

PIECE_ROWS = 20_000
MOST_BUNDLED_LICENSES = 10_000  # beyond, license files are bundled on request
VALUES_ONLY: dict[Language, str] = {
    "en": "Values only, because the workbook has more than 50,000 rows",
    "it": "Solo valori, perché il file ha più di 50.000 righe",
}
_EXCEL = "application/vnd."
MEDIA_TYPES = {
    ".xlsx": _EXCEL + "openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": _EXCEL + "ms-excel.sheet.macroEnabled.12",
}
_COPIES = {
    "en": "Each customer's own keys ({} customers) are stored as customers/NUMBER/{}/keys.csv too.",
    "it": "Le chiavi di ciascun cliente ({} clienti) sono anche in customers/NUMERO/{}/keys.csv.",
}
_NO_COPIES = {
    "en": "Customers have no lists of their own, because the batch has more than {:,} licenses.",
    "it": "I clienti non hanno elenchi propri, perché il lotto ha più di {:,} licenze.",
}

Pieces = Callable[[], Iterable[tuple[PieceFacts, Iterable[bytes]]]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are made and stored: a local folder for the making, a prefix of the store for good."""

    app: App
    connection: Connection
    batch: Batch
    folder: Path
    name: str

    @property
    def language(self) -> Language:
        """The language of titles and sentences."""
        language: Language = self.batch.options["language"]
        return language

    @property
    def format(self) -> PieceFormat:
        """The format of the result table."""
        reading = self.batch.reading or {}
        return format_for(reading["format"], reading.get("separator"))

    def file_name(self, role: str, suffix: str) -> str:
        """The uploaded file's name with a role, made safe to be a file name anywhere."""
        kept = "".join(char if char.isalnum() or char in "-_. " else "_" for char in PurePath(self.batch.filename).stem)
        return f"{kept.strip(' .')[:80] or 'batch'}-{role}{suffix}"

    def store(
        self, role: str, suffix: str, blocks: Iterable[bytes], count: int, media_type: str, how: str = ""
    ) -> dict[str, Any]:
        """Store a file; its entry in the batch's results."""
        file = self.file_name(role, suffix)
        stored = self.app.store.put(f"{self.name}/{file}", blocks, media_type=media_type)
        facts = {"name": stored.name, "size": stored.size, "sha256": stored.sha256}
        return facts | {"file": file, "role": role, "rows": count, "how": how}


def store_all(place: Place, counts: dict[str, int], pieces: Pieces) -> list[dict[str, Any]]:
    """Make and store every file of a batch; what its results say of each. The manifest comes last.

    ``counts``: how many rows got each code.
    """
    make = KINDS[place.batch.kind].reports
    making = make(place.app, place.batch, place.folder) if make else None  # by threads, meanwhile
    files = [_result(place, pieces), *_rejected(place, counts), *_listing(place)]
    count = _license_count(place, counts)
    files += _licenses(place, count)
    reports = making.result() if making else Reports((), ())
    files += [_listed(place, found) for found in reports.files]
    account = accounts.by_id(place.connection, place.batch.account_id)
    return [*files, _manifest(place, account, counts, files, [*_customers(place, account, count), *reports.notes])]


def _head(place: Place, outcome_titles: tuple[str, ...]) -> Head:
    reading = place.batch.reading or {}
    titles = tuple(reading["titles"])
    if not reading["header_row"]:  # a list without a header gets the titles of the columns that were found
        known = {place_: name for name, place_ in reading["columns"].items()}
        titles = tuple(
            FIELDS[known[column]].title[place.language] if column in known else None
            for column in range(place.batch.width)
        )
    return Head(titles, outcome_titles, sheet=reading.get("sheet") or "Results")


def _result(place: Place, pieces: Pieces) -> dict[str, Any]:
    """The uploaded table with the outcome of every row: the source workbook itself where that can be."""
    batch, total, how = place.batch, place.batch.row_count or 0, ""
    if workbooks.gives_source_back(batch):
        made = workbooks.with_outcomes(place.app, place.connection, batch, place.folder)
        if made.path is not None:
            blocks = file_blocks(made.path)
            return place.store("result", made.suffix, blocks, total, MEDIA_TYPES[made.suffix], made.how)
        how = made.how
    elif batch.reading and batch.reading["format"] in workbooks.MARKABLE:
        how = VALUES_ONLY[place.language]
    blocks = place.format.assemble(_head(place, OUTCOME_TITLES[place.language]), list(pieces()), batch.width)
    return place.store("result", place.format.suffix, blocks, total, place.format.media_type, how)


def _rejected(place: Place, counts: dict[str, int]) -> list[dict[str, Any]]:
    """The rows that got nothing, to mend and send again, their faulty cells marked; no file when there are none."""
    refused = sum(number for code, number in counts.items() if code in workbooks.REJECTED_CODES)
    if not refused:
        return []
    how = ""
    if place.format.suffix == ".xlsx" and refused <= workbooks.MOST_MARKED_ROWS:
        made = workbooks.rejected(place.app, place.connection, place.batch, place.folder)
        if made.path is not None:
            return [place.store("rejected", ".xlsx", file_blocks(made.path), refused, MEDIA_TYPES[".xlsx"])]
        how = made.how
    lines = (
        (orjson.loads(answer.cells), (CODES[answer.code].sentence(place.language, answer.detail or ""),))
        for answer in rows.unsuccessful(place.connection, place.batch.id, workbooks.REJECTED_CODES)
    )
    pieces = list(_spilled(place, lines))
    blocks = place.format.assemble(_head(place, (REASON_TITLE[place.language],)), pieces, place.batch.width)
    return [place.store("rejected", place.format.suffix, blocks, refused, place.format.media_type, how)]


def _spilled(place: Place, lines: Iterator[Line]) -> Iterator[tuple[PieceFacts, Iterable[bytes]]]:
    """Pieces of a table that may be long, on disk until they are put together."""
    for number in count(1):
        piece = place.format.piece(islice(lines, PIECE_ROWS), place.batch.width)
        if not piece.rows:
            return
        path = place.folder / f"piece-{number}"
        path.write_bytes(piece.data)
        yield piece.facts, file_blocks(path)


def _listing(place: Place) -> list[dict[str, Any]]:
    """The kind's own list, where rows were answered with more than fits into a row."""
    make = KINDS[place.batch.kind].listing
    found = make(place.app, place.connection, place.batch) if make else None
    return [] if found is None else [_listed(place, found)]


def _listed(place: Place, found: Listing) -> dict[str, Any]:
    return place.store(found.role, found.suffix, found.blocks, found.rows, found.media_type, found.how)


def _license_count(place: Place, counts: dict[str, int]) -> int:
    """How many licenses the rows were answered with; where these are very many, how many rows."""
    if not KINDS[place.batch.kind].issues_licenses:
        return 0
    answered = sum(number for code, number in counts.items() if code in WRITTEN | UNCHANGED)
    if not 0 < answered <= copies.MOST_LICENSES:
        return answered
    return issued_keys.count_of_batch(place.connection, place.batch.id)


def _licenses(place: Place, count: int) -> list[dict[str, Any]]:
    """One archive of license files, where they are few enough that somebody may look at them one by one."""
    if not 0 < count <= MOST_BUNDLED_LICENSES:
        return []
    blocks = license_bundles.bundle(license_files(place.connection, place.batch.id))
    return [place.store("licenses", ".zip", blocks, count, license_bundles.MEDIA_TYPE)]


def _customers(place: Place, account: Account, count: int) -> list[str]:
    """Each customer's own keys, which a distributor owes them; what the manifest says of it."""
    if account.type != "distributor" or not count:
        return []
    if count > copies.MOST_LICENSES:
        return [_NO_COPIES[place.language].format(copies.MOST_LICENSES)]
    customers = copies.store(place.app, place.connection, place.batch, place.language)
    return [_COPIES[place.language].format(customers, place.batch.id)]


def license_files(connection: Connection, batch_id: int) -> Iterator[tuple[str, bytes]]:
    """The ``.lic`` file of every license that a batch issued or found again, in a folder for each customer."""
    for license in issued_keys.of_batch(connection, batch_id):
        text = license_file(license.key, claims_of(license.key), license.customer)
        yield f"{license.customer_number}/{license.number}.lic", text.encode()


def _manifest(
    place: Place, account: Account, counts: dict[str, int], files: list[dict[str, Any]], notes: list[str]
) -> dict[str, Any]:
    batch = place.batch
    content = manifests.manifest(
        batch=batch.id,
        kind=batch.kind,
        account=account.number,
        source=manifests.SourceFile(batch.filename, batch.sha256, batch.size),
        counts=counts,
        files=[manifests.ResultFile(f["file"], f["role"], f["sha256"], f["size"], f["rows"], f["how"]) for f in files],
        created=datetime.now(UTC),
        version=version("keymill"),
        notes=notes,
    )
    return place.store("manifest", ".json", [content], 0, manifests.MEDIA_TYPE)

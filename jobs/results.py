"""The files that a batch leaves: the result, the rejected rows, minted codes, license files, and a manifest of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import orjson
from sqlalchemy import Connection

from config.wiring import App
from exporters.pieces import Head, PieceFacts, PieceFormat
from exporters.results import OUTCOME_TITLES, REASON_TITLE, format_for
from licensing.fields import Language
from licensing.outcomes import CODES
from models import rows
from models.batches import Batch

MOST_MARKED_ROWS = 50_000  # up to which the source workbook itself comes back, and faulty cells are marked
MOST_BUNDLED_LICENSES = 10_000  # beyond, license files are bundled on request
MARKABLE = ("xlsx", "xlsm")

Pieces = Iterable[tuple[PieceFacts, Iterable[bytes]]]


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

    def store(self, role: str, suffix: str, blocks: Iterable[bytes], count: int, media_type: str) -> dict[str, Any]:
        """Store a file; its entry in the batch's results."""
        file = self.file_name(role, suffix)
        stored = self.app.store.put(f"{self.name}/{file}", blocks, media_type=media_type)
        facts = {"name": stored.name, "size": stored.size, "sha256": stored.sha256}
        return facts | {"file": file, "role": role, "rows": count}


def gives_source_back(batch: Batch) -> bool:
    """Whether the source workbook itself comes back, with columns added."""
    return (batch.reading or {}).get("format") in MARKABLE and (batch.row_count or 0) <= MOST_MARKED_ROWS


def store_all(place: Place, pieces: Pieces) -> list[dict[str, Any]]:
    """Make and store every file of a batch; what its results say of each."""
    files = [_result(place, pieces)]
    files += _rejected(place)
    return files


def _head(place: Place, outcome_titles: tuple[str, ...]) -> Head:
    reading = place.batch.reading or {}
    titles = tuple(reading["titles"]) if reading["header_row"] else ()
    return Head(titles, outcome_titles, sheet=reading.get("sheet") or "Results")


def _result(place: Place, pieces: Pieces) -> dict[str, Any]:
    head = _head(place, OUTCOME_TITLES[place.language])
    blocks = place.format.assemble(head, list(pieces), place.batch.width)
    return place.store("result", place.format.suffix, blocks, place.batch.row_count or 0, place.format.media_type)


def _rejected(place: Place) -> list[dict[str, Any]]:
    """The rows that got nothing, to mend and send again; no file when there are none."""
    codes = [code.code for code in CODES.values() if code.outcome in ("rejected", "skipped")]
    counts = rows.outcome_counts(place.connection, place.batch.id)
    count = sum(number for code, number in counts.items() if code in codes)
    if not count:
        return []
    lines = (
        (orjson.loads(answer.cells), (CODES[answer.code].sentence(place.language, answer.detail or ""),))
        for answer in rows.unsuccessful(place.connection, place.batch.id, codes)
    )
    piece = place.format.piece(lines, place.batch.width)
    head = _head(place, (REASON_TITLE[place.language],))
    blocks = place.format.assemble(head, [(piece.facts, [piece.data])], place.batch.width)
    return [place.store("rejected", place.format.suffix, blocks, count, place.format.media_type)]

"""The files that a batch leaves: the result, the rejected rows, minted codes, license files, and a manifest of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import orjson
from sqlalchemy import Connection

from config import children
from config.wiring import App
from exporters import code_lists, license_bundles, manifests
from exporters.pieces import Head, PieceFacts
from exporters.results import OUTCOME_TITLES, REASON_TITLE, format_for, outcome_cells
from jobs import bundles
from jobs.kinds.registry import KINDS
from jobs.reading import source_name
from licensing.fields import Language
from licensing.outcomes import CODES
from models import accounts, batches, chunks, rows, vouchers
from models.batches import Batch
from storage.objects import Stored

MOST_MARKED_ROWS = 50_000  # up to which the source workbook itself comes back, and faulty cells are marked
MOST_BUNDLED_LICENSES = 10_000  # beyond, license files are bundled on request
MARKABLE = ("xlsx", "xlsm")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


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
    def stem(self) -> str:
        """The uploaded file's name without its ending, made safe to be a file name anywhere."""
        kept = "".join(char if char.isalnum() or char in "-_. " else "_" for char in PurePath(self.batch.filename).stem)
        return kept.strip(" .")[:80] or "batch"


def gives_source_back(batch: Batch) -> bool:
    """Whether the source workbook itself comes back, with columns added."""
    return (batch.reading or {}).get("format") in MARKABLE and (batch.row_count or 0) <= MOST_MARKED_ROWS

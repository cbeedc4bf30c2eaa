"""The stages that give a batch's results back: pieces of a large table by many workers, then the files for good.

Everything is written under a name that holds the fencing number of the lease, so that a worker that lost its lease can
never write over what the next one stored. What a lost one left is deleted by the one that finishes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection

from config import children
from config.wiring import App
from exporters import code_lists, manifests, results
from jobs.kinds.registry import KINDS
from jobs.reading import fetch_source, rejected_codes
from jobs.refusals import Outage
from licensing.cells import PackedCell
from licensing.fields import Language
from licensing.outcomes import CODES
from models import accounts, batches, chunks, products, rows, vouchers
from models.accounts import Account
from models.batches import Batch
from models.chunks import Chunk
from models.rows import Answer
from storage.objects import Stored, StoreUnavailable

PIECE_ROWS = 20_000
MOST_MARKED_ROWS = 50_000  # up to which the source workbook itself comes back, and faulty cells are marked
MARKABLE = ("xlsx", "xlsm")

Line = tuple[list[PackedCell], tuple[PackedCell, ...]]


def pieces(app: App, batch: Batch) -> list[tuple[int, int]]:
    """The ranges of rows that are rendered apart; none where one worker is as quick."""
    count = batch.row_count or 0
    if count <= PIECE_ROWS or _gives_source_back(batch):
        return []
    return [(first, min(first + PIECE_ROWS - 1, count)) for first in range(1, count + 1, PIECE_ROWS)]


def _gives_source_back(batch: Batch) -> bool:
    reading = batch.reading or {}
    return reading.get("format") in MARKABLE and (batch.row_count or 0) <= MOST_MARKED_ROWS

"""``keymill bench write``: a result table to XLSX and CSV bytes on one core, beside bare compression of the same."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from cli.benches import workbooks
from exporters.bare import compress_bare
from exporters.pieces import Head, Line, Piece, PieceFormat
from exporters.results import OUTCOME_TITLES, format_for, outcome_cells
from jobs import numbers

PIECE_ROWS = 10_000
KEY_BYTES = 330  # random ones, 440 characters in base64: as long as a signed key and as hard to compress


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Render ``rows`` rows of eight columns and their outcomes (``workers`` is not used: one core is measured)."""
    xlsx_seconds, pieces = _timed("xlsx", rows)
    start = time.perf_counter()
    for piece in pieces:
        compress_bare(piece)
    floor_seconds = time.perf_counter() - start
    csv_seconds, _ = _timed("csv", rows)
    return {
        "bench": "write",
        "rows": rows,
        "workers": 1,
        "rows_per_second": round(rows / xlsx_seconds),
        "floor_rows_per_second": round(rows / floor_seconds),
        "ratio": round(floor_seconds / xlsx_seconds, 3),
        "seconds": round(xlsx_seconds, 2),
        "csv_rows_per_second": round(rows / csv_seconds),
    }


def _timed(source_format: str, rows: int) -> tuple[float, list[Piece]]:
    """Seconds for rendering and putting together (the making of the rows is not counted), and the pieces."""
    format_, pieces, seconds = format_for(source_format), [], 0.0
    for start_row in range(0, rows, PIECE_ROWS):
        lines = list(_lines(min(PIECE_ROWS, rows - start_row)))
        start = time.perf_counter()
        pieces.append(format_.piece(lines, len(workbooks.HEADER)))
        seconds += time.perf_counter() - start
    return seconds + _assembled(format_, pieces), pieces


def _lines(count: int) -> Iterable[Line]:
    fresh = numbers.license_numbers(count)
    for number, cells in zip(fresh, workbooks.order_lines(numbers.voucher_codes(count)), strict=True):
        key = b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        yield list(cells), outcome_cells("issued", "", "en", license_number=number, key=key, sku="BENCH", quantity=1)


def _assembled(format_: PieceFormat, pieces: list[Piece]) -> float:
    start = time.perf_counter()
    head = Head(workbooks.HEADER, OUTCOME_TITLES["en"])
    for _ in format_.assemble(head, [(piece.facts, [piece.data]) for piece in pieces], len(workbooks.HEADER)):
        pass
    return time.perf_counter() - start

"""A workbook's rows as the library gives them, and nothing else: what reading costs at the least (benchmarks)."""

from __future__ import annotations

from pathlib import Path

from python_calamine_plus import load_workbook


def read_bare(path: Path) -> int:
    """Go through every row of the first sheet; how many there were."""
    book = load_workbook(str(path))
    return sum(1 for _ in book.stream_sheet_by_name(book.sheet_names[0]))

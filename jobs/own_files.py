"""Files that we write ourselves to be read by us again."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def write(path: Path, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write a CSV file that reads the same whatever habits its account has; says how many rows it has."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        file.write("sep=,\r\n")
        writer = csv.writer(file)
        writer.writerow(headers)
        return sum(bool(writer.writerow(row)) for row in rows)

"""``keymill bench read``: a workbook and a CSV file to database lines in the reading child, beside the bare readers."""

from __future__ import annotations

import csv
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from cli.benches import workbooks
from config import children
from config.settings import Limits
from importers.bare import read_bare
from importers.contracts import Wanted
from jobs import numbers
from jobs.kinds.redeem_vouchers import KIND

MEMORY_BYTES = 1_000_000_000


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Read ``rows`` rows of eight columns, once from XLSX and once from CSV (one child; ``workers`` is not used)."""
    with tempfile.TemporaryDirectory(prefix="keymill-bench-") as folder:
        workbook, text = Path(folder) / "list.xlsx", Path(folder) / "list.csv"
        lines = list(workbooks.order_lines(numbers.voucher_codes(rows)))
        workbooks.write(workbook, lines)
        with text.open("w", newline="") as file:
            csv.writer(file).writerows([workbooks.HEADER, *lines])
        del lines
        start = time.perf_counter()
        read_bare(workbook)
        floor_seconds = time.perf_counter() - start
        seconds, told = _read(workbook)
        start = time.perf_counter()
        with text.open(newline="") as file:
            deque(csv.reader(file), maxlen=0)
        csv_floor_seconds = time.perf_counter() - start
        csv_seconds, csv_told = _read(text)
    return {
        "bench": "read",
        "rows": rows,
        "workers": 1,
        "rows_per_second": round(rows / seconds),
        "floor_rows_per_second": round(rows / floor_seconds),
        "ratio": round(floor_seconds / seconds, 3),
        "seconds": round(seconds, 2),
        "csv_rows_per_second": round(rows / csv_seconds),
        "csv_floor_rows_per_second": round(rows / csv_floor_seconds),
        "csv_ratio": round(csv_floor_seconds / csv_seconds, 3),
        "peak_rss_mb": {"reader": told["peak_rss_mb"], "csv_reader": csv_told["peak_rss_mb"]},
    }


def _read(path: Path) -> tuple[float, dict[str, Any]]:
    wanted = Wanted(KIND.fields, KIND.subject, KIND.domain)
    request = {"path": str(path), "prefix": "1", "wanted": wanted.to_json(), "limits": Limits().to_json()}
    start = time.perf_counter()
    told = children.run(
        "jobs.children.reading",
        request,
        memory_bytes=MEMORY_BYTES,
        cpu_seconds=600,
        wall_seconds=1200,
        on_block=lambda _block: None,
    )
    seconds = time.perf_counter() - start
    if "refused" in told:
        raise RuntimeError(told["refused"]["en"])
    return seconds, told

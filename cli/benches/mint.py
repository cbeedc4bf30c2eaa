"""``keymill bench mint``: one order of many codes through a real batch, beside a plain COPY of as many codes."""

from __future__ import annotations

import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from cli.benches.redeem_vouchers import bench_app, prepare, processes, settle, stock, wait_until_final
from jobs import intake, status


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Mint ``rows`` codes in one row of one batch, and compare with putting bare codes into the table."""
    with bench_app(workers) as app, tempfile.TemporaryDirectory(prefix="keymill-bench-") as folder:
        oem_id, product_id = prepare(app)
        start = time.perf_counter()
        for _ in stock(app, oem_id, product_id, rows):
            pass
        floor_seconds = time.perf_counter() - start
        settle(app)
        path = Path(folder) / "order.csv"
        path.write_text(f"oem,product,count\nBENCH-OEM,BENCH,{rows}\n")
        with processes(app, workers):
            start = time.perf_counter()
            request = intake.Request("VENDOR", "mint-vouchers", path, path.name, secrets.token_hex(8), confirm="auto")
            batch_id = intake.accept(app, request).batch_id
            wait_until_final(app, batch_id)
            seconds = time.perf_counter() - start
            report = status.of_batch(app, batch_id)
    return {
        "bench": "mint",
        "rows": rows,
        "workers": workers,
        "rows_per_second": round(rows / seconds),
        "floor_rows_per_second": round(rows / floor_seconds),
        "ratio": round(floor_seconds / seconds, 3),
        "seconds": round(seconds, 2),
        "stage_seconds": report["stage_seconds"],
        "state": report["state"],
    }

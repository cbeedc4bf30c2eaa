"""``keymill bench small-beside-big``: how long a batch of 100 rows takes alone, and while a large one runs."""

from __future__ import annotations

import itertools
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.benches.redeem_vouchers import bench_app, is_final, prepare, processes, settle, stock, wait_until_final
from cli.benches.workbooks import order_lines, write
from config.wiring import App
from jobs import intake

SMALL_ROWS, TIMES = 100, 7


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Medians of the small batch alone, beside the large one of the same account, and beside another account's."""
    with bench_app(workers) as app, tempfile.TemporaryDirectory(prefix="keymill-bench-") as folder:
        oem_id, product_id = prepare(app)
        other_id = prepare(app, "OTHER-OEM")[0]
        big = Path(folder) / "big.xlsx"
        write(big, order_lines(stock(app, oem_id, product_id, rows)))
        small = {
            "BENCH-OEM": stock(app, oem_id, product_id, SMALL_ROWS * 3 * TIMES),
            "OTHER-OEM": stock(app, other_id, product_id, SMALL_ROWS * 3 * TIMES),
        }
        settle(app)
        with processes(app, workers):
            _small(app, Path(folder), "BENCH-OEM", small["BENCH-OEM"])  # the first one warms up
            alone = [_small(app, Path(folder), "BENCH-OEM", small["BENCH-OEM"]) for _ in range(TIMES)]
            batch_id = _send(app, big, "BENCH-OEM")
            beside: dict[str, list[float]] = {"BENCH-OEM": [], "OTHER-OEM": []}
            while len(beside["OTHER-OEM"]) < TIMES and not is_final(app, batch_id):
                for account, seconds in beside.items():
                    seconds.append(_small(app, Path(folder), account, small[account]))
            wait_until_final(app, batch_id)
    base = statistics.median(alone)
    same, other = (statistics.median(beside[account]) for account in ("BENCH-OEM", "OTHER-OEM"))
    return {
        "bench": "small-beside-big",
        "rows": rows,
        "workers": workers,
        "small_rows": SMALL_ROWS,
        "samples": len(beside["OTHER-OEM"]),
        "alone_seconds": round(base, 2),
        "beside_same_account_seconds": round(same, 2),
        "beside_other_account_seconds": round(other, 2),
        "ratio_same_account": round(same / base, 2),
        "ratio_other_account": round(other / base, 2),
    }


def _small(app: App, folder: Path, account: str, codes: Iterator[str]) -> float:
    """Seconds from sending a list of 100 codes to its stored result."""
    path = folder / f"small-{secrets.token_hex(4)}.csv"
    path.write_text("code,company\n" + "".join(f"{code},Small Ltd\n" for code in itertools.islice(codes, SMALL_ROWS)))
    start = time.perf_counter()
    wait_until_final(app, _send(app, path, account))
    return time.perf_counter() - start


def _send(app: App, path: Path, account: str) -> int:
    request = intake.Request(account, "redeem-vouchers", path, path.name, secrets.token_hex(8), confirm="auto")
    return intake.accept(app, request).batch_id

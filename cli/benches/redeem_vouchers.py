"""``keymill bench redeem-vouchers``: a whole batch, XLSX bytes to stored result, beside the bare floor."""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.benches import floor, workbooks
from config.settings import Settings
from config.wiring import App, child_environment, open_app
from jobs import intake, numbers, status
from jobs.supervising import Supervisor, supervised
from models import accounts, batches, products, vouchers, workers
from models.database import copy_line, scalar, transaction

CODES_A_COPY = 50_000
FLOOR_ORDER = -1  # no mint order has it; it marks the codes that the floor redeems


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Run both on fresh embedded servers and say how fast each was."""
    with bench_app(workers) as app, tempfile.TemporaryDirectory(prefix="keymill-bench-") as folder:
        oem_id, product_id = prepare(app)
        path = Path(folder) / "vouchers.xlsx"
        workbooks.write(path, workbooks.order_lines(stock(app, oem_id, product_id, rows)))
        for _ in stock(app, oem_id, product_id, rows, order_id=FLOOR_ORDER):
            pass
        floor.prepare(app.settings.database_url, FLOOR_ORDER)
        settle(app)
        # Half of the floor before the batch and half after it: where they differ much, the machine had other work, and
        # the ratio says nothing.
        before = floor.measure(app.settings.database_url, 1, rows // 2, workers)
        settle(app)
        with processes(app, workers):
            seconds, report, peaks = timed_batch(app, path)
        settle(app)
        after = floor.measure(app.settings.database_url, rows // 2 + 1, rows, workers)
    floor_seconds = before + after
    return {
        "bench": "redeem-vouchers",
        "rows": rows,
        "workers": workers,
        "rows_per_second": round(rows / seconds),
        "floor_rows_per_second": round(rows / floor_seconds),
        "ratio": round(floor_seconds / seconds, 3),
        "seconds": round(seconds, 2),
        "floor_seconds": round(floor_seconds, 2),
        "floor_spread": round(max(before, after) / min(before, after), 2),
        "stage_seconds": report["stage_seconds"],
        "peak_rss_mb": peaks,
        "outcomes": report["outcomes"],
    }


@contextmanager
def bench_app(workers: int) -> Iterator[App]:
    """An app on fresh embedded servers in a temporary home."""
    with tempfile.TemporaryDirectory(prefix="keymill-bench-home-") as home:
        Path(home).chmod(0o755)
        with open_app(Settings(home=Path(home), workers=workers, database_url="", redis_url="", store_url="")) as app:
            yield app


def prepare(app: App, number: str = "BENCH-OEM") -> tuple[int, int]:
    """An OEM and a product; their ids."""
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    with transaction(app.engine) as connection:
        accounts.save(connection, [empty | {"number": number, "type": "oem", "name": number}])
        record = {"sku": "BENCH", "name": "Bench", "description": None, "host_bound": False, "term_months": 12}
        products.save(connection, record)
        oem = accounts.by_number(connection, number)
        assert oem is not None
        return oem.id, int(scalar(connection, "SELECT id FROM products WHERE sku = 'BENCH'"))


def stock(app: App, oem_id: int, product_id: int, count: int, order_id: int | None = None) -> Iterator[str]:
    """Mint so many vouchers straight into the table, and give out their codes."""
    tail = copy_line(oem_id, product_id, None, None, None, order_id)
    for start in range(0, count, CODES_A_COPY):
        codes = numbers.voucher_codes(min(CODES_A_COPY, count - start))
        with transaction(app.engine) as connection:
            vouchers.add(connection, [f"{code.replace('-', '')}\t{code}\t{tail}" for code in codes])
        yield from codes


def settle(app: App) -> None:
    """Let PostgreSQL put away what was done before, so that nobody's work is measured in another's time."""
    with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) vouchers")
        connection.exec_driver_sql("CHECKPOINT")


@contextmanager
def processes(app: App, workers: int) -> Iterator[Supervisor]:
    """So many worker processes and a scheduler, up and ready."""
    command = [sys.executable, "-m", "cli.main"]
    units = [("worker", [*command, "worker"])] * workers + [("scheduler", [*command, "scheduler"])]
    with supervised(units, child_environment(app)) as supervisor:
        limit = time.monotonic() + 60
        while len(_alive(app)) < workers:
            if time.monotonic() > limit:
                raise RuntimeError("the workers did not start")
            time.sleep(0.1)
        yield supervisor


def _alive(app: App, role: str = "worker") -> list[tuple[Any, ...]]:
    with app.engine.connect() as connection:
        return workers.alive(connection, role, within_seconds=30)


def timed_batch(
    app: App, path: Path, account: str = "BENCH-OEM", kind: str = "redeem-vouchers"
) -> tuple[float, dict[str, Any], dict[str, int]]:
    """Send a file, wait for its stored result: seconds, the batch's report, and the peak memory per process role.

    The seconds end when the batch did, by PostgreSQL's clock, which is this machine's: not when somebody saw it.
    """
    start = datetime.now(UTC)
    request = intake.Request(account, kind, path, path.name, secrets.token_hex(8), confirm="auto")
    batch_id = intake.accept(app, request).batch_id
    wait_until_final(app, batch_id, 0.1)
    report = status.of_batch(app, batch_id)
    if report["state"] != "done":
        raise RuntimeError(f"the batch ended as {report['state']}: {report['reason']}")
    seconds = (datetime.fromisoformat(report["finished"]) - start).total_seconds()
    time.sleep(app.settings.heartbeat_seconds + 1)  # so that every worker has told its peak
    peaks = {role: max((row[5] for row in _alive(app, role)), default=0) for role in ("worker", "scheduler")}
    peaks["reader"] = (report["reading"] or {}).get("peak_rss_mb", 0)
    return seconds, report, peaks


def wait_until_final(app: App, batch_id: int, seconds: float = 0.02) -> None:
    """Wait until a batch has ended, to so many seconds and a few thousandths of its time: looking costs what is being
    measured.
    """
    start = time.monotonic()
    while not is_final(app, batch_id):
        time.sleep(seconds + (time.monotonic() - start) / 300)


def is_final(app: App, batch_id: int) -> bool:
    """Whether a batch has ended."""
    with app.engine.connect() as connection:
        batch = batches.by_id(connection, batch_id)
        return batch is not None and batch.state in batches.FINAL

"""``keymill bench reconcile``: a year of daily usage folded into statements, then the night after it.

A row is a report: ten lines a contract, 365 days a line. The time of a night is a whole batch's: from the file with a
row a contract, as the schedule writes it, to the stored results: statements, list and workbook. The floor is the bare
aggregate over the same rows with what statements say of usage: most with its first day (in one number), sum and count
of each line and month, by the fastest plan of three.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from cli.benches.redeem_vouchers import bench_app, processes, timed_batch
from config.wiring import App
from models import accounts, products
from models.database import fetch, run, transaction

FIRST, DAYS, LINES_A_CONTRACT = date(2025, 1, 1), 365, 10
VENDOR = "VENDOR"
# What PostgreSQL is told to plan with: the table in parallel, the index in parallel, and its own choice.
_PARALLEL = {"parallel_setup_cost": "0", "parallel_tuple_cost": "0", "work_mem": "'256MB'"}
_PLANS: dict[str, dict[str, str]] = {
    "table": _PARALLEL | {"enable_indexonlyscan": "off"},
    "index": _PARALLEL,
    "default": {},
}
_AGGREGATE = (
    "SELECT line_id, date_trunc('month', day::timestamp), max(quantity::bigint << 32 | date '9999-12-31' - day),"
    " sum(quantity), count(*) FROM usage_reports"
    " WHERE is_current GROUP BY 1, 2"
)


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Fill a year, measure the aggregate, the first night over it, the aggregate again, and the next night."""
    lines = max(rows // DAYS, 1)
    last = FIRST + timedelta(DAYS - 1)
    with bench_app(workers) as app, tempfile.TemporaryDirectory(prefix="keymill-bench-") as folder:
        _prepare(app, lines)
        _settle(app)
        before = _aggregate(app)
        with processes(app, workers):
            full, full_report, full_peaks = timed_batch(app, _nightly(app, folder, last), VENDOR, "reconcile-contracts")
            _settle(app)
            after = _aggregate(app)
            _, usage_report, _ = timed_batch(app, _reports(app, folder, last + timedelta(1)), VENDOR, "report-usage")
            next_file = _nightly(app, folder, last + timedelta(1))
            _settle(app)
            one, one_report, one_peaks = timed_batch(app, next_file, VENDOR, "reconcile-contracts")
        counted = _statements(app)
    best_before, best_after = min(before.values()), min(after.values())
    floor = statistics.mean([best_before, best_after])
    return {
        "bench": "reconcile",
        "rows": lines * DAYS,
        "workers": workers,
        "rows_per_second": round(lines * DAYS / full),
        "floor_rows_per_second": round(lines * DAYS / floor),
        "ratio": round(full / floor, 2),
        "increment_ratio": round(one / full, 3),
        "seconds": round(full, 2),
        "increment_seconds": round(one, 2),
        "floor_seconds": round(floor, 2),
        "floor_spread": round(max(best_before, best_after) / min(best_before, best_after), 2),
        "floor_plan_seconds": {plan: round((before[plan] + after[plan]) / 2, 2) for plan in _PLANS},
        "run_ratio": round(full_report["stage_seconds"]["run"] / floor, 2),
        "increment_run_ratio": round(one_report["stage_seconds"]["run"] / full_report["stage_seconds"]["run"], 3),
        "stage_seconds": full_report["stage_seconds"],
        "increment_stage_seconds": one_report["stage_seconds"],
        "peak_rss_mb": {role: max(full_peaks[role], one_peaks[role]) for role in full_peaks},
        "statements": counted,
        "codes": [usage_report["codes"], full_report["codes"], one_report["codes"]],
    }


def _prepare(app: App, lines: int) -> None:
    """Contracts by months, and the reports of a year in the order in which they came: night by night."""
    contracts = -(-lines // LINES_A_CONTRACT)
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    with transaction(app.engine) as connection:
        customer = {"number": "CUSTOMER", "type": "customer", "name": "Customer"}
        accounts.save(connection, [empty | customer])
        for number in range(LINES_A_CONTRACT):
            products.save(connection, {"sku": f"P{number}", "name": f"Product {number}"})
        values = {"contracts": contracts, "lines": lines, "first": FIRST, "days": DAYS}
        run(
            connection,
            "INSERT INTO contracts (key, code, customer_id, time_zone) SELECT 'FC' || n, 'FC-' || n, c.id, 'UTC'"
            " FROM generate_series(1, %(contracts)s) n, accounts c WHERE c.number = 'CUSTOMER'",
            values,
        )
        run(
            connection,
            "INSERT INTO contract_lines (contract_id, product_id, starts, months, unit, metric, policy, currency,"
            " growth, tolerance, report_days) SELECT k.id, p.id, %(first)s, 36, 'month',"
            " (ARRAY['peak', 'average'])[1 + k.id %% 2], (ARRAY['true_up', 'true_forward'])[1 + p.id %% 2],"
            " 'EUR', 5, 2, 1 FROM contracts k CROSS JOIN products p WHERE p.sku LIKE 'P_' ORDER BY k.id, p.id"
            " LIMIT %(lines)s",
            values,
        )
        run(
            connection,
            "INSERT INTO commitments (line_id, since, quantity, price, batch_id, ordinal)"
            " SELECT id, starts, 100, 12, 0, 0 FROM contract_lines",
            values,
        )
        _fill(connection, values)


def _fill(connection: Connection, values: dict[str, Any]) -> None:
    run(
        connection,
        "INSERT INTO usage_reports (line_id, day, host_id, quantity, batch_id, ordinal)"
        " SELECT n.id, %(first)s::date + d, '', 60 + (n.id * 7919 + d * 104729 + n.id * d %% 977) %% 50, 0, 0"
        " FROM generate_series(0, %(days)s - 1) d CROSS JOIN contract_lines n ORDER BY d, n.id",
        values,
    )


def _settle(app: App) -> None:
    """Let PostgreSQL put away what was done before: nights run on tables that were vacuumed since."""
    with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
        connection.exec_driver_sql("CHECKPOINT")


def _aggregate(app: App) -> dict[str, float]:
    """Seconds of the bare aggregate over all reports on a warm cache, plan by plan."""
    taken: dict[str, float] = {}
    for plan, options in _PLANS.items():
        with transaction(app.engine) as connection:
            for name, value in options.items():
                run(connection, f"SET LOCAL {name} = {value}", {})
            for _ in range(2):
                start = time.perf_counter()
                fetch(connection, _AGGREGATE, {})
                taken[plan] = min(time.perf_counter() - start, taken.get(plan, math.inf))
    return taken


def _lines(app: App) -> list[tuple[Any, ...]]:
    with app.engine.connect() as connection:
        return fetch(
            connection,
            "SELECT k.code, p.sku FROM contract_lines n JOIN contracts k ON k.id = n.contract_id"
            " JOIN products p ON p.id = n.product_id ORDER BY n.id",
            {},
        )


def _nightly(app: App, folder: str, night: date) -> Path:
    """A row a contract, as the schedule writes them."""
    path = Path(folder) / f"night-{night}.csv"
    codes = dict.fromkeys(code for code, _ in _lines(app))
    path.write_text("contract,date\n" + "".join(f"{code},{night}\n" for code in codes))
    return path


def _reports(app: App, folder: str, day: date) -> Path:
    path = Path(folder) / f"usage-{day}.csv"
    rows = (f"{code},{sku},{day},{60 + number % 50}\n" for number, (code, sku) in enumerate(_lines(app)))
    path.write_text("contract,product,date,quantity\n" + "".join(rows))
    return path


def _statements(app: App) -> dict[str, int]:
    with app.engine.connect() as connection:
        return dict(fetch(connection, "SELECT state, count(*) FROM statements GROUP BY state", {}))

"""``keymill bench serials``: serials loaded, registered, re-hosted and upgraded, each as a whole batch of XLSX rows.

What each kind is compared with is the bare floor of ``redeem-vouchers`` (join, sign, COPY, UPDATE, commit), measured on
the same servers before the first batch and after the last.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.benches import floor, workbooks
from cli.benches.redeem_vouchers import FLOOR_ORDER, bench_app, prepare, processes, settle, stock, timed_batch
from config.wiring import App
from jobs import numbers
from models import accounts, products
from models.database import copy_in, copy_line, fetch, run, transaction

DISTRIBUTOR = "BENCH-DISTRIBUTOR"
VENDOR = "VENDOR"
ROWS_A_CUSTOMER = 200

Sheet = tuple[Sequence[str], Iterator[Sequence[str]]]


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Run the four kinds one after the other; ``ratio`` is the least of those that sign keys."""
    with bench_app(workers) as app, tempfile.TemporaryDirectory(prefix="keymill-bench-") as folder:
        oem_id, product_id = prepare(app)
        _prepare_suite(app)
        for _ in stock(app, oem_id, product_id, rows, order_id=FLOOR_ORDER):
            pass
        floor.prepare(app.settings.database_url, FLOOR_ORDER)
        settle(app)
        before = floor.measure(app.settings.database_url, 1, rows // 2, workers)
        kinds: dict[str, dict[str, Any]] = {}
        with processes(app, workers):
            for kind, account in (
                ("load-serials", VENDOR),
                ("register-serials", DISTRIBUTOR),
                ("rehost-licenses", DISTRIBUTOR),
                ("upgrade-licenses", DISTRIBUTOR),
            ):
                header, lines = _sheet(app, kind, rows)
                path = Path(folder) / f"{kind}.xlsx"
                workbooks.write(path, lines, header)
                settle(app)
                kinds[kind] = _told(timed_batch(app, path, account, kind))
        settle(app)
        after = floor.measure(app.settings.database_url, rows // 2 + 1, rows, workers)
    for told in kinds.values():
        told["rows_per_second"] = round(rows / told["seconds"])
        told["ratio"] = round((before + after) / told["seconds"], 3)
    least = min((kind for name, kind in kinds.items() if name != "load-serials"), key=lambda told: float(told["ratio"]))
    return {
        "bench": "serials",
        "rows": rows,
        "workers": workers,
        "rows_per_second": least["rows_per_second"],
        "floor_rows_per_second": round(rows / (before + after)),
        "ratio": least["ratio"],
        "floor_spread": round(max(before, after) / min(before, after), 2),
        "kinds": kinds,
    }


def _told(timed: tuple[float, dict[str, Any], dict[str, int]]) -> dict[str, Any]:
    seconds, report, peaks = timed
    return {
        "seconds": round(seconds, 2),
        "stage_seconds": report["stage_seconds"],
        "codes": report["codes"],
        "peak_rss_mb": peaks,
    }


def _prepare_suite(app: App) -> None:
    """A distributor, and a product with two releases, the second of them of today."""
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    with transaction(app.engine) as connection:
        accounts.save(connection, [empty | {"number": DISTRIBUTOR, "type": "distributor", "name": DISTRIBUTOR}])
        record = {"sku": "SUITE", "name": "Suite", "description": None, "host_bound": True, "term_months": None}
        products.save(connection, record)
        for version in ("1.0", "2.0"):
            products.save_release(connection, "SUITE", version, datetime.now(UTC).date())
        products.save_upgrade_path(connection, ("SUITE", "1.0"), ("SUITE", "2.0"))


def _sheet(app: App, kind: str, rows: int) -> Sheet:
    """Header and lines of a kind's workbook, made of what the batch before left in the database."""
    if kind == "load-serials":
        return ("Serial", "Product", "Version", "Quantity", "Maintenance (months)"), (
            (f"CERT-{number:08d}", "SUITE", "1.0", "1", "12") for number in range(rows)
        )
    if kind == "register-serials":
        return ("Serial", "Company", "E-mail", "Country", "Host ID"), (
            (
                f"CERT-{number:08d}",
                f"Customer {number // ROWS_A_CUSTOMER:06d} S.p.A.",
                "licenses@customer.example",
                "IT",
                f"A{number:011X}",
            )
            for number in range(rows)
        )
    if kind == "rehost-licenses":
        return ("License", "New host ID"), ((number, f"B{place:011X}") for place, number in enumerate(_active(app)))
    return ("Notification ID", "Product", "Quantity"), ((code, "SUITE", "1") for code in _notify(app))


_ACTIVE = "FROM licenses WHERE state = 'active' AND serial_id IS NOT NULL ORDER BY ordinal"


def _active(app: App) -> list[str]:
    with app.engine.connect() as connection:
        return [row[0] for row in fetch(connection, f"SELECT number {_ACTIVE}", {})]


def _notify(app: App) -> list[str]:
    """A notification of the new release for every active license; their IDs."""
    with transaction(app.engine) as connection:
        licenses = fetch(connection, f"SELECT number, coalesce(root_number, number) {_ACTIVE}", {})
        codes = numbers.notification_codes(len(licenses))
        release = fetch(connection, "SELECT max(id) FROM releases", {})[0][0]
        copy_in(
            connection,
            "notifications",
            "key, code, license_number, root_number, owner_id, release_id, quantity, remaining, batch_id, ordinal",
            [
                copy_line(code.replace("-", ""), code, *license, 0, release, 1, 1, 0, 0)
                for code, license in zip(codes, licenses, strict=True)
            ],
        )
        run(connection, "ANALYZE notifications", {})
    return codes

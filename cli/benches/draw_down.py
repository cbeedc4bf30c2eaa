"""``keymill bench draw-down``: licenses drawn from 50 contracts, XLSX bytes to stored result, beside the bare floor.

Every row draws: half of the contracts stop at what they commit, which is what the file asks for, and the others commit
half of it. The floor is that of ``redeem-vouchers``, measured on the same servers before the batch and after it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cli.benches import floor, workbooks
from cli.benches.redeem_vouchers import FLOOR_ORDER, bench_app, prepare, processes, settle, stock, timed_batch
from config.wiring import App
from models import accounts, contracts, products
from models.contracts import Contract, ContractLine, NewCommitment
from models.database import transaction

CUSTOMER = "BENCH-CUSTOMER"
CONTRACTS = 50
SKUS = ("CAD", "PLM")
HEADER = ("Contract", "Product", "Quantity", "Host ID", "Cost center", "Reference", "Site")


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Run both on fresh embedded servers and say how fast each was."""
    with bench_app(workers) as app, tempfile.TemporaryDirectory(prefix="keymill-bench-") as folder:
        oem_id, product_id = prepare(app)
        for _ in stock(app, oem_id, product_id, rows, order_id=FLOOR_ORDER):
            pass
        floor.prepare(app.settings.database_url, FLOOR_ORDER)
        _prepare_contracts(app, rows)
        path = Path(folder) / "draw-down.xlsx"
        workbooks.write(path, _lines(rows), HEADER)
        settle(app)
        before = floor.measure(app.settings.database_url, 1, rows // 2, workers)
        settle(app)
        with processes(app, workers):
            seconds, report, peaks = timed_batch(app, path, CUSTOMER, "draw-down")
        settle(app)
        after = floor.measure(app.settings.database_url, rows // 2 + 1, rows, workers)
    return {
        "bench": "draw-down",
        "rows": rows,
        "workers": workers,
        "contracts": CONTRACTS,
        "rows_per_second": round(rows / seconds),
        "floor_rows_per_second": round(rows / (before + after)),
        "ratio": round((before + after) / seconds, 3),
        "seconds": round(seconds, 2),
        "floor_spread": round(max(before, after) / min(before, after), 2),
        "stage_seconds": report["stage_seconds"],
        "peak_rss_mb": peaks,
        "codes": report["codes"],
    }


def _lines(rows: int) -> Iterator[tuple[str, ...]]:
    """The rows: contract by contract in turn, one of a product each, so that no two rows in a row compete."""
    for number in range(rows):
        contract, turn = number % CONTRACTS, number // CONTRACTS
        yield (
            f"FC-{contract:03d}",
            SKUS[turn % len(SKUS)],
            "1",
            f"{number * 2654435761 % 2**48:012X}",
            f"CC-{turn % 40:04d}",
            f"PO-2026-{number:07d}",
            "Torino" if contract % 3 else "Bari",
        )


def _prepare_contracts(app: App, rows: int) -> None:
    """A customer and its contracts, each with a line of every product."""
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    asked = -(-rows // (CONTRACTS * len(SKUS)))  # of each line
    today = datetime.now(UTC).date()
    with transaction(app.engine) as connection:
        accounts.save(connection, [empty | {"number": CUSTOMER, "type": "customer", "name": CUSTOMER}])
        customer = accounts.by_number(connection, CUSTOMER)
        assert customer is not None
        for sku in SKUS:
            record = {"sku": sku, "name": sku, "description": None, "host_bound": True, "term_months": None}
            products.save(connection, record)
        sold = products.by_sku(connection, list(SKUS)).values()
        made = [
            Contract(f"FC{number:03d}", 0, f"FC-{number:03d}", customer.id, "Europe/Rome")
            for number in range(CONTRACTS)
        ]
        contracts.add(connection, made)
        terms: dict[str, Any] = {"starts": today.replace(day=1), "months": 36, "unit": "quarter", "metric": "peak"}
        terms |= {"currency": "EUR", "growth": Decimal(0), "tolerance": Decimal(0), "report_days": None}
        lines = [
            ContractLine(contract, product.id, terms | {"policy": ("hard_stop", "true_up")[place % 2]})
            for place, contract in enumerate(made)
            for product in sold
        ]
        contracts.add_lines(connection, lines)
        committed = {"hard_stop": asked, "true_up": asked // 2}
        contracts.commit(
            connection,
            [NewCommitment(line, terms["starts"], committed[line.terms["policy"]], Decimal(10), 0) for line in lines],
            0,
        )

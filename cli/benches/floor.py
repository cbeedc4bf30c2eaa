"""The bare floor that a whole batch is measured against: join, sign, COPY, UPDATE, commit, and nothing else.

Chunks of 10,000 rows over so many processes, on the same servers and tables as the batch that is measured beside it.
"""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.synchronize import Barrier

from jobs import numbers
from models import licenses, vouchers
from models.database import connect, fetch, run, transaction
from signing.tokens import LicenseClaims, Signer

CHUNK_ROWS = 10_000
_JOIN = (
    "SELECT r.ordinal, v.id, v.product_id FROM floor_rows r JOIN vouchers v ON v.key = r.key"
    " WHERE r.ordinal BETWEEN %(first)s AND %(last)s ORDER BY r.ordinal"
)


def prepare(database_url: str, order_id: int) -> int:
    """A plain table of the codes of a mint order, in the order they were minted; says how many."""
    with transaction(connect(database_url)) as connection:
        run(connection, "DROP TABLE IF EXISTS floor_rows", {})
        run(connection, "CREATE TABLE floor_rows (ordinal integer PRIMARY KEY, key text NOT NULL)", {})
        count = run(
            connection,
            "INSERT INTO floor_rows SELECT row_number() OVER (ORDER BY id), key FROM vouchers"
            " WHERE order_id = %(order)s",
            {"order": order_id},
        )
        run(connection, "ANALYZE floor_rows", {})
    return count


def measure(database_url: str, first: int, last: int, workers: int) -> float:
    """How many seconds the floor takes for prepared rows, from one to another."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    processes = [
        context.Process(target=_work, args=(database_url, first + number * CHUNK_ROWS, last, workers, barrier))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    barrier.wait(timeout=60)
    start = time.perf_counter()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process of the floor failed")
    return time.perf_counter() - start


def _work(database_url: str, start: int, last: int, workers: int, barrier: Barrier) -> None:
    engine = connect(database_url)
    signer = Signer("floor", bytes(32), "https://keymill.example")
    with transaction(engine) as connection:
        fetch(connection, "SELECT 1", {})
    barrier.wait(timeout=60)
    for first in range(start, last + 1, workers * CHUNK_ROWS):
        with transaction(engine) as connection:
            joined = fetch(connection, _JOIN, {"first": first, "last": min(first + CHUNK_ROWS - 1, last)})
            fresh = numbers.license_numbers(len(joined))
            keys = signer.sign_many(
                LicenseClaims("KMC-0000-0000-0000", number, 1_800_000_000, None, "FLOOR", "1", 1) for number in fresh
            )
            licenses.add(
                connection,
                [
                    "".join(
                        f"{number}\t{key}\t0\t0\t{product}\t1\t\\N\t\\N\t2026-01-01\t\\N\t{voucher}\t0\t{ordinal}\n"
                        for (ordinal, voucher, product), number, key in zip(joined, fresh, keys, strict=True)
                    )
                ],
            )
            vouchers.mark_redeemed(connection, [voucher for _, voucher, _ in joined])

"""``keymill bench sign``: license keys a second on one core, beside the bare signatures that they hold."""

from __future__ import annotations

import time
from typing import Any

from jobs import numbers
from signing.tokens import LicenseClaims, Signer, bare_signatures

SEED = bytes(range(32))


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Sign ``rows`` license keys in this process (``workers`` is not used: one core is measured)."""
    claims = [
        LicenseClaims("KMC-0000-0000-0000", number, 1_800_000_000, 1_900_000_000, "BENCH", "1", 1, f"{row:012X}")
        for row, number in enumerate(numbers.license_numbers(rows))
    ]
    signer = Signer("bench", SEED, "https://keymill.example")
    start = time.perf_counter()
    keys = signer.sign_many(claims)
    seconds = time.perf_counter() - start
    messages = [key.rpartition(".")[0].encode() for key in keys]
    start = time.perf_counter()
    bare_signatures(SEED, messages)
    floor_seconds = time.perf_counter() - start
    return {
        "bench": "sign",
        "rows": rows,
        "workers": 1,
        "rows_per_second": round(rows / seconds),
        "floor_rows_per_second": round(rows / floor_seconds),
        "ratio": round(floor_seconds / seconds, 3),
        "seconds": round(seconds, 3),
    }

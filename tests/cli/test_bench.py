"""Every benchmark runs and prints its line; what it measures is never judged here."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from cli.bench import BENCHES
from tests.cli.test_batches import COMMAND, environment

pytestmark = pytest.mark.timeout(900)  # the first one waits for all of them

PROMISED = {"bench", "rows", "workers"}
WITH_A_FLOOR = PROMISED | {"rows_per_second", "floor_rows_per_second", "ratio"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A few hundred rows through every benchmark, by one command: the lines by their names."""
    folder = tmp_path_factory.mktemp("bench")
    env = environment(folder) | {"KEYMILL_HEARTBEAT_SECONDS": "0.2"}  # peaks are waited for a heartbeat long
    words = [*COMMAND, "bench", "--rows", "400", "--workers", "1"]
    told = subprocess.run(words, env=env, capture_output=True, text=True, timeout=800)
    assert told.returncode == 0, told.stderr
    return {document["bench"]: document for document in map(json.loads, told.stdout.splitlines())}


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_prints_one_json_line(name: str, lines: dict[str, Any]) -> None:
    """A few hundred rows through the real thing; the line has the promised names."""
    document = lines[name]
    assert (PROMISED if name in ("small-beside-big", "uploads") else WITH_A_FLOOR) <= set(document)
    if name == "read":
        assert {"csv_rows_per_second", "csv_floor_rows_per_second", "csv_ratio"} <= set(document)
    if name == "reconcile":
        assert {"increment_ratio", "floor_spread", "peak_rss_mb", "increment_stage_seconds"} <= set(document)
        assert document["codes"] == [{"reported": 1}, {"reconciled": 1}, {"reconciled": 1}]
        assert document["statements"] == {"closed": 12, "open": 1}
    if name == "redeem-vouchers":
        assert document["outcomes"]["issued"] == 400
        assert document["floor_spread"] >= 1
        assert {"read", "run", "finish"} <= set(document["stage_seconds"])
        assert {"worker", "reader"} <= set(document["peak_rss_mb"])
    if name == "uploads":
        assert (document["uploads"], document["lost"], document["issued"]) == (4, 0, 400)

"""``keymill demo`` from nothing."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from cli import demo_desk
from cli.demo_files import List, Stock, as_xlsx, conversion_list
from cli.output import Refused
from tests.cli.test_batches import COMMAND, environment

USAGE = ["steel-usage.csv", "robots-usage.csv"]


def test_the_demo_issues_and_verifies_what_it_should(open_folder: Path) -> None:
    """Both files get exactly the answers that they were made for, every issued key is valid, the files are there."""
    arguments = [*COMMAND, "demo", "--rows", "30", "--keep", str(open_folder / "demo"), "--json"]
    env = environment(open_folder / "unused")
    told = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=200)
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    files = document["files"]
    certificates, contracts = ["serials.csv", "upgrades.csv", "hosts.csv"], ["draw-downs.csv", *USAGE]
    assert list(files) == ["vouchers.xlsx", "voucher-italia.csv", *certificates, *contracts]
    for name in ("vouchers.xlsx", "voucher-italia.csv"):
        assert files[name]["issued"] == 30
        assert files[name]["mistyped_code"] == files[name]["voucher_expired"] == files[name]["already_issued"] == 5
    assert files["serials.csv"]["issued"] == 20
    upgraded, moved = (sum(files[name][code] for code in ("issued", "issued_in_part")) for name in certificates[1:])
    assert (moved, upgraded) == (6, 6)
    assert files["draw-downs.csv"] == {"issued": 30, "pool_exhausted": 5}
    assert [files[name] for name in USAGE] == [{"reported": 718}, {"reported": 53}]
    assert document["verified"] == {"valid": 110, "rehosted": moved, "superseded": upgraded}
    lines = [(line["contract"], line["product"], line["committed"]) for line in document["statements"]]
    assert lines == [
        ("FC-2026-002", "MILL-PRO", 30), ("FC-2026-001", "MILL-PRO", 120), ("FC-2026-001", "MILL-SIM", 40)
    ]  # fmt: skip
    assert document["statements"][1]["owed"] != "0 EUR" and document["statements"][2]["missing_days"] == 12
    results = open_folder / "demo" / "results"
    assert len(list(results.rglob("*-result.*"))) == 9
    assert {path.suffix for path in results.rglob("night-*")} == {".csv", ".json", ".xlsx", ".zip"}
    assert (results / "revocations.jwt").exists()
    again = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1
    assert "not empty" in again.stderr


def test_the_demo_fails_loudly_when_an_answer_is_not_the_one_it_should_be() -> None:
    """One row more, less or answered otherwise than the file was made for ends it with a sentence."""
    made = List(expected=Counter(issued=2, missing_value=1))
    demo_desk.check("list.csv", made.expected, {"codes": {"missing_value": 1, "issued": 2}})
    for codes in ({"issued": 2}, {"issued": 3, "missing_value": 1}, {"issued": 2, "voucher_expired": 1}):
        with pytest.raises(Refused, match=r"list\.csv got"):
            demo_desk.check("list.csv", made.expected, {"codes": codes})


def test_every_key_in_a_result_file_is_found(tmp_path: Path) -> None:
    """In a workbook as in a CSV, so that no key goes unverified."""
    keys = [f"eyJhbGciOiJFZERTQSJ9.eyJudW1iZXIiOiJ7{number}In0.c2lnbmF0dXJl{number}" for number in range(3)]
    (tmp_path / "result.csv").write_text("code;key\n" + "".join(f"issued;{key}\n" for key in keys))
    made = conversion_list(Stock(["A-1", "A-2", "A-3"], [], []))
    for row, key in zip(made.rows, keys, strict=False):
        row[-1] = key
    (tmp_path / "result.xlsx").write_bytes(as_xlsx(made))
    for name in ("result.csv", "result.xlsx"):
        assert set(demo_desk.keys_in(tmp_path / name)) == set(keys)

"""The crash run itself: twenty faults find nothing, and bugs that are planted are found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash.books import differences
from tests.crash.files import draw

ROOT = Path(__file__).resolve().parents[2]
FAULTS = 20


def _crash_run(*arguments: str) -> tuple[dict[str, Any], str]:
    """The report of a run in a process of its own, and what it said (the seed, to run it again)."""
    command = [sys.executable, "-m", "tests.crash.run", "--json", "--stopped", "0", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == bool(report["wrong"]), done.stderr
    return report, done.stderr


def test_twenty_faults() -> None:
    """Workers, readers, scheduler, servers and store fail twenty times: the books are right, row for row."""
    report, said = _crash_run("--faults", str(FAULTS), "--rows", "300")
    assert report["wrong"] == [], said
    assert sum(report["faults"].values()) == FAULTS
    assert {"issued", "already_issued", "already_redeemed", "mistyped_code", "voucher_expired"} <= set(report["codes"])
    assert {"issued_beyond_commitment", "pool_exhausted", "reported", "reconciled"} <= set(report["codes"])
    assert report["counts"]["statements"]


@pytest.mark.parametrize(
    ("bug", "fault", "sentence"),
    [
        ("torn", "flush", "licenses"),  # committed before the outcomes: readers see it
        ("unfenced", "freeze", "stopped for longer than its lease committed"),
        ("unlocked", "flush", "overdrawn"),  # by a customer and its distributor at the same time
    ],
)
def test_planted_bugs(bug: str, fault: str, sentence: str) -> None:
    """A bug that is planted in the workers is found, and named for what it does.

    Whom a fault meets is up to the machine: on a busy one it may meet nobody who is hurt, so there are three runs.
    """
    told = []
    for _ in range(3):
        report, said = _crash_run(
            "--plant", bug, "--faults", "2", "--only", fault, "--rows", "300", "--batches", "8", "--patience", "12"
        )
        told.append((report["wrong"], report["faults"], report["counts"], said))
        if any(sentence in wrong for wrong in report["wrong"]):
            return
    raise AssertionError(told)


def test_a_seed_draws_the_same_files_again() -> None:
    """Two draws of a seed are equal, another seed draws other files."""
    assert draw(5, 12, 50) == draw(5, 12, 50)
    assert draw(5, 12, 50) != draw(6, 12, 50)


def test_a_difference_is_told_with_its_row() -> None:
    """Where a row's answer is not that of the undisturbed run, the file and the row are named."""
    uploads = draw(5, 2, 10).uploads
    same = {1: ["issued", "issued"]}
    assert differences(same, same, uploads) == []
    (told,) = differences(same, {1: ["issued", "already_issued"]}, uploads)
    assert uploads[1].name in told
    assert "row 2" in told
    assert differences({}, same, uploads)  # nothing where the undisturbed run has something

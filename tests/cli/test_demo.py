"""``keymill demo`` from nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.test_batches import COMMAND, environment


def test_the_demo_issues_and_verifies_what_it_should(open_folder: Path) -> None:
    """Both files get exactly the answers that they were made for, every issued key is valid, the files are there."""
    arguments = [*COMMAND, "demo", "--rows", "30", "--keep", str(open_folder / "demo"), "--json"]
    env = environment(open_folder / "unused")
    told = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=200)
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["verified"] == 60
    for codes in document["files"].values():
        assert codes["issued"] == 30
        assert codes["mistyped_code"] == codes["voucher_expired"] == codes["already_issued"] == 5
    assert len(list((open_folder / "demo" / "results").rglob("*-result.*"))) == 2
    again = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1
    assert "not empty" in again.stderr

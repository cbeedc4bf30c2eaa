"""The sample lists, saved by LibreOffice and in Excel's habits, against the outcome that every row deserves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from config.wiring import App
from jobs import status
from licensing.outcomes import CODES
from tests.apps import account, outcome_codes, product

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
Submit = Callable[..., int]


def _expected() -> dict[str, list[str]]:
    outcomes: dict[str, list[str]] = {}
    with (SAMPLES / "expected.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            outcomes.setdefault(row["file"], []).append(row["outcome"])
    return outcomes


@pytest.mark.parametrize("confirm", ["auto", "ask"])
def test_every_row_of_the_samples_gets_its_outcome(app: App, submit: Submit, confirm: str) -> None:
    """The five files, run in order (or previewed, each by itself), answer every row as expected.csv says."""
    if not SAMPLES.is_dir():
        pytest.skip("the samples are not beside this checkout")
    account(app, "OEM", locale="it")
    product(app, "P")
    given = {"oem": "OEM", "product": "P"}
    codes = (SAMPLES / "codes.txt").read_bytes()
    loaded = submit(codes, kind="load-vouchers", account="VENDOR", given=given, filename="codes.txt")
    assert set(outcome_codes(app, loaded)) == {"created"}
    for name, expected in _expected().items():
        batch_id = submit((SAMPLES / name).read_bytes(), filename=name, confirm=confirm)
        report = status.of_batch(app, batch_id)
        table = "outcomes" if confirm == "auto" else "previews"
        with app.engine.connect() as connection:
            found = connection.exec_driver_sql(
                f"SELECT code FROM {table} WHERE batch_id = %(b)s ORDER BY ordinal", {"b": batch_id}
            )
            assert [CODES[code].outcome for code in found.scalars()] == expected, name
        assert report["state"] == ("done" if confirm == "auto" else "previewed")

"""What a person reads of a batch, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli import reports
from cli.output import Output
from config.wiring import App
from jobs import status
from licensing.fields import Language
from tests.apps import account, product

Submit = Callable[..., int]
Told = Callable[..., str]


@pytest.fixture
def told(app: App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """What a batch's report says on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def tell(batch_id: int, language: Language = "en") -> str:
        reports.tell(status.of_batch(app, batch_id, language), Output(as_json=False, language=language))
        return capsys.readouterr().out

    return tell


@pytest.fixture
def stock(app: App, submit: Submit) -> None:
    """An OEM with three vouchers."""
    account(app, "OEM")
    product(app, "P")
    submit("voucher code,oem,product\nACME-1,OEM,P\nACME-2,OEM,P\nACME-3,OEM,P\n", "load-vouchers", "VENDOR")


@pytest.mark.usefixtures("stock")
def test_a_preview_says_what_would_happen_and_how_to_go_on(submit: Submit, told: Told) -> None:
    """Columns with their own headers, values given once, counts, cells at fault, and the commands that follow."""
    text = "Nota;Codice voucher;Paese\nx;ACME-1;IT\nx;ACME-9;IT\nx;ACME-2;Atlantis\n"
    batch = submit(text, confirm="ask", given={"company": "Rossi SpA"})
    english, italian = told(batch), told(batch, "it")
    assert "B Codice voucher = Voucher code, C Paese = Country, company = 'Rossi SpA'" in english
    assert "B = Codice voucher" in italian
    assert "Each row would get:" in english
    assert "B3" in english and "C4" in english
    assert f"keymill confirm {batch} --wait" in english
    assert "No voucher with this code" in english
    assert "Nessun voucher con questo codice" in italian


@pytest.mark.usefixtures("stock")
def test_a_finished_batch_names_its_files(submit: Submit, told: Told) -> None:
    """The result files with their sizes, and the command that fetches them."""
    batch = submit("voucher code,company\nACME-1,Rossi\n", filename="march.csv")
    text = told(batch)
    assert "march-result.csv" in text
    assert f"keymill results {batch} --to" in text
    assert "would get" not in text


@pytest.mark.usefixtures("stock")
def test_a_batch_under_way_says_where_to_look(submit: Submit, told: Told) -> None:
    """Nothing has worked on it yet: its state, and the command that looks again."""
    batch = submit("voucher code,company\nACME-1,Rossi\n", work=False)
    assert f"keymill show {batch}" in told(batch)
    assert f"keymill show {batch}" in told(batch, "it")


def test_a_failed_batch_says_why_and_what_to_do(app: App, submit: Submit, told: Told) -> None:
    """The reader's sentence, and that the file is to be mended."""
    account(app, "OEM")
    batch = submit("", filename="empty.csv")
    assert "failed" in told(batch)
    assert "submit it again" in told(batch)
    assert "correggere il file" in told(batch, "it")


def test_batches_fit_a_narrow_terminal(
    app: App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In 90 columns only the file's name is cut; without any batch there is a sentence."""
    monkeypatch.setenv("COLUMNS", "90")
    output = Output(as_json=False, language="en")
    reports.batch_table([], output)
    assert "no batches yet" in capsys.readouterr().out
    entry = {
        "batch": 12, "account": "ACME-OEM", "kind": "redeem-vouchers", "file": "a-very-long-name-of-a-list-indeed.xlsx",
        "state": "previewed", "rows": 1_000_000, "outcomes": {"rejected": 12}, "received": "2026-11-25T10:20:30+00:00",
    }  # fmt: skip
    reports.batch_table([entry], output)
    line = capsys.readouterr().out.splitlines()[-1]
    for word in ("12", "ACME-OEM", "redeem-vouchers", "previewed", "1,000,000", "2026-11-25 10:20", "…"):
        assert word in line

"""Reports of a reconciliation, on a real database: what is made of a batch, and what each customer gets."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pypdfium2
import pytest

from config.wiring import App
from exporters import statement_workbooks
from jobs import reports, statements, status
from jobs.refusals import Refused
from models import batches
from models.database import fetch, run, transaction
from tests.apps import account, kept, outcome_codes, product
from tests.cli.test_batches import called

Submit = Callable[..., int]
CONTRACTS = (
    "Contract;Customer number;Product;Quantity;Unit price;Currency;Term start;Term (months);Period;"
    "Report every (days);Policy\n"
    "FC-1;ACME;CAD;100;12;EUR;2026-01-01;12;quarter;31;\n"
    "FC-1;ACME;PLM;10;99.5;EUR;2026-01-01;12;quarter;31;\n"
    "=A/1;ACME;CAD;5;1;USD;2026-01-01;12;year;;\n"
    "FC-2;BETA;CAD;50;12;EUR;2026-01-01;12;quarter;31;\n"
)
NIGHT = "Contract;Product;Date\n" + "".join(
    f"{place};2026-03-31\n" for place in ("FC-1;CAD", "FC-1;PLM", "=A/1;CAD", "FC-2;CAD")
)


@pytest.fixture
@kept
def night(app: App, submit: Submit) -> int:
    """A quarter's last night: FC-1 of ACME is over and has a gap, =A/1 was never drawn from, FC-2 of BETA is over."""
    account(app, "ACME", "customer", name="Łódź & Figli", locale="it-IT")
    account(app, "BETA", "customer")
    product(app, "CAD")
    product(app, "PLM")
    assert set(outcome_codes(app, submit(CONTRACTS, "load-contracts", "VENDOR"))) == {"created"}
    uses = [("FC-1;CAD", "01-01", 90), ("FC-1;CAD", "02-01", 110), ("FC-1;CAD", "03-01", 105)]
    uses += [("FC-1;PLM", "01-01", 8), ("FC-1;PLM", "03-01", 9), ("FC-2;CAD", "01-01", 51), ("FC-2;CAD", "02-01", 52)]
    text = "".join(f"{place};2026-{day};{quantity}\n" for place, day, quantity in uses)
    report = submit("Contract;Product;Date;Quantity\n" + text, "report-usage", "VENDOR")
    assert set(outcome_codes(app, report)) == {"reported"}
    return submit(NIGHT, "reconcile-contracts", "VENDOR")


def files(app: App, batch_id: int) -> dict[str, bytes]:
    """The files of a batch by their roles."""
    found = status.of_batch(app, batch_id)["results"]["files"]
    return {file["role"]: b"".join(app.store.get(file["name"])) for file in found}


def copies(app: App, batch_id: int) -> dict[str, bytes]:
    """What customers got of a batch, by number and name."""
    found = [name for name in app.store.list("customers/") if name.split("/")[2] == str(batch_id)]
    return {"/".join((name.split("/")[1], name.split("/")[3])): b"".join(app.store.get(name)) for name in found}


def text_of(page: bytes) -> str:
    """The text of a PDF of one page."""
    document = pypdfium2.PdfDocument(page)
    assert len(document) == 1
    text = document[0].get_textpage().get_text_bounded()
    document.close()
    return str(text)


def listed(table: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))


def test_a_night_leaves_lists_a_workbook_and_pages(app: App, night: int) -> None:
    """All say what the statements say; the manifest names every file with its digest."""
    found = files(app, night)
    assert {"statements", "figures", "summary", "pages", "manifest"} <= set(found)
    query = "SELECT id, used, over, owed, missing_days FROM statements WHERE batch_id = %(b)s"
    with app.engine.connect() as connection:
        stored = {row[0]: row[1:] for row in fetch(connection, query, {"b": night})}
    assert len(stored) == 4
    document = json.loads(found["figures"])
    in_json = {
        one["statement"]: (Decimal(one["used"]), Decimal(one["over"]), Decimal(one["owed"]), one["missing_days"])
        for contract in document["contracts"]
        for line in contract["lines"]
        for one in line["statements"]
    }
    assert in_json == stored and document["batch"] == night
    in_csv = {int(row["statement"]): Decimal(row["owed"]) for row in listed(found["statements"])}
    assert in_csv == {number: row[2] for number, row in stored.items()}
    book = openpyxl.load_workbook(io.BytesIO(found["summary"]))
    assert book.sheetnames == ["Summary", "Statements", "FC-1", "FC-2", "=A 1"]
    assert {row[-1] for row in book["Statements"].iter_rows(min_row=2, values_only=True)} == set(stored)
    with zipfile.ZipFile(io.BytesIO(found["pages"])) as archive:
        names = archive.namelist()
        pages = {name: text_of(archive.read(name)) for name in names if name.endswith(".pdf")}
    assert set(pages) == {"statement-FC-1.pdf", "statement-=A_1.pdf", "statement-FC-2.pdf"}
    assert "keymill" in pages["statement-FC-2.pdf"] and "Usage statement" in pages["statement-FC-2.pdf"]
    assert "Estratto d'uso" in pages["statement-FC-1.pdf"] and "Łódź & Figli" in pages["statement-FC-1.pdf"]
    assert "PLM: nessun dato per 28 giorni (1 feb 2026 – 28 feb 2026)" in pages["statement-FC-1.pdf"]
    manifest = json.loads(found["manifest"])
    named = {file["what"] for file in manifest["files"]}
    assert named == set(found) - {"manifest"}
    assert manifest["notes"] == [
        f"Each customer's own statements (customers: 2) are stored under customers/NUMBER/{night}/ too."
    ]


def test_each_customer_gets_its_own_and_nobody_else_s(app: App, night: int) -> None:
    """Lists of its own contracts, and their pages as they are in the archive."""
    found = copies(app, night)
    acme = {"statement-FC-1.pdf", "statement-=A_1.pdf", "statements.csv", "figures.json"}
    assert set(found) == {f"ACME/{name}" for name in acme} | {
        f"BETA/{name}" for name in ("statement-FC-2.pdf", "statements.csv", "figures.json")
    }
    for number, codes in (("ACME", {"FC-1", "=A/1"}), ("BETA", {"FC-2"})):
        rows = listed(found[f"{number}/statements.csv"])
        assert {row["accountID"] for row in rows} == {number}
        assert {row["featureName"].lstrip("'") for row in rows} == codes
        document = json.loads(found[f"{number}/figures.json"])
        assert {contract["contract"] for contract in document["contracts"]} == codes
        assert {contract["customer"]["number"] for contract in document["contracts"]} == {number}
    with zipfile.ZipFile(io.BytesIO(files(app, night)["pages"])) as archive:
        assert archive.read("statement-FC-2.pdf") == found["BETA/statement-FC-2.pdf"]


def test_a_night_without_news_leaves_no_report(app: App, submit: Submit, night: int) -> None:
    """The same night again: no statement, no file, no copy, and a sentence that says so."""
    again = submit(NIGHT, "reconcile-contracts", "VENDOR", language="it")
    assert set(outcome_codes(app, again)) == {"unchanged"}
    assert set(files(app, again)) == {"result", "manifest"}
    assert copies(app, again) == {}
    notes = json.loads(files(app, again)["manifest"])["notes"]
    assert notes == ["Nessun estratto è nuovo o cambiato: non c'è nulla da riferire."]


def test_an_adjustment_is_reported_beside_what_it_adjusts(app: App, submit: Submit, night: int) -> None:
    """Lists have the new statement with its cause; the page has both, and says what changed."""
    late = submit("Contract;Product;Date;Quantity\nFC-2;CAD;2026-02-10;60\n", "report-usage", "VENDOR")
    adjusting = submit(NIGHT, "reconcile-contracts", "VENDOR")
    found = copies(app, adjusting)
    assert set(found) == {f"BETA/{name}" for name in ("statement-FC-2.pdf", "statements.csv", "figures.json")}
    (contract,) = json.loads(found["BETA/figures.json"])["contracts"]
    ((stated,),) = [line["statements"] for line in contract["lines"]]
    assert (stated["state"], stated["causes"]) == ("adjusted", [{"batch": late, "row": 1}])
    text = text_of(found["BETA/statement-FC-2.pdf"])
    assert "replaced" in text and f"statement {stated['statement']} replaces" in text


def test_the_same_batch_is_reported_in_the_same_bytes(app: App, night: int, tmp_path: Path) -> None:
    """What is made again after a worker died is what was made before."""
    before = files(app, night)
    with transaction(app.engine) as connection:
        batch = batches.by_id(connection, night)
        assert batch is not None
        made = reports.of_batch(app, batch, tmp_path).result()
        again = {file.role: b"".join(file.blocks) for file in made.files}
    assert again == {role: before[role] for role in again} and len(again) == 4


@pytest.mark.parametrize("long", [1, 50_000])
def test_many_contracts_are_listed_and_have_no_pages(
    app: App, night: int, tmp_path: Path, long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit there are lists and a summary, no sheets, pages and copies, and the manifest says how to; a long
    list, made in two parts, is the same.
    """
    monkeypatch.setattr(reports, "_LONG_LIST", long)
    limited = App(app.settings.model_copy(update={"statement_pages": 2}), app.engine, app.store, b"x" * 32)
    with transaction(app.engine) as connection:
        batch = batches.by_id(connection, night)
        assert batch is not None
        made = reports.of_batch(limited, batch, tmp_path).result()
        content = {file.role: b"".join(file.blocks) for file in made.files}
    assert set(content) == {"statements", "summary"}
    assert content["statements"] == files(app, night)["statements"]
    book = openpyxl.load_workbook(io.BytesIO(content["summary"]))
    assert book.sheetnames == ["Summary", "Statements"]
    (note,) = made.notes
    assert f"more than 2 contracts: `keymill statement --batch {night} --to FOLDER` makes the pages" in note
    assert note in [row[0] for row in book["Summary"].iter_rows(values_only=True)]


@pytest.mark.parametrize(("most", "is_flagged"), [(4, True), (3, True), (1, True), (3, False)])
def test_a_list_that_is_cut_holds_what_somebody_should_look_at(
    app: App, night: int, tmp_path: Path, most: int, is_flagged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gravest first; all of them where there is room, and the first ones where nobody need look at any."""
    monkeypatch.setattr(statement_workbooks, "MOST_LISTED", most)
    limited = App(app.settings.model_copy(update={"statement_pages": 0}), app.engine, app.store, b"x" * 32)
    with transaction(app.engine) as connection:
        if not is_flagged:
            run(connection, "UPDATE statements SET owed = 0, over = 0, missing_days = 0", {})
        batch = batches.by_id(connection, night)
        assert batch is not None
    with transaction(app.engine) as connection:
        made = reports.of_batch(limited, batch, tmp_path).result()
        content = {file.role: b"".join(file.blocks) for file in made.files}
    rows = list(openpyxl.load_workbook(io.BytesIO(content["summary"]))["Statements"].iter_rows(values_only=True))
    told = [f"{row[1]} {row[4]}" for row in rows if row[1] and row[1] != "Contract"]
    gravest = ["FC-2 CAD", "FC-1 CAD", "FC-1 PLM", "=A/1 CAD"]
    assert told == (gravest[:most] if is_flagged else ["=A/1 CAD", "FC-1 CAD", "FC-1 PLM"])
    if most < 4:
        assert str(rows[0][0]).startswith(f"{len(told)} of 4 statements, those to be looked at first")


def test_a_contract_in_several_currencies_is_listed_once(app: App, submit: Submit, tmp_path: Path) -> None:
    """Each line with its own currency, or none; the summary has a total for each."""
    account(app, "ACME", "customer")
    for sku in ("CAD", "CAM", "PLM"):
        product(app, sku)
    head, lines = CONTRACTS.partition("\n")[0], ""
    for sku, price in (("PLM", "12;EUR"), ("CAM", ";"), ("CAD", "3;USD")):
        lines += f"FC-3;ACME;{sku};10;{price};2026-01-01;12;month;;\n"
    assert set(outcome_codes(app, submit(f"{head}\n{lines}", "load-contracts", "VENDOR"))) == {"created"}
    batch_id = submit("Contract;Date\nFC-3;2026-01-31\n", "reconcile-contracts", "VENDOR")
    limited = App(app.settings.model_copy(update={"statement_pages": 0}), app.engine, app.store, b"x" * 32)
    with transaction(app.engine) as connection:
        batch = batches.by_id(connection, batch_id)
        assert batch is not None
        content = {one.role: b"".join(one.blocks) for one in reports.of_batch(limited, batch, tmp_path).result().files}
    rows = [(row["productID"], row["currency"]) for row in listed(content["statements"])]
    assert rows == [("CAD", "USD"), ("CAM", ""), ("PLM", "EUR")]
    summary = openpyxl.load_workbook(io.BytesIO(content["summary"]))["Summary"].iter_rows(values_only=True)
    assert [row[:2] for row in summary if row[0] in ("–", "EUR", "USD")] == [("–", 1), ("EUR", 1), ("USD", 1)]


def test_contracts_are_read_some_at_a_time(app: App, night: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are read together, the same comes out, in the order that was asked for."""
    with transaction(app.engine) as connection:
        keys = [row[0] for row in fetch(connection, "SELECT key FROM contracts ORDER BY key DESC", {})]
        whole = list(statements.gather(connection, keys, with_usage=True))
        monkeypatch.setattr(statements, "_AT_ONCE_WITH_USAGE", 1)
        assert list(statements.gather(connection, [*keys, "NONE"], with_usage=True)) == whole
    assert [contract.code for contract in whole] == ["FC-2", "FC-1", "=A/1"]
    (plm,) = [line.known for line in whole[1].lines if line.sku == "PLM"]
    assert (set(plm[0].used), date.fromordinal(plm[0].first + len(plm[0].used) - 1)) == ({8}, date(2026, 1, 31))
    assert [set(one.used) for one in whole[2].lines[0].known] == [{0}]  # nobody reports: what is drawn counts
    gaps = {line.sku: list(line.gaps.values()) for line in whole[1].lines}
    assert gaps == {"CAD": [], "PLM": [[(date(2026, 2, 1), date(2026, 2, 28))]]}


def test_a_report_can_be_made_at_any_time(app: App, night: int) -> None:
    """A page, a workbook of one sheet, data; a contract that is not there or was never counted is refused."""
    ((name, page),) = statements.reports(app, [" fc-1 "], "pdf", "en")
    assert (name, page) == ("statement-FC-1.pdf", copies(app, night)["ACME/statement-FC-1.pdf"])
    ((name, book),) = statements.reports(app, ["=A/1"], "xlsx", "it")
    sheets = openpyxl.load_workbook(io.BytesIO(book)).worksheets
    assert (name, [sheet.title for sheet in sheets], sheets[0]["A5"].value) == (
        "statement-=A_1.xlsx",
        ["=A 1"],
        "Prodotto",
    )
    ((_, data),) = statements.reports(app, ["FC-2"], "json", "en")
    assert json.loads(data)["batch"] is None
    with pytest.raises(Refused, match="no contract FC-9"):
        list(statements.reports(app, ["FC-2", "FC-9"], "pdf", "en"))


def test_a_contract_without_statements_has_no_report(app: App, submit: Submit) -> None:
    """It says what is missing."""
    account(app, "ACME", "customer")
    product(app, "CAD")
    product(app, "PLM")
    submit(CONTRACTS.replace("BETA", "ACME"), "load-contracts", "VENDOR")
    with pytest.raises(Refused, match="has no statements yet"):
        list(statements.reports(app, ["FC-1"], "pdf", "en"))


def test_the_command_writes_files(app: App, night: int, tmp_path: Path) -> None:
    """``keymill statement`` puts a file a contract into a folder, keeps what is there, and refuses with a sentence."""
    environment = app.settings.environment()
    environment["KEYMILL_KEY_ENCRYPTION_KEY"] = base64.b64encode(b"x" * 32).decode()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return called(environment, "statement", *arguments, "--to", str(tmp_path / "out"), "--json")

    done = run("FC-1", "FC-2")
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)["files"]
    assert [Path(file["path"]).name for file in told] == ["statement-FC-1.pdf", "statement-FC-2.pdf"]
    assert Path(told[0]["path"]).read_bytes() == copies(app, night)["ACME/statement-FC-1.pdf"]
    assert run("FC-1").returncode == 1
    assert run("FC-1", "--force").returncode == 0
    assert run("FC-1", "--format", "xlsx").returncode == 0
    assert (tmp_path / "out" / "statement-FC-1.xlsx").is_file()
    whole = json.loads(run("--batch", str(night), "--format", "json").stdout)["files"]
    assert [Path(file["path"]).name for file in whole] == [
        "statement-=A_1.json", "statement-FC-1.json", "statement-FC-2.json",
    ]  # fmt: skip
    assert json.loads(run("--batch", "1").stdout)["refused"] == "nothing_named"
    missing = run("FC-9")
    assert (missing.returncode, json.loads(missing.stdout)["refused"]) == (1, "unknown_contract")

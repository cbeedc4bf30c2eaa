"""Results in pieces: rendered early by the run, late where it could not, always every row once and in file order."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from cli.benches import workbooks as bench_workbooks
from config.wiring import App
from jobs import keys, results, status, workbooks
from models import chunks, vouchers
from models.database import copy_line, scalar, transaction
from signing.key_sets import parse_key_set
from signing.verification import verify
from storage.opening import open_store
from tests.apps import account, product

Submit = Callable[..., int]


@pytest.fixture
def codes(app: App) -> list[str]:
    """Sixty vouchers of OEM."""
    account(app, "OEM")
    product(app, "P", term_months=12)
    found = [f"ACME-{number:04d}-XY" for number in range(60)]
    with transaction(app.engine) as connection:
        oem = scalar(connection, "SELECT id FROM accounts WHERE number = 'OEM'")
        plain = scalar(connection, "SELECT id FROM products WHERE sku = 'P'")
        tail = copy_line(oem, plain, None, None, None, None)
        vouchers.add(connection, [f"{code.replace('-', '')}\t{code}\t{tail}" for code in found])
    return found


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of more than ten rows are rendered in pieces of ten, workbooks too."""
    monkeypatch.setattr(results, "PIECE_ROWS", 10)
    monkeypatch.setattr(workbooks, "MOST_MARKED_ROWS", 0)


def result_rows(app: App, batch_id: int, role: str = "result") -> list[list[Any]]:
    """The rows of a result file, header first."""
    files = {file["role"]: file for file in status.of_batch(app, batch_id)["results"]["files"]}
    content = b"".join(app.store.get(files[role]["name"]))
    if files[role]["file"].endswith(".csv"):
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))
    with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
        return book.get_sheet_by_index(0).to_python()


def stages(app: App, batch_id: int) -> set[str]:
    """The stages that a batch went through."""
    with app.engine.connect() as connection:
        return set(chunks.stages(connection, batch_id))


def check(app: App, batch_id: int, codes: list[str]) -> None:
    """Row for row the uploaded cells, the right code, and a valid key on every issued row."""
    header, *rows = result_rows(app, batch_id)
    key_column = next(column for column, title in enumerate(header) if "key" in title)
    public_keys = parse_key_set(keys.public_key_set(app.engine))
    assert [row[0] for row in rows] == codes
    for row in rows:
        if row[key_column - 3] in ("issued", "already_issued"):
            assert verify(row[key_column], public_keys, now=time.time()).valid
        else:
            assert row[key_column] == ""


def test_a_file_without_repeats_is_rendered_while_it_runs(
    app: App, submit: Submit, codes: list[str], in_pieces: None
) -> None:
    """No further pass over the rows is needed, and no piece is left in the store."""
    text = "code;company\n" + "".join(f"{code};Rossi\n" for code in codes[:45])
    batch_id = submit(text)
    check(app, batch_id, codes[:45])
    assert "render" not in stages(app, batch_id)
    assert list(app.store.list("pieces/")) == []


def test_chunks_with_repeated_rows_are_rendered_afterwards(
    app: App, submit: Submit, codes: list[str], in_pieces: None, tmp_path: Path
) -> None:
    """Rows whose answer comes later leave a gap that is filled, also in a workbook."""
    sent = codes[:25] + codes[5:8] + codes[25:50] + codes[:4] + ["ACME-NONE-1"]
    path = tmp_path / "list.xlsx"
    bench_workbooks.write(path, [(code, "Rossi") for code in sent], ("Code", "Company"))
    batch_id = submit(path.read_bytes(), filename="list.xlsx")
    check(app, batch_id, sent)
    assert "render" in stages(app, batch_id)
    assert [row[0] for row in result_rows(app, batch_id, "rejected")[1:]] == ["ACME-NONE-1"]


def test_the_source_workbook_itself_comes_back(app: App, submit: Submit, codes: list[str], tmp_path: Path) -> None:
    """A workbook of usual length comes back with its own cells, the rejected rows as one to mend and send again."""
    path = tmp_path / "list.xlsx"
    rows = [(code, "Rossi") for code in codes[:3]] + [("ACME-NONE-1", "Rossi"), (codes[4], "")]
    bench_workbooks.write(path, rows, ("Code", "Company"))
    batch_id = submit(path.read_bytes(), filename="list.xlsx")
    check(app, batch_id, [row[0] for row in rows])
    rejected = result_rows(app, batch_id, "rejected")
    assert [row[:2] for row in rejected[1:]] == [["ACME-NONE-1", "Rossi"], [codes[4], ""]]
    files = {file["role"]: file for file in status.of_batch(app, batch_id)["results"]["files"]}
    assert "source workbook" in files["result"]["how"]
    again = submit(b"".join(app.store.get(files["rejected"]["name"])), filename="mended.xlsx")
    assert status.of_batch(app, again)["outcomes"]["rejected"] == 2


def test_the_manifest_says_what_lies_there(app: App, submit: Submit, codes: list[str]) -> None:
    """Its digests and counts are those of the stored files and of the batch."""
    sent = [*codes[:5], codes[0], "ACME-NONE-1"]
    batch_id = submit("code;company\n" + "".join(f"{code};Rossi\n" for code in sent))
    report = status.of_batch(app, batch_id)
    files = {file["role"]: file for file in report["results"]["files"]}
    manifest = json.loads(b"".join(app.store.get(files["manifest"]["name"])))
    assert manifest["codes"] == report["codes"]
    assert {f["name"]: f["sha256"] for f in manifest["files"]} == {
        file["file"]: file["sha256"] for role, file in files.items() if role != "manifest"
    }
    assert files["licenses"]["rows"] == 5


def test_everything_works_on_s3_too(
    app: App, submit: Submit, codes: list[str], in_pieces: None, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads, pieces and results go over HTTP to an S3 server and come back."""
    from urllib.request import Request, urlopen

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with urlopen(Request(f"{s3_server}/keymill-flow", method="PUT"), timeout=10):
        pass
    object.__setattr__(app, "store", open_store("s3://keymill-flow/some/prefix"))
    batch_id = submit("code;company\n" + "".join(f"{code};Rossi\n" for code in codes[:45]))
    check(app, batch_id, codes[:45])
    assert list(app.store.list("pieces/")) == []

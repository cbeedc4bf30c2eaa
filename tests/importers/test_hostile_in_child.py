"""Hostile files uploaded again and again: the child dies or refuses, always in the same words, and the parent lives."""

from __future__ import annotations

import random
import struct
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.children import ChildDied, run
from importers.contracts import Limits
from importers.refusals import SENTENCES
from tests.importers import files
from tests.importers.files import HEADER, REDEEM, ROWS, raw_xlsx, row, table, text_cell

TIMES = 10
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PLAIN = table(row(2, *ROWS[0]))


def in_child(path: Path, **limits: Any) -> dict[str, Any]:
    """Read a file as a worker does."""
    request = {
        "path": str(path),
        "filename": "upload",
        "prefix": "1",
        "wanted": REDEEM.to_json(),
        "limits": asdict(Limits()),
    }
    given = {"memory_bytes": 200_000_000, "cpu_seconds": 30, "wall_seconds": 60.0} | limits
    return run("jobs.children.reading", request, on_block=lambda block: None, **given)


def answer(path: Path, **limits: Any) -> tuple[str, str, str]:
    """The code and sentences of a refusal or a death."""
    try:
        refused = in_child(path, **limits)["refused"]
    except ChildDied as death:
        return death.how, death.en, death.it
    return refused["code"], refused["en"], refused["it"]


def far_corner(path: Path) -> Path:
    """One cell in the first corner of a sheet and one in the last."""
    return raw_xlsx(path, f"<sheetData>{row(1, *HEADER)}{row(1_048_576, text_cell('XFD1048576', 'x'))}</sheetData>")


def lying_count(path: Path) -> Path:
    """Four thousand million shared strings, it says."""
    strings = f'<sst xmlns="{_MAIN}" count="4294967295" uniqueCount="4294967295"><si><t>a</t></si></sst>'
    return raw_xlsx(path, PLAIN, changed={"xl/sharedStrings.xml": strings})


def column_without_end(path: Path) -> Path:
    """A cell in a column that no spreadsheet has."""
    return raw_xlsx(path, table(row(2, *ROWS[0], text_cell("ZZZZZZ2", "x"))))


def long_string(path: Path) -> Path:
    """One string that unpacks to more than the memory allowed, behind a directory that says little."""
    text = b'<sst xmlns="' + _MAIN.encode() + b'"><si><t>' + b"ab" * 60_000_000 + b"</t></si></sst>"
    raw_xlsx(path, PLAIN, changed={"xl/sharedStrings.xml": text})
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"xl/sharedStrings.xml") - 46
    content[entry + 24 : entry + 28] = struct.pack("<I", 900_000)
    path.write_bytes(content)
    return path


def panic(path: Path) -> Path:
    """An XLSB whose cell points to a string that is not there: the Rust code panics."""
    files.xlsb(path, (HEADER, *ROWS, ("x", 5.0)))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    cell = files._record(5, struct.pack("<IId", 1, 0, 5.0))
    sheet = parts["xl/worksheets/sheet1.bin"]
    assert cell in sheet
    parts["xl/worksheets/sheet1.bin"] = sheet.replace(cell, files._record(7, struct.pack("<III", 1, 0, 77)))
    path.write_bytes(files.packed(parts))
    return path


def repeated_cell(path: Path) -> Path:
    """An ODS with one cell, sixteen thousand million times."""
    files.ods(path, (HEADER, *ROWS))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    content = parts["content.xml"].replace(
        b"<table:table-row>", b'<table:table-row table:number-rows-repeated="999999">'
    )
    parts["content.xml"] = content.replace(
        b"<table:table-cell ", b'<table:table-cell table:number-columns-repeated="16384" '
    )
    path.write_bytes(files.packed(parts))
    return path


@pytest.mark.parametrize(
    ("write", "codes"),
    [
        (far_corner, {"far_cell", "too_many_columns"}),
        (lying_count, {"memory"}),
        (column_without_end, {"memory", "too_many_columns"}),
        (long_string, {"memory", "corrupt"}),
        (panic, {"corrupt"}),
        (repeated_cell, {"too_many_cells"}),
    ],
)
def test_a_hostile_file_is_answered_alike_every_time(write: Any, codes: set[str], tmp_path: Path):
    """Ten times the same code and sentence, with no process left over."""
    path = write(tmp_path / "hostile")
    children = psutil.Process().children()
    answers = {answer(path) for _ in range(TIMES)}
    assert len(answers) == 1
    assert answers.pop()[0] in codes
    assert psutil.Process().children() == children


@pytest.mark.parametrize("write", [files.xlsx, files.xls, files.ods, files.xlsb])
def test_files_with_wrong_bytes_are_answered(write: Any, tmp_path: Path):
    """Whatever is wrong with a file, the child reads it, refuses it or dies in a way that has a name."""
    chance = random.Random(20261125)
    content = write(tmp_path / "a", (HEADER, *ROWS * 5)).read_bytes()
    for _ in range(10):
        wrong = bytearray(content)
        for _ in range(chance.choice((1, 3, 20))):
            wrong[chance.randrange(len(wrong))] = chance.randrange(256)
        (tmp_path / "b").write_bytes(wrong)
        try:
            found = in_child(tmp_path / "b")
        except ChildDied as death:
            assert death.how in ("memory", "aborted")
        else:
            assert found.get("row_count") or found["refused"]["code"] in SENTENCES


def test_a_file_that_takes_too_long_runs_into_the_limit(tmp_path: Path):
    """Processor time has a limit, whatever the file does with it."""
    path = tmp_path / "a"
    path.write_text("code;azienda\n" + "".join(f"C-{i:08};X\n" for i in range(900_000)))
    assert answer(path, cpu_seconds=1)[0] == "cpu"


def test_the_child_reads_an_honest_file_and_tells_its_use(tmp_path: Path):
    """The same reading as in process, and what it cost."""
    found = in_child(files.xlsx(tmp_path / "a", (HEADER, *ROWS)))
    assert found["row_count"] == 2
    assert found["peak_rss_mb"] < 100

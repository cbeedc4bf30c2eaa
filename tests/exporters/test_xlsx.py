"""XLSX result files: what is read back, by several readers, is what was written."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from exporters import xlsx
from exporters.pieces import ChangedPiece, Head, Line, PieceFacts
from exporters.results import OUTCOME_TITLES, format_for, outcome_cells
from exporters.xlsx import Xlsx
from exporters.xlsx_cells import escaped
from licensing.cells import PackedCell

HEAD = Head(("Voucher code", "Company"), OUTCOME_TITLES["en"])
ISSUED = outcome_cells(
    "issued",
    None,
    "en",
    license_number="KML-1",
    key="eyJ." + "k" * 450,
    sku="EDGE",
    quantity=3,
    valid_until=date(2027, 11, 25),
)


def lines(*rows: Any) -> list[Line]:
    """Rows that were all issued a license."""
    return [(list(row), ISSUED) for row in rows]


def workbook(*groups: Iterable[Line], head: Head = HEAD, width: int = 2) -> bytes:
    """A whole workbook, each group of lines a piece of its own."""
    pieces = [Xlsx().piece(group, width) for group in groups]
    return b"".join(Xlsx().assemble(head, [(piece.facts, [piece.data]) for piece in pieces], width))


def opened(data: bytes) -> Any:
    """What openpyxl reads."""
    return openpyxl.load_workbook(io.BytesIO(data))


def sheet_xml(data: bytes, number: int = 1) -> bytes:
    """The XML of a sheet."""
    return zipfile.ZipFile(io.BytesIO(data)).read(f"xl/worksheets/sheet{number}.xml")


def test_cells_keep_their_types_for_openpyxl() -> None:
    """Text, numbers, booleans, blanks, dates, times and errors come back as what they were."""
    row: list[PackedCell] = [
        "00012", 5, -1.5, True, None, {"date": "2026-12-31"}, {"datetime": "2026-12-31T13:30:00"}, {"time": "06:00:00"},
        {"unreadable": "#N/A"}, {"unreadable": "odd"}, "last",
    ]  # fmt: skip
    sheet = opened(workbook([(row, ())], head=Head(tuple("abcdefghijk")), width=11)).active
    assert [cell.value for cell in sheet[2]] == [
        "00012", 5, -1.5, True, None, datetime(2026, 12, 31), datetime(2026, 12, 31, 13, 30), time(6), "#N/A", "odd",
        "last",
    ]  # fmt: skip
    assert [sheet[2][at].data_type for at in (0, 1, 3, 8, 9)] == ["s", "n", "b", "e", "s"]
    assert sheet["A2"].number_format == "@"


def test_calamine_reads_the_same_cells() -> None:
    """The reader that Keymill reads with sees titles, text, dates and outcomes in their columns."""
    data = workbook(lines(["A-1", "Rossi & Figli <SpA>"]), lines(["A-2", "Bianchi"]))
    read = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    assert read[0] == ["Voucher code", "Company", *OUTCOME_TITLES["en"]]
    assert read[1][:3] == ["A-1", "Rossi & Figli <SpA>", "issued"]
    assert read[1][5:] == ["eyJ." + "k" * 450, "EDGE", 3.0, date(2027, 11, 25)]
    assert read[2][0] == "A-2"


@settings(max_examples=150)
@given(st.lists(st.lists(st.text(max_size=12) | st.none(), min_size=2, max_size=2), min_size=1, max_size=5))
def test_any_text_is_read_back_as_it_was(rows: list[list[PackedCell]]) -> None:
    """Whatever characters a text has (spaces at its ends, controls, escapes of Excel's), openpyxl gets it back."""
    sheet = opened(workbook(lines(*rows))).active
    read = [[unescape(cell.value or "") for cell in row[:2]] for row in sheet.iter_rows(min_row=2)]
    assert read == [[cell or "" for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("text", "in_xml"),
    [
        ("a\x00b", "a_x0000_b"),
        ("a\rb", "a_x000D_b"),
        ("_x0041_", "_x005F_x0041_"),
        ("_x0041_x0042_", "_x005F_x0041_x005F_x0042_"),
        ("_x41_", "_x41_"),
        ("_x0041\x00", "_x005F_x0041_x0000_"),
        ("\ud800", "_xD800_"),
        ("\ufffe", "_xFFFE_"),
        ("a\nb\tc", "a\nb\tc"),
        ("x" * 32_767, "x" * 32_767),
        ("x" * 32_768, "x" * 32_766 + "…"),
        ("😀" * 20_000, "😀" * 16_383 + "…"),
    ],
)
def test_what_a_cell_cannot_hold_is_escaped_or_cut(text: str, in_xml: str) -> None:
    """Control characters become Excel's own escapes, look-alikes of these are escaped, too long texts are cut."""
    assert escaped(text) == in_xml
    assert in_xml in sheet_xml(workbook(lines([text, None]))).decode()


@pytest.mark.parametrize("text", ["=1+1", "+39 02 1234", "-5", "@SUM(A1)", "\t=1", "'quoted"])
def test_formulas_stay_text_and_look_the_same(text: str) -> None:
    """A text that looks like a formula is stored as text with the format Text, and nothing is put before it."""
    cell = opened(workbook(lines([text, None]))).active["A2"]
    assert (cell.value, cell.data_type, cell.number_format) == (text, "s", "@")


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (10**15, "1000000000000000"),
        (2**70, str(2**70)),
        (10**400, str(10**400)),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_that_a_spreadsheet_would_change_are_text(number: float, shown: str) -> None:
    """Integers of more than 15 digits and what is no finite number are written as text."""
    assert opened(workbook(lines([number, None]))).active["A2"].value == shown


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        ({"date": "1900-01-01"}, datetime(1900, 1, 1)),
        ({"date": "1900-02-28"}, datetime(1900, 2, 28)),
        ({"date": "1900-03-01"}, datetime(1900, 3, 1)),
        ({"date": "1899-12-31"}, "1899-12-31"),
        ({"datetime": "9999-12-31T23:59:59"}, datetime(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_dates_at_the_edges_of_the_calendar(packed: dict[str, str], value: object) -> None:
    """Dates follow Excel's 1900 system with its missing leap day; earlier ones stay text."""
    assert opened(workbook(lines([packed, None]))).active["A2"].value == value


def test_the_header_is_bold_frozen_and_filtered_below_the_preamble() -> None:
    """Rows that stood above the source's header stand above ours; pane and filter begin at the header."""
    head = Head(("Code", 2026), OUTCOME_TITLES["it"], preamble=(("Lista voucher",), ()), sheet="Foglio: 1/2")
    sheet = opened(workbook(lines(["A", "B"], ["C", "D"]), head=head)).active
    assert sheet["A1"].value == "Lista voucher"
    assert [cell.value for cell in sheet[3]] == ["Code", 2026, *OUTCOME_TITLES["it"]]
    assert sheet["A3"].font.bold
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.title) == ("A4", "A3:I5", "Foglio  1 2")
    assert sheet.column_dimensions["C"].width >= len("Esito: codice")


def test_elements_stand_in_the_order_of_the_schema() -> None:
    """sheetViews, cols, sheetData, autoFilter: Excel repairs a sheet that has them in another order."""
    root = ElementTree.fromstring(sheet_xml(workbook(lines(["A", "B"]))))
    assert [re.sub("{.*}", "", child.tag) for child in root] == ["sheetViews", "cols", "sheetData", "autoFilter"]


def test_short_rows_are_filled_up() -> None:
    """Outcome columns stand in their place although a row's last cells were blank and cut off."""
    sheet = opened(workbook([([], ISSUED), (["A"], ISSUED)])).active
    assert sheet["C2"].value == sheet["C3"].value == "issued"


def test_pieces_make_the_same_rows_as_one() -> None:
    """However the rows were cut, the sheet is the same, its check sum is right, and the ZIP is whole."""
    rows = lines(*[[f"A-{number}", "Rossi"] for number in range(1000)])
    whole = workbook(rows)
    cut = workbook(rows[:1], rows[1:700], [], rows[700:])
    assert zipfile.ZipFile(io.BytesIO(cut)).testzip() is None
    assert sheet_xml(whole) == sheet_xml(cut)


def test_a_table_without_rows_is_a_workbook() -> None:
    """No piece at all still makes a file that opens, with its header."""
    assert opened(workbook()).active["A1"].value == "Voucher code"


def test_more_rows_than_a_sheet_holds_go_to_further_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole pieces go to the next sheet, which has the header again."""
    monkeypatch.setattr(xlsx, "MOST_ROWS", 11)
    rows = lines(*[[f"A-{number}", "Rossi"] for number in range(25)])
    book = opened(workbook(rows[:5], rows[5:10], rows[10:15], rows[15:25]))
    assert book.sheetnames == ["Results", "Results 2", "Results 3"]
    assert [sheet.max_row for sheet in book] == [11, 6, 11]
    assert [sheet["A2"].value for sheet in book] == ["A-0", "A-10", "A-15"]
    assert all(sheet["A1"].value == "Voucher code" for sheet in book)


def test_a_changed_piece_is_noticed() -> None:
    """A piece with bytes missing stops the file."""
    piece = Xlsx().piece(lines(["A", "B"]), 2)
    with pytest.raises(ChangedPiece):
        list(Xlsx().assemble(HEAD, [(piece.facts, [piece.data[:-1]])], 2))


def test_a_sheet_beyond_four_gigabytes_has_zip64_sizes() -> None:
    """A piece that unpacks to 5 GiB, packed by hand: directory and header say the true size."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = b" " * (1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(8)) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(block * 8)
    facts = PieceFacts(crc, 8 << 20, len(packed), 1)
    data = b"".join(Xlsx().assemble(HEAD, [(facts, [packed])] * 640, 2))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("xl/worksheets/sheet1.xml")
        assert info.file_size > 5 << 30
        with archive.open(info) as member:  # reads the local header, whose sizes zipfile compares with the directory
            assert member.read(5) == b"<?xml"
    local = data.index(b"xl/worksheets/sheet1.xml")
    assert struct.unpack_from("<HHQQ", data, local + len("xl/worksheets/sheet1.xml"))[:3] == (1, 16, info.file_size)


@pytest.mark.parametrize("source", ["xlsx", "xlsm", "xls", "xlsb", "ods"])
def test_every_spreadsheet_comes_back_as_xlsx(source: str) -> None:
    """The formats that are read but not written come back as XLSX."""
    assert format_for(source).suffix == ".xlsx"

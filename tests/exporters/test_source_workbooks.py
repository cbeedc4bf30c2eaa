"""The same spreadsheet back: what stays, what is added, and what is refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from datetime import date, datetime
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from python_calamine import CalamineWorkbook

from config import children
from exporters.results import OUTCOME_TITLES, outcome_cells
from exporters.source_workbooks import CannotMark, add_outcomes

xlsxwriter: Any = import_module("xlsxwriter")  # it has no types
TITLES = OUTCOME_TITLES["en"]
ISSUED = outcome_cells(
    "issued", None, "en", license_number="KML-1", key="=k", sku="EDGE", quantity=1, valid_until=date(2027, 1, 2)
)
REJECTED = outcome_cells("unknown_voucher", None, "en")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A workbook with a title row, formats, widths, a filter, a drop-down, a comment and a second sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Lista"
    sheet.append(["Voucher di novembre"])
    sheet.merge_cells("A1:B1")
    sheet.append(["Codice", "Azienda"])
    sheet.append(["0012", "Rossi"])
    sheet.append(["0013", "=B3&1"])
    for cell in sheet[2]:
        cell.font = Font(bold=True, color="FFFF0000")
    sheet["A3"].number_format = "@"
    sheet["A3"].fill = PatternFill("solid", fgColor="FF00FF00")
    sheet["A3"].comment = Comment("mind this", "somebody")
    sheet.column_dimensions["A"].width = 33
    sheet.auto_filter.ref = "A2:B4"
    choice = DataValidation("list", formula1='"x,y"')
    choice.add("B3:B9")
    sheet.add_data_validation(choice)
    other = book.create_sheet("Altro")
    other["C3"] = "untouched"
    path = tmp_path / "source"
    book.save(path)
    return path


def marked(source: Path, target: Path, **changed: Any) -> Any:
    """The workbook with outcomes on rows 3 and 4."""
    settings: dict[str, Any] = {"sheet": "Lista", "header_row": 2, "first_column": 2, "titles": TITLES}
    add_outcomes(source, target, answers=[(3, ISSUED), (4, REJECTED)], **(settings | changed))
    return openpyxl.load_workbook(io.BytesIO(target.read_bytes()))


def test_outcomes_stand_behind_the_table(source: Path, tmp_path: Path) -> None:
    """Titles in the header's style, keys as text (whatever they look like), numbers and dates as such."""
    sheet = marked(source, tmp_path / "t.xlsx")["Lista"]
    assert [cell.value for cell in sheet[2]] == ["Codice", "Azienda", *TITLES]
    assert sheet["C2"].font.color.rgb == "FFFF0000"
    assert [cell.value for cell in sheet[3]][2:] == [
        "issued", "License issued.", "KML-1", "=k", "EDGE", 1, datetime(2027, 1, 2),
    ]  # fmt: skip
    assert (sheet["F3"].data_type, sheet["F3"].number_format) == ("s", "@")
    assert sheet["I3"].is_date
    assert sheet["C4"].value == "unknown_voucher"
    assert sheet["E4"].value is None


def test_everything_else_stays(source: Path, tmp_path: Path) -> None:
    """Cells, formats, widths, merged titles, comments, drop-downs, formulas and other sheets are as they were."""
    book = marked(source, tmp_path / "t.xlsx")
    sheet = book["Lista"]
    assert (sheet["A3"].value, sheet["A3"].number_format, sheet["A3"].fill.fgColor.rgb) == ("0012", "@", "FF00FF00")
    assert sheet["A3"].comment.text == "mind this"
    assert sheet.column_dimensions["A"].width == 33
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:B1"]
    assert sheet.data_validations.dataValidation[0].formula1 == '"x,y"'
    assert sheet["B4"].value == "=B3&1"
    assert book["Altro"]["C3"].value == "untouched"
    assert sheet.auto_filter.ref == "A2:I4"


def test_what_stands_beside_the_table_is_never_written_over(source: Path, tmp_path: Path) -> None:
    """Values or merged ranges right of the table move the outcomes further right; title rows above do not."""
    book = openpyxl.load_workbook(io.BytesIO(source.read_bytes()))
    book["Lista"]["F9"] = "a note"
    book["Lista"].merge_cells("F11:G11")
    book["Lista"]["K1"] = "above the header"
    book.save(source)
    sheet = marked(source, tmp_path / "t.xlsx")["Lista"]
    assert sheet["F9"].value == "a note"
    assert sheet["H2"].value == TITLES[0]


def test_values_of_formulas_stay_readable(tmp_path: Path) -> None:
    """A reader that does not calculate (ours, say) finds in the result what it found in the source."""
    path, target = tmp_path / "s", tmp_path / "t.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet, other = book.add_worksheet("Lista"), book.add_worksheet("Other")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, ["Code", "a", "b", "c", "d", "e"])
    sheet.write_formula("A2", '="KM"&"V"', None, "KMV & <co>")
    sheet.write_formula("B2", "=1+1", None, 2)
    sheet.write_formula("C2", "=TODAY()", day, 46000)
    sheet.write_formula("D2", "=TRUE()", None, True)
    sheet.write_formula("E2", "=1/0", None, "#DIV/0!")
    sheet.write_array_formula("F2:F2", "{=SUM(B2:B2)}", None, 2.5)
    other.write_formula("B7", "=Lista!B2", None, 2)
    book.close()
    add_outcomes(path, target, sheet="Lista", header_row=1, first_column=6, titles=TITLES, answers=[(2, ISSUED)])
    for name, columns in (("Lista", 6), ("Other", 2)):
        before, after = (
            CalamineWorkbook.from_path(str(file)).get_sheet_by_name(name).to_python()[-1][:columns]
            for file in (path, target)
        )
        assert before == after
        assert any(before)
    assert openpyxl.load_workbook(target)["Lista"]["A2"].value == '="KM"&"V"'


@pytest.mark.parametrize("stored", [(1, 3, 16_384), (1, 1, 5), (1, 10, 16_384), (1, 4, 6), (1, 2, 2)])
def test_column_entries_never_overlap(source: Path, tmp_path: Path, stored: tuple[int, int, int]) -> None:
    """Excel stores one width for many columns; beside ours, none are named twice (Excel would call that damage)."""
    _, first, last = stored
    book = openpyxl.load_workbook(io.BytesIO(source.read_bytes()))
    entry = book["Lista"].column_dimensions[get_column_letter(first)]
    entry.min, entry.max, entry.width = first, last, 7
    book.save(source)
    marked(source, tmp_path / "t.xlsx")
    xml = zipfile.ZipFile(tmp_path / "t.xlsx").read("xl/worksheets/sheet1.xml")
    spans = [
        (int(column.get("min", 0)), int(column.get("max", 0)), float(column.get("width", 0)))
        for column in ElementTree.fromstring(xml).iter("{http://schemas.openxmlformats.org/spreadsheetml/2006/main}col")
    ]
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert [width for low, high, width in spans if low <= 3 <= high] == [22]
    if last > 9:
        assert [width for low, high, width in spans if low <= 12 <= high] == [7]


def test_macros_stay(source: Path, tmp_path: Path) -> None:
    """A workbook with macros keeps them and is still one that Excel calls XLSM; one without is XLSX."""
    with_macros = tmp_path / "macros"
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(with_macros, "w") as after:
        for entry in before.infolist():
            after.writestr(entry, before.read(entry))
        after.writestr("xl/vbaProject.bin", b"macros")
    settings: dict[str, Any] = {"sheet": "Lista", "header_row": 2, "first_column": 2, "titles": TITLES, "answers": []}
    assert add_outcomes(with_macros, tmp_path / "t", **settings).suffix == ".xlsm"
    assert zipfile.ZipFile(tmp_path / "t").read("xl/vbaProject.bin") == b"macros"
    assert b"macroEnabled" in zipfile.ZipFile(tmp_path / "t").read("[Content_Types].xml")
    assert add_outcomes(source, tmp_path / "t2", **settings).suffix == ".xlsx"


def test_what_openpyxl_drops_is_told(tmp_path: Path) -> None:
    """Charts that are in the source and cannot be kept are named, for the manifest."""
    book = xlsxwriter.Workbook(tmp_path / "s")
    sheet = book.add_worksheet("Lista")
    sheet.write_row(0, 0, ["Code"])
    chart = book.add_chart({"type": "bar"})
    chart.add_series({"values": "=Lista!$A$1:$A$2"})
    sheet.insert_chart("D4", chart)
    book.close()
    settings: dict[str, Any] = {"sheet": "Lista", "header_row": 1, "first_column": 1, "titles": TITLES, "answers": []}
    assert add_outcomes(tmp_path / "s", tmp_path / "t", **settings).lost == ("charts",)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"not a workbook"])
def test_a_workbook_that_cannot_be_opened_is_refused(content: bytes, tmp_path: Path) -> None:
    """CannotMark, in two languages: the caller writes a plain file."""
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(CannotMark) as problem:
        marked(tmp_path / "s", tmp_path / "t")
    assert "values only" in problem.value.en
    assert "solo i valori" in problem.value.it


def test_a_sheet_that_is_not_there_is_refused(source: Path, tmp_path: Path) -> None:
    """CannotMark rather than outcomes on a wrong sheet."""
    with pytest.raises(CannotMark, match="no sheet 'Foglio9'"):
        marked(source, tmp_path / "t", sheet="Foglio9")


def run_child(request: dict[str, Any]) -> dict[str, Any]:
    """The answer of the child process."""
    return children.run(
        "jobs.children.workbooks",
        request,
        memory_bytes=1 << 30,
        cpu_seconds=60,
        wall_seconds=60,
        on_block=lambda _: None,
    )


def test_the_child_writes_outcomes(source: Path, tmp_path: Path) -> None:
    """The child takes its answers from a file of JSON lines, and says what it wrote or why it refuses."""
    answers = tmp_path / "answers"
    answers.write_text("".join(json.dumps([row, cells]) + "\n" for row, cells in ((3, ISSUED), (4, REJECTED))))
    request = {
        "task": "outcomes", "source": str(source), "target": str(tmp_path / "t.xlsx"), "answers": str(answers),
        "sheet": "Lista", "header_row": 2, "first_column": 2, "titles": TITLES,
    }  # fmt: skip
    result = run_child(request)
    assert (result["rows"], result["first_column"], result["suffix"], result["lost"]) == (2, 2, ".xlsx", [])
    assert openpyxl.load_workbook(tmp_path / "t.xlsx")["Lista"]["C4"].value == "unknown_voucher"
    assert run_child(request | {"sheet": "none"})["refused"]["code"] == "cannot_mark"


def test_the_child_is_light_until_it_works() -> None:
    """Its module imports no spreadsheet library: the limits on memory come first."""
    program = "import sys, jobs.children.workbooks; assert not {'openpyxl', 'pandas', 'isal'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)

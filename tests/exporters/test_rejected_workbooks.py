"""Rejected rows as a workbook: marked, noted, and ready to be sent again."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Font
from python_calamine import CalamineWorkbook

from config import children
from exporters.rejected_workbooks import Answer, mark_rejected
from exporters.results import REASON_TITLE
from licensing.cells import PackedCell

CELLS: list[PackedCell] = ["0012", "=Rossi", 5, {"date": "2026-12-31"}, {"unreadable": "#N/A"}]
ANSWERS: list[Answer] = [
    (3, CELLS, "Two things are wrong.", [(0, "No such code."), (0, "And mistyped."), (4, "An error.")]),
    (7, ["0013"], "The row as a whole.", [(None, "The row as a whole.")]),
]
SETTINGS: dict[str, Any] = {
    "sheet": "Lista", "header_row": 2, "titles": ("Codice", "Azienda", "Q", "Data"), "width": 5,
    "reason_title": REASON_TITLE["it"],
}  # fmt: skip


def written(tmp_path: Path, source: Path | None = None, answers: list[Answer] = ANSWERS, **changed: Any) -> Any:
    """The sheet that openpyxl reads."""
    mark_rejected(source, tmp_path / "t.xlsx", answers=answers, **(SETTINGS | changed))
    return openpyxl.load_workbook(tmp_path / "t.xlsx").worksheets[0]


def test_only_the_rejected_rows_are_there(tmp_path: Path) -> None:
    """Header, then the rejected rows as they were read, then what to mend."""
    sheet = written(tmp_path)
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows == [
        ["Codice", "Azienda", "Q", "Data", None, "Esito: cosa correggere"],
        ["0012", "=Rossi", 5, datetime(2026, 12, 31), "#N/A", "Two things are wrong."],
        ["0013", None, None, None, None, "The row as a whole."],
    ]
    assert (sheet.freeze_panes, sheet.title) == ("A2", "Lista")


def test_faulty_cells_are_filled_and_noted(tmp_path: Path) -> None:
    """Every sentence of a cell is in its note; cells without a fault have neither."""
    sheet = written(tmp_path)
    assert sheet["A2"].comment.text == "No such code.\nAnd mistyped."
    assert sheet["E2"].comment.text == "An error."
    marked = {
        cell.coordinate for row in sheet.iter_rows(min_row=2) for cell in row if cell.fill.fgColor.rgb == "FFFFC7CE"
    }
    assert marked == {"A2", "E2"} == {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment}


def test_text_stays_text_when_it_is_mended(tmp_path: Path) -> None:
    """Text cells have the format Text, so that a corrected code keeps its zeros, and formulas are not run."""
    sheet = written(tmp_path)
    assert [sheet[place].number_format for place in ("A2", "B2", "A3")] == ["@", "@", "@"]
    assert sheet["B2"].data_type == "s"
    assert sheet["E2"].data_type == "e"


def test_our_reader_reads_it_again(tmp_path: Path) -> None:
    """The reader that Keymill uses finds header and cells; our column is one more that it does not know."""
    written(tmp_path)
    read = CalamineWorkbook.from_path(str(tmp_path / "t.xlsx")).get_sheet_by_index(0).to_python()
    assert read[0][0] == "Codice"
    assert read[1][:3] == ["0012", "=Rossi", 5.0]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A workbook with formats of its own."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Lista"
    sheet["A2"].font = Font(italic=True)
    sheet["A2"] = "Codice"
    for row in (3, 7):
        sheet.cell(row, 1, "0012").font = Font(name="Courier New", bold=True)
        sheet.cell(row, 4, datetime(2026, 12, 31)).number_format = "dd/mm/yyyy"
    sheet.column_dimensions["B"].width = 47
    book.save(tmp_path / "s")
    return tmp_path / "s"


def test_formats_of_the_source_are_taken_over(source: Path, tmp_path: Path) -> None:
    """Fonts, number formats and widths are those of the cells that the rows came from."""
    sheet = written(tmp_path, source)
    assert sheet["A1"].font.italic
    assert (sheet["A2"].font.name, sheet["A2"].font.bold, sheet["A2"].number_format) == ("Courier New", True, "@")
    assert sheet["D2"].number_format == "dd/mm/yyyy"
    assert sheet.column_dimensions["B"].width == 47
    assert sheet["A2"].fill.fgColor.rgb == "FFFFC7CE"


def test_a_source_that_cannot_be_opened_does_no_harm(tmp_path: Path) -> None:
    """The rows come all the same, without its formats."""
    (tmp_path / "s").write_bytes(b"no workbook")
    assert written(tmp_path, tmp_path / "s")["A2"].value == "0012"


def test_a_list_without_header_has_none(tmp_path: Path) -> None:
    """Rows begin in the first line, as in the list that was sent."""
    sheet = written(tmp_path, titles=(), header_row=0, width=1, answers=[(1, ["CODE-1"], "Why.", [(0, "Why.")])])
    assert [cell.value for cell in sheet[1]] == ["CODE-1", "Why."]


def test_the_child_writes_rejected_rows(tmp_path: Path) -> None:
    """The child does the same from a file of JSON lines."""
    (tmp_path / "answers").write_text("".join(json.dumps(answer) + "\n" for answer in ANSWERS))
    request = SETTINGS | {
        "task": "rejected", "source": None, "target": str(tmp_path / "t.xlsx"), "answers": str(tmp_path / "answers"),
    }  # fmt: skip
    result = children.run(
        "jobs.children.workbooks",
        request,
        memory_bytes=1 << 30,
        cpu_seconds=60,
        wall_seconds=60,
        on_block=lambda _: None,
    )
    assert result["rows"] == 2
    assert (
        openpyxl.load_workbook(tmp_path / "t.xlsx").worksheets[0]["A2"].comment.text == "No such code.\nAnd mistyped."
    )

"""The workbook of a reconciliation, read back with openpyxl."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils import range_boundaries

from exporters.statement_workbooks import MOST_CHARTS, Listed, StatementBook, Total
from exporters.statements import ReportedContract
from licensing.fields import Language
from tests.exporters.reported import UNTIL, contract, line

NAMES = ["=HYPERLINK(1)", "FC/1", "fc 1", "A" * 64, "A" * 63 + "B", "a<&>'b"]


def made(path: Path, contracts: list[ReportedContract], language: Language = "en", count: int = 0) -> Any:
    """The workbook of contracts, as openpyxl reads it."""
    listed = [
        Listed(one.code, one.customer_number, one.customer, line.sku, line.currency, entry)
        for one in contracts
        for line, entry in one.rows()
    ]
    book = StatementBook(language, issuer="Vendor")
    totals = [Total("EUR", len(listed), Decimal("12.5"), Decimal(0), Decimal("1234.5"))]
    codes = [one.code for one in contracts]
    book.summarize("Batch 7", totals, listed, count=count or len(listed), contracts=codes, remarks=("A remark.",))
    for one in contracts:
        book.add(one)
    book.save(path)
    return openpyxl.load_workbook(path)


def values(sheet: Any) -> list[list[Any]]:
    """All cells."""
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def references(chart: Any) -> list[str]:
    """The cells of a chart's series: days or names first, then each series' title and values."""
    found = [chart.series[0].cat.numRef.f if chart.series[0].cat.numRef else chart.series[0].cat.strRef.f]
    return found + [part for series in chart.series for part in (series.tx.strRef.f, series.val.numRef.f)]


def cells(book: Any, reference: str) -> list[Any]:
    """The values that a reference names."""
    name, _, area = reference.rpartition("!")
    left, top, right, bottom = range_boundaries(area.replace("$", ""))
    sheet = book[name.strip("'").replace("''", "'")]
    assert left and top and right and bottom
    return [cell for row in sheet.iter_rows(top, bottom, left, right, values_only=True) for cell in row]


def test_the_summary_has_sums_a_list_and_a_chart(tmp_path: Path) -> None:
    """Totals by currency, the first statements with links to their sheets, committed against used as bars."""
    book = made(tmp_path / "b.xlsx", [contract()])
    sheet = book["Summary"]
    rows = values(sheet)
    assert rows[0][0] == "Reconciliation of contracts" and "A remark." in [row[0] for row in rows]
    assert ["EUR", 5, 12.5, 0, 1234.5] in [row[:5] for row in rows]
    top = next(place for place, row in enumerate(rows, 1) if row[0] == "FC-1")
    assert sheet.cell(top, 1).hyperlink.location == "'FC-1'!A1"
    (chart,) = sheet._charts
    names, _, committed, _, used = references(chart)
    assert cells(book, names) == ["FC-1 · CAD"] * 5
    assert cells(book, committed) == [100, 100, 100, 120, 120]
    assert cells(book, used) == [float(entry.used) for entry in contract().lines[0].entries]


def test_the_list_can_be_filtered_and_says_when_it_is_cut(tmp_path: Path) -> None:
    """Titles stay in view; what is not listed is told with where it stands."""
    sheet = made(tmp_path / "b.xlsx", [contract()])["Statements"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("C2", "A1:R6")
    assert [cell.value for cell in sheet[1]][:3] == ["Attention", "Contract", "Customer no."]
    assert [cell.value for cell in sheet["A"]][1:] == [
        None, "owed, adjusted", "owed, reports missing", "owed", "owed",
    ]  # fmt: skip
    cut = made(tmp_path / "b.xlsx", [contract()], count=2001)["Statements"]
    assert (
        cut["A1"].value
        == "5 of 2,001 statements, those to be looked at first; all of them are in the CSV and JSON files."
    )
    assert (cut.freeze_panes, cut.auto_filter.ref) == ("C3", "A2:R7")


def test_a_contract_has_its_statements_as_numbers_and_days(tmp_path: Path) -> None:
    """Quantities, sums and days are no text; the replaced statement names the one that holds; it prints on a page."""
    sheet = made(tmp_path / "b.xlsx", [contract()])["FC-1"]
    rows = values(sheet)
    assert rows[0][0] == "FC-1  ·  ACME" and rows[2][0] == "Back to the summary"
    entries = contract().lines[0].entries
    for row, entry in zip(rows[5:10], entries, strict=True):
        assert row[1:5] == [
            datetime(entry.starts.year, entry.starts.month, entry.starts.day),
            datetime(entry.ends.year, entry.ends.month, entry.ends.day),
            entry.state,
            entry.committed,
        ]
        assert (row[9], row[10], row[11], row[15]) == (float(entry.over), float(entry.owed), "EUR", entry.number)
    assert (rows[5][14], rows[6][14]) == ("replaced: 51", "owed, adjusted")
    assert (sheet["K7"].number_format, sheet["B7"].number_format) == ('#,##0.00;-#,##0.00;"–"', "d\\ mmm\\ yyyy")
    assert (sheet.freeze_panes, sheet.page_setup.fitToWidth, sheet.sheet_properties.pageSetUpPr.fitToPage) == (
        "A6", 1, True,
    )  # fmt: skip
    assert sheet.print_title_rows == "$5:$5" and sheet.print_area.startswith("'FC-1'!$A$1:$P$")


def test_each_line_has_a_chart_of_what_its_cells_say(tmp_path: Path) -> None:
    """Days, committed with the amendment, used with a hole where nothing was reported; allowed where it is more."""
    lines = [contract().lines[0], line("PLM", first_number=100)]
    book = made(tmp_path / "b.xlsx", [contract(lines)])
    with_growth, plain = book["FC-1"]._charts
    assert (len(with_growth.series), len(plain.series)) == (3, 2)
    days, *_, committed_title, committed, used_title, used = references(with_growth)
    shown = [moment.date() for moment in cells(book, days)]
    points = lines[0].points()
    assert shown == [point.day for point in points] and shown[0] == date(2026, 1, 1) and len(shown) == 47
    assert (cells(book, committed_title), cells(book, used_title)) == (["Committed"], ["Used"])
    assert cells(book, committed) == [point.committed for point in points]
    assert {100, 120} == set(cells(book, committed))
    assert cells(book, used) == [None if point.used is None else float(point.used) for point in points]
    assert None in cells(book, used) and with_growth.display_blanks == "gap"
    many = [line(f"P{number:02}", first_number=10 * number) for number in range(MOST_CHARTS + 3)]
    assert len(made(tmp_path / "b.xlsx", [contract(many)])["FC-1"]._charts) == MOST_CHARTS


def test_names_are_text_and_sheets_have_names_of_their_own(tmp_path: Path) -> None:
    """Whatever a contract is called: no formula, no forbidden character; links and charts find their sheets."""
    book = made(tmp_path / "b.xlsx", [contract(code=name, customer=f"={name}") for name in NAMES])
    assert len(book.sheetnames) == 2 + len(NAMES) == len({name.casefold() for name in book.sheetnames})
    for sheet in book.worksheets:
        assert [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"] == []
    listed = {row[1].value: row[1].hyperlink.location for row in book["Statements"].iter_rows(min_row=2)}
    for name, location in listed.items():
        sheet = book[location.rpartition("!")[0].strip("'").replace("''", "'")]
        assert sheet["A1"].value == f"{name}  ·  ={name}"
        assert all(cells(book, reference) for reference in references(sheet._charts[0]))
    assert set(listed) == set(NAMES)


def test_it_speaks_italian(tmp_path: Path) -> None:
    """Sheets and titles in the reader's language."""
    book = made(tmp_path / "b.xlsx", [contract()], "it")
    assert book.sheetnames == ["Riepilogo", "Estratti", "FC-1"]
    assert [cell.value for cell in book["FC-1"][5]][:4] == ["Prodotto", "Dal", "Al", "Stato"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """No time of its making is anywhere in it; the list of content types comes first."""
    for name in ("a.xlsx", "b.xlsx"):
        made(tmp_path / name, [contract()])
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        assert archive.namelist()[0] == "[Content_Types].xml"
        assert str(UNTIL.year + 1) not in archive.read("docProps/core.xml").decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xlsx", "b.xlsx"]

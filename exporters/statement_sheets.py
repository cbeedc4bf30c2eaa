"""A sheet of a report's workbook, written row by row: what its cells look like, its charts, how it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.chart import Reference
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, ParagraphProperties
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.page import PageMargins

from exporters.xlsx_cells import escaped, storable

AMOUNT, _DAY = '#,##0.00;-#,##0.00;"–"', "d\\ mmm\\ yyyy"
_WHOLE, _BROKEN = '#,##0;-#,##0;"–"', "#,##0.00"
INK, MUTED, BLUE, RED = "FF1D2733", "FF66727F", "FF2F6DB3", "FFC8372D"
_FONT = "Calibri"
_A4 = 9
_TITLE_FILL, _TITLE_LINE = PatternFill("solid", fgColor="FFEEF3F8"), Border(bottom=Side("medium", color=INK))
_DAY_ZERO = date(1899, 12, 30).toordinal()


class _Look(NamedTuple):
    """What a cell looks like."""

    form: str = "General"
    size: float = 11
    bold: bool = False
    color: str = INK
    is_right: bool = False
    is_title: bool = False


@lru_cache
def _look(size: float, bold: bool, color: str) -> _Look:
    return _Look(size=size, bold=bold, color=color)


@lru_cache
def _figure(form: str, alarm: bool) -> _Look:
    return _Look(form, bold=alarm, color=RED if alarm else INK, is_right=True)


_DAY_LOOK = _Look(form=_DAY)
_TITLE = _Look(bold=True, is_title=True)
_RIGHT_TITLE = _TITLE._replace(is_right=True)


class Link(NamedTuple):
    """A cell that leads to another sheet."""

    cell: str
    location: str
    text: str


Cell = str | Link | None


class Sheet:
    """A sheet whose rows are written as XML, while openpyxl knows its styles, charts and everything around the rows.

    A cell by openpyxl took 18 times as long, and the list has 36,000 of them.
    """

    def __init__(self, book: Workbook, name: str) -> None:
        self._page: Any = book.create_sheet(name)
        self._styles: dict[_Look, int] = {}
        self._written: dict[Any, str] = {}  # cells by what was asked for: most of a list's say what others say
        self._rows: list[str] = []
        self._links: list[str] = []

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self._rows)

    def filled(self, part: bytes) -> bytes:
        """The sheet's part as openpyxl wrote it, with the rows in it."""
        rows = f"<sheetData>{''.join(self._rows)}</sheetData>".encode()
        before, found, after = re.split(rb"(<sheetData\s*/>|<sheetData></sheetData>)", part, maxsplit=1)
        assert found
        if self._links:
            links = f"<hyperlinks>{''.join(self._links)}</hyperlinks><pageMargins".encode()
            after = after.replace(b"<pageMargins", links, 1)
        return before + rows + after

    def begin(self, widths: Sequence[float], *, freeze: str = "", titles: str = "") -> None:
        """Widths, panes and how it is printed: on the width of one page."""
        page = self._page
        for column, width in enumerate(widths, 1):
            page.column_dimensions[get_column_letter(column)].width = width
        if freeze:
            page.freeze_panes = freeze
        page.sheet_view.showGridLines = False
        page.page_setup.orientation, page.page_setup.paperSize = "landscape", _A4
        page.sheet_properties.pageSetUpPr.fitToPage = True
        page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
        page.page_margins = PageMargins(0.4, 0.4, 0.5, 0.5, 0.3, 0.3)
        page.oddFooter.left.text, page.oddFooter.right.text = "&A", "&P / &N"
        if titles:
            page.print_title_rows = titles

    def row(self, cells: Sequence[Cell], *, height: float | None = None) -> None:
        """One row."""
        number = len(self._rows) + 1
        tall = "" if height is None else f' ht="{height}" customHeight="1"'
        try:
            written = "".join(cells)  # type: ignore[arg-type]
        except TypeError:  # some are empty, or lead to another sheet
            written = "".join([self._plain(cell, column, number) for column, cell in enumerate(cells, 1)])
        self._rows.append(f'<row r="{number}"{tall}>{written}</row>')

    def _plain(self, cell: Cell, column: int, row: int) -> str:
        if isinstance(cell, Link):
            place = f"{get_column_letter(column)}{row}"
            self._links.append(
                f'<hyperlink ref="{place}" location={quoteattr(cell.location)} display={quoteattr(cell.text)}/>'
            )
            return cell.cell
        return cell or "<c/>"

    def header(self, titles: Sequence[str], numbers: Iterable[int] = ()) -> None:
        """The titles of a table, those of numbers at the right."""
        right = set(numbers)
        looks = (_RIGHT_TITLE if place in right else _TITLE for place in range(len(titles)))
        self.row([self._text(title, look) for title, look in zip(titles, looks, strict=True)], height=30)

    def text(self, text: str, *, size: float = 11, bold: bool = False, color: str = INK, alarm: bool = False) -> Cell:
        """A cell of text, whatever it looks like."""
        asked = text, size, bold, color, alarm
        if asked not in self._written:
            self._written[asked] = self._text(text, _look(size, bold, RED if alarm else color))
        return self._written[asked]

    def link(self, text: str, sheet: str) -> Cell:
        """A cell that leads to another sheet."""
        return Link(self._text(text, _look(11, False, BLUE)), f"{quote_sheetname(sheet)}!A1", storable(text))

    def number(self, value: Decimal | int | None, form: str = "", *, alarm: bool = False) -> Cell:
        """A cell with a number, of a quantity where no form is given; none for None."""
        if value is None:
            return None
        asked = value, form, alarm
        if asked not in self._written:
            look = _figure(form or (_WHOLE if value == int(value) else _BROKEN), alarm)
            self._written[asked] = f'<c s="{self._style(look)}"><v>{value}</v></c>'
        return self._written[asked]

    def day(self, value: date | None) -> Cell:
        """A cell with a day; none for None."""
        if value is None:
            return None
        if value not in self._written:
            self._written[value] = f'<c s="{self._style(_DAY_LOOK)}"><v>{value.toordinal() - _DAY_ZERO}</v></c>'
        return self._written[value]

    def _text(self, text: str, look: _Look) -> str:
        style = self._style(look)
        if not text:
            return f'<c s="{style}"/>'
        return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{escaped(text)}</t></is></c>'

    def _style(self, look: _Look) -> int:
        """The number of a look among the formats of the workbook."""
        if look not in self._styles:
            cell: Any = WriteOnlyCell(self._page)
            cell.font = Font(_FONT, look.size, bold=look.bold, color=look.color)
            side, indent = ("right", 0) if look.is_right else ("left", 1)
            cell.alignment = Alignment(side, "center", wrap_text=look.is_title or None, indent=indent)
            cell.number_format = look.form
            if look.is_title:
                cell.fill, cell.border = _TITLE_FILL, _TITLE_LINE
            self._styles[look] = cell.style_id
        return self._styles[look]

    def area(self, left: int, top: int, right: int, bottom: int) -> Reference:
        """Cells for a chart to show."""
        return Reference(self._page, left, top, right, bottom)

    def chart(self, chart: Any, title: str, columns: tuple[int, int], rows: tuple[int, int]) -> None:
        """Put a chart over some columns and rows (both ends included, from 1)."""
        chart.title = storable(title)
        for paragraph in chart.title.tx.rich.p:
            paragraph.pPr = ParagraphProperties(defRPr=CharacterProperties(sz=1100, b=True, solidFill=INK[2:]))
        chart.legend.position = "b"
        chart.x_axis.delete = chart.y_axis.delete = False  # some readers leave the axes out otherwise
        chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=None)
        chart.y_axis.majorGridlines.spPr.line.solidFill = "D9DFE5"
        chart.y_axis.number_format = "#,##0"
        corners = (AnchorMarker(columns[0] - 1, 0, rows[0] - 1, 0), AnchorMarker(columns[1], 0, rows[1], 0))
        self._page.add_chart(chart, TwoCellAnchor(None, *corners))

    def filter(self, area: str) -> None:
        """Arrows to filter by."""
        self._page.auto_filter.ref = area

    def print_area(self, area: str) -> None:
        """What is printed."""
        self._page.print_area = area

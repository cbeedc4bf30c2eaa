"""A sheet of a report's workbook, written row by row: what its cells look like, its charts, how it is printed."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.chart import Reference
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, ParagraphProperties
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.page import PageMargins

from exporters.xlsx_cells import storable

AMOUNT, _DAY = '#,##0.00;-#,##0.00;"–"', "d\\ mmm\\ yyyy"
_WHOLE, _BROKEN = '#,##0;-#,##0;"–"', "#,##0.00"
INK, MUTED, BLUE, RED = "FF1D2733", "FF66727F", "FF2F6DB3", "FFC8372D"
_FONT = "Calibri"
_A4 = 9
_TITLE_FILL, _TITLE_LINE = PatternFill("solid", fgColor="FFEEF3F8"), Border(bottom=Side("medium", color=INK))
_LEFT, _RIGHT = Alignment("left", "center", indent=1), Alignment("right", "center")


class _Look(NamedTuple):
    """What a cell looks like."""

    form: str = "General"
    size: float = 11
    bold: bool = False
    color: str = INK
    align: Alignment = _LEFT
    is_title: bool = False


_TITLE = _Look(bold=True, align=Alignment("left", "center", wrap_text=True, indent=1), is_title=True)
_RIGHT_TITLE = _TITLE._replace(align=Alignment("right", "center", wrap_text=True))


class Sheet:
    """A sheet that is written row by row, and the styles of its cells."""

    def __init__(self, book: Workbook, name: str) -> None:
        self._page: Any = book.create_sheet(name)
        self._styles: dict[_Look, Any] = {}
        self.rows = 0

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

    def row(self, cells: Sequence[Any], *, height: float | None = None) -> None:
        """One row."""
        self.rows += 1
        if height is not None:
            self._page.row_dimensions[self.rows].height = height
        self._page.append(cells)

    def header(self, titles: Sequence[str], numbers: Iterable[int] = ()) -> None:
        """The titles of a table, those of numbers at the right."""
        right = set(numbers)
        looks = (_RIGHT_TITLE if place in right else _TITLE for place in range(len(titles)))
        self.row([self._text(title, look) for title, look in zip(titles, looks, strict=True)], height=30)

    def text(self, text: str, *, size: float = 11, bold: bool = False, color: str = INK, alarm: bool = False) -> Any:
        """A cell of text, whatever it looks like."""
        return self._text(text, _Look(size=size, bold=bold, color=RED if alarm else color, align=_LEFT))

    def link(self, text: str, sheet: str) -> Any:
        """A cell that leads to another sheet."""
        cell = self.text(text, color=BLUE)
        cell.hyperlink = Hyperlink(ref="", location=f"{quote_sheetname(sheet)}!A1", display=storable(text))
        return cell

    def number(self, value: Decimal | int | None, form: str = "", *, alarm: bool = False) -> Any:
        """A cell with a number, of a quantity where no form is given; none for None."""
        if value is None:
            return None
        look = _Look(form=form or (_WHOLE if value == int(value) else _BROKEN), align=_RIGHT)
        return self._cell(value, look._replace(bold=True, color=RED) if alarm else look)

    def day(self, value: date | None) -> Any:
        """A cell with a day; none for None."""
        return None if value is None else self._cell(value, _Look(form=_DAY, align=_LEFT))

    def _text(self, text: str, look: _Look) -> Any:
        cell = self._cell(None, look)
        cell.value = storable(text)
        cell.data_type = "s"  # or openpyxl would take it for a formula
        return cell

    def _cell(self, value: Any, look: _Look) -> Any:
        """A cell with a look, each of which is worked out once: that is most of the work."""
        cell: Any = WriteOnlyCell(self._page, value)
        if look not in self._styles:
            cell.font, cell.alignment = Font(_FONT, look.size, bold=look.bold, color=look.color), look.align
            cell.number_format = look.form
            if look.is_title:
                cell.fill, cell.border = _TITLE_FILL, _TITLE_LINE
            self._styles[look] = cell._style
        cell._style = copy.copy(self._styles[look])
        return cell

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

"""The same spreadsheet back: the source workbook with outcome columns added, everything else as openpyxl keeps it.

Runs in a child process (``jobs/children/workbooks.py``): openpyxl holds the whole workbook, of a stranger's making.
"""

from __future__ import annotations

import copy
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.styles.cell_style import StyleArray
from openpyxl.utils import get_column_letter
from openpyxl.utils.cell import range_boundaries
from openpyxl.worksheet.dimensions import ColumnDimension
from openpyxl.worksheet.worksheet import Worksheet

from exporters.formula_values import keep_formula_values
from exporters.xlsx_cells import ERRORS, storable
from licensing.cells import PackedCell, Unreadable, unpack

_LAST_COLUMN = 16_384
_WIDTHS = (22, 44, 30, 40, 20, 12, 16)  # of the outcome columns
# Parts that openpyxl does not write again, and how to call them.
_LOST = (
    ("xl/charts/", "charts"),
    ("xl/media/", "pictures"),
    ("xl/ctrlProps/", "form controls"),
    ("xl/activeX/", "controls"),
    ("xl/slicers/", "slicers"),
    ("xl/threadedComments/", "threaded comments"),
    ("xl/diagrams/", "diagrams"),
)


class CannotMark(Exception):
    """The workbook cannot be opened and written again: the caller writes a plain file instead."""

    code = "cannot_mark"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.en = f"The source workbook could not be written again, so this file has its values only ({reason})."
        self.it = f"Non è stato possibile riscrivere il file originale: questo ne contiene solo i valori ({reason})."


@dataclass(frozen=True, slots=True)
class Marked:
    """What was written: rows, the zero-based column of the first outcome, and what of the workbook was lost.

    ``suffix`` is the ending that Excel asks for: it opens no workbook without macros that is called XLSM.
    """

    rows: int
    first_column: int
    suffix: str = ".xlsx"
    lost: tuple[str, ...] = ()


def open_source(path: Path, *, with_macros: bool) -> tuple[Workbook, tuple[str, ...]]:
    """A workbook with everything that openpyxl keeps, and the names of what it does not. Raises :class:`CannotMark`.

    One with macros has an archive of them that is to be closed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        with warnings.catch_warnings(record=True) as told, path.open("rb") as file:
            warnings.simplefilter("always")
            book = load_workbook(file, keep_vba=with_macros and "xl/vbaProject.bin" in names, rich_text=True)
    except Exception as error:  # whatever a stranger's file makes openpyxl raise
        raise CannotMark(f"{type(error).__name__}: {error}"[:200]) from error
    lost = {name for start, name in _LOST if any(part.startswith(start) for part in names)}
    lost |= {str(warning.message) for warning in told if "will be removed" in str(warning.message)}
    return book, tuple(sorted(lost))


def sheet_of(book: Workbook, name: str) -> Worksheet:
    """A sheet by its name. Raises :class:`CannotMark`."""
    sheet = book[name] if name in book.sheetnames else None
    if not isinstance(sheet, Worksheet):
        raise CannotMark(f"no sheet {name!r}")
    return sheet


def add_outcomes(
    source: Path,
    target: Path,
    *,
    sheet: str,
    header_row: int,
    first_column: int,
    titles: Sequence[str],
    answers: Iterable[tuple[int, Sequence[PackedCell]]],
) -> Marked:
    """Write the source workbook with outcome columns behind the table.

    ``header_row`` and the rows of ``answers`` count from 1 as the sheet does (0: no header); ``first_column`` counts
    from 0 and is where the outcomes begin, or further right where something stands already.
    """
    book, lost = open_source(source, with_macros=True)
    with book.vba_archive or nullcontext():  # openpyxl would leave it open
        page = sheet_of(book, sheet)
        start = max(first_column + 1, _last_used_column(page, header_row) + 1)
        if start + len(titles) - 1 > _LAST_COLUMN:
            raise CannotMark("no columns left")
        _make_room(page, start, len(titles))
        if header_row:
            _add_titles(page, header_row, start, titles)
        writer = CellWriter(page)
        count = 0
        for row, cells in answers:
            for column, packed in enumerate(cells, start):
                if packed is not None:
                    writer.write(page.cell(row, column), packed)
            count += 1
        _extend_filter(page, header_row, start, len(titles))
        try:
            book.save(target)
            keep_formula_values(source, target, book)
        except Exception as error:  # a part that openpyxl read and cannot write
            raise CannotMark(f"{type(error).__name__}: {error}"[:200]) from error
        return Marked(count, start - 1, ".xlsm" if book.vba_archive else ".xlsx", lost)


class CellWriter:
    """Puts packed cells into a sheet: text as text whatever it looks like, each sort with its number format."""

    def __init__(self, sheet: Worksheet) -> None:
        self._sheet = sheet
        self._styles: dict[str, StyleArray] = {}

    def write(self, cell: Any, packed: PackedCell, *, styled: bool = True) -> None:
        """Fill one cell. ``styled``: give it the number format of its sort."""
        value: Any = unpack(packed)
        is_error = isinstance(value, Unreadable) and value.shown in ERRORS
        if isinstance(value, Unreadable):
            value = value.shown
        if isinstance(value, str):
            cell.value = storable(value)
            cell.data_type = "e" if is_error else "s"  # or openpyxl would take it for a formula
            if styled:
                cell._style = self._text_style(cell)
        else:
            cell.value = value  # dates get a number format from openpyxl

    def _text_style(self, cell: Any) -> StyleArray:
        if "@" not in self._styles:
            cell.number_format = "@"
            self._styles["@"] = copy.copy(cell._style)
        return copy.copy(self._styles["@"])


def _last_used_column(sheet: Worksheet, header_row: int) -> int:
    """The last column that holds anything from the header down: a value, or a part of a merged range."""
    used = [column for (row, column), cell in sheet._cells.items() if row >= header_row and cell.value is not None]
    used += [area.max_col for area in sheet.merged_cells.ranges if area.max_row >= header_row]
    return max(used, default=0)


def span(entry: ColumnDimension) -> tuple[int, int]:
    """The first and the last column that an entry of widths is about."""
    entry.reindex()
    assert entry.min is not None
    assert entry.max is not None
    return entry.min, entry.max


def _make_room(sheet: Worksheet, start: int, count: int) -> None:
    """Give the new columns widths. Excel writes one entry for many columns; entries that overlap would be damage."""
    end = start + count - 1
    for letter, entry in list(sheet.column_dimensions.items()):
        first, last = span(entry)
        if last < start or first > end:
            continue
        if last > end:
            rest = copy.copy(entry)
            beyond = get_column_letter(end + 1)
            rest.index, rest.min, rest.max = beyond, end + 1, last
            sheet.column_dimensions[beyond] = rest
        if first < start:
            entry.max = start - 1
        else:
            del sheet.column_dimensions[letter]
    for number in range(count):
        letter = get_column_letter(start + number)
        width = _WIDTHS[number % len(_WIDTHS)]
        sheet.column_dimensions[letter] = ColumnDimension(sheet, index=letter, width=width, customWidth=True)


def _add_titles(sheet: Worksheet, header_row: int, start: int, titles: Sequence[str]) -> None:
    """The outcome titles, in the style of the header."""
    styled: list[Any] = [
        cell for (row, _), cell in sorted(sheet._cells.items()) if row == header_row and cell.value is not None
    ]
    for column, title in enumerate(titles, start):
        cell: Any = sheet.cell(header_row, column, title)
        if styled and styled[-1].has_style:
            cell._style = copy.copy(styled[-1]._style)


def _extend_filter(sheet: Worksheet, header_row: int, start: int, count: int) -> None:
    """A filter that reaches to the last column of the table reaches over the outcomes, too."""
    if not sheet.auto_filter.ref or not header_row:
        return
    left, top, right, bottom = range_boundaries(sheet.auto_filter.ref)
    if left and top == header_row and right == start - 1:
        reach = f"{get_column_letter(left)}{top}:{get_column_letter(start + count - 1)}{bottom}"
        sheet.auto_filter.ref = reach

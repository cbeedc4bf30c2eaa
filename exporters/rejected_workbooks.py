"""The rows that were rejected as a workbook of their own: faulty cells filled and noted, ready to be mended and sent.

Values are those that were read, formats those of the source workbook where there is one. Written row by row.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.styles.cell_style import StyleArray
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from exporters.source_workbooks import CannotMark, CellWriter, Marked, open_source, sheet_of, span
from exporters.xlsx_cells import storable
from exporters.xlsx_parts import sheet_name
from licensing.cells import PackedCell

Fault = tuple[int | None, str]  # zero-based column (None: the row as a whole), sentence
Answer = tuple[int, Sequence[PackedCell], str, Sequence[Fault]]  # row of the source, cells, sentence, faults

_FAULTY = PatternFill("solid", fgColor="FFFFC7CE")
_HEADER = PatternFill("solid", fgColor="FFE8EEF4")
_REASON_WIDTH = 70


def mark_rejected(
    source: Path | None,
    target: Path,
    *,
    sheet: str,
    header_row: int,
    titles: Sequence[PackedCell],
    width: int,
    reason_title: str,
    answers: Iterable[Answer],
) -> Marked:
    """Write the header and the rejected rows, with a last column that says what is wrong.

    ``source`` is the workbook whose formats are taken over, None for sources of another kind; one that openpyxl cannot
    open does no harm. No titles: no header.
    """
    formats = _Formats(*_source_sheet(source, sheet))
    book = Workbook(write_only=True)
    page = book.create_sheet(sheet_name(sheet, 1))
    formats.set_widths(page, width)
    if titles:
        page.freeze_panes = "A2"
        page.append(formats.header(page, header_row, [*titles, *[None] * (width - len(titles)), reason_title]))
    writer = CellWriter(page)
    count = 0
    for row, cells, sentence, faults in answers:
        line = [_plain(page, writer, formats, row, column, cell) for column, cell in enumerate(cells)]
        line += [_plain(page, writer, formats, row, column, None) for column in range(len(cells), width)]
        _mark(line, faults)
        reason = WriteOnlyCell(page)
        writer.write(reason, sentence)
        page.append([*line, reason])
        count += 1
    book.save(target)
    return Marked(count, width)


def _source_sheet(source: Path | None, sheet: str) -> tuple[Worksheet | None]:
    if source is None:
        return (None,)
    try:
        return (sheet_of(open_source(source, with_macros=False)[0], sheet),)
    except CannotMark:
        return (None,)


def _plain(page: Any, writer: CellWriter, formats: _Formats, row: int, column: int, packed: PackedCell) -> Any:
    """A cell as it was: its value, and the source's format where there is one."""
    cell: Any = WriteOnlyCell(page)
    style = formats.of(cell, row, column + 1)
    if packed is not None:
        writer.write(cell, packed, styled=style is None)
    if style is not None:
        cell._style = style
        if isinstance(packed, str) and cell.number_format == "General":
            cell.number_format = "@"  # or the mended code would become a number
    return cell


def _mark(line: Sequence[Cell], faults: Sequence[Fault]) -> None:
    """Fill the faulty cells and note on each what is wrong with it."""
    sentences: dict[int, list[str]] = {}
    for column, sentence in faults:
        if column is not None and 0 <= column < len(line):
            sentences.setdefault(column, []).append(sentence)
    for column, said in sentences.items():
        line[column].fill = _FAULTY
        line[column].comment = Comment(storable("\n".join(said)), "Keymill", width=300, height=90)


class _Formats:
    """Formats of a source sheet's cells, each made once for the new workbook."""

    def __init__(self, source: Worksheet | None) -> None:
        self._source = source
        self._made: dict[tuple[int, ...], StyleArray] = {}

    def of(self, cell: Any, row: int, column: int) -> StyleArray | None:
        """The format of a source cell, registered in the new workbook through ``cell``; None without a source."""
        if self._source is None:
            return None
        original: Any = self._source._cells.get((row, column))
        if original is None or not original.has_style:
            return None
        key = tuple(original._style)
        if key not in self._made:
            cell.font, cell.fill, cell.border = map(copy.copy, (original.font, original.fill, original.border))
            cell.alignment, cell.number_format = copy.copy(original.alignment), original.number_format
            self._made[key] = copy.copy(cell._style)
        return copy.copy(self._made[key])

    def set_widths(self, page: Any, width: int) -> None:
        """Column widths as in the source, or wide enough for usual content."""
        for column in range(1, width + 1):
            letter = get_column_letter(column)
            page.column_dimensions[letter].width = 24
            if self._source is None:
                page.column_dimensions[letter].number_format = "@"
        for entry in self._source.column_dimensions.values() if self._source is not None else ():
            first, last = span(entry)
            for column in range(first, min(last, width) + 1):
                page.column_dimensions[get_column_letter(column)].width = entry.width
        page.column_dimensions[get_column_letter(width + 1)].width = _REASON_WIDTH

    def header(self, page: Any, header_row: int, titles: Sequence[PackedCell]) -> list[Cell]:
        """The header row in the source's format, or bold."""
        writer = CellWriter(page)
        cells = []
        last: StyleArray | None = None
        for column, title in enumerate(titles, 1):
            cell: Any = WriteOnlyCell(page)
            style = self.of(cell, header_row, column)
            last = style or last
            if title is not None:
                writer.write(cell, title, styled=False)
            if last is not None:
                cell._style = copy.copy(last)
            else:
                cell.font, cell.fill = Font("Calibri", 11, bold=True), _HEADER
            cells.append(cell)
        return cells

"""XLS, XLSB and ODS: read whole by python-calamine, in the memory of the child."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum, load_workbook

from importers import binary_records, ods_content
from importers.contracts import Limits, RawRow, SecondLook, Sheet, Source, Wanted
from importers.library_errors import refusing
from importers.suffixes import named

Look = Callable[[], SecondLook]


class WholeSheet:
    """One sheet of an open workbook."""

    def __init__(self, workbook: CalamineWorkbook, name: str, is_hidden: bool, look: Look | None) -> None:
        self._workbook, self.name, self.is_hidden, self._look = workbook, name, is_hidden, look
        self._merged: list[tuple[tuple[int, int], tuple[int, int]]] = []

    def rows(self) -> Iterator[RawRow]:
        """Every row from the first on."""
        with refusing():
            sheet = self._workbook.get_sheet_by_name(self.name)
            self._merged = sheet.merged_cell_ranges or []
            first_row, first_column = sheet.start or (0, 0)
            rows = sheet.to_python()
        yield from ([] for _ in range(first_row))
        for row in rows:
            yield [""] * first_column + row if first_column else row

    def second_look(self) -> SecondLook:
        """Merged cells, error cells, hidden rows."""
        with refusing():
            found = self._look() if self._look else SecondLook()
        return replace(found, merged=found.merged or [(*first, *last) for first, last in self._merged])


def open_xls(path: Path, _wanted: Wanted, _limits: Limits) -> Source:
    """The sheets of an XLS workbook. Raises :class:`UnreadableFile`."""
    with refusing():
        looks = binary_records.looks_of_xls(path)
    return _opened(path, "xls", looks)


def open_xlsb(path: Path, _wanted: Wanted, limits: Limits) -> Source:
    """The sheets of an XLSB workbook. Raises :class:`UnreadableFile`."""
    with refusing():
        looks = binary_records.looks_of_xlsb(path, limits)
    return _opened(path, "xlsb", looks)


def open_ods(path: Path, _wanted: Wanted, limits: Limits) -> Source:
    """The sheets of an ODS workbook. Raises :class:`UnreadableFile`."""
    with refusing():
        looks = ods_content.looks(path, limits)
    return _opened(path, "ods", {name: partial(replace, look) for name, look in looks.items()})


def _opened(path: Path, format_: str, looks: dict[str, Look]) -> Source:
    with refusing(), named(path, format_) as link:
        workbook = load_workbook(link)
    sheets: list[Sheet] = [
        WholeSheet(workbook, sheet.name, sheet.visible != SheetVisibleEnum.Visible, looks.get(sheet.name))
        for sheet in workbook.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet
    ]
    return Source(format_, sheets)

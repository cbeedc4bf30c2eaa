"""XLSX and XLSM: rows streamed by python-calamine-plus, with a second look at what it does not tell."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from python_calamine_plus import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum, load_workbook

from importers import sheet_parts, sheet_xml, zip_directory
from importers.contracts import Limits, RawRow, SecondLook, Sheet, Source, Wanted
from importers.library_errors import refusing
from importers.suffixes import named


class XlsxSheet:
    """One worksheet of an open workbook; one of them is streamed at a time."""

    def __init__(
        self, workbook: CalamineWorkbook, path: Path, part: zipfile.ZipInfo, limits: Limits, name: str, is_hidden: bool
    ) -> None:
        self._workbook, self._path, self._part, self._limits = workbook, path, part, limits
        self.name, self.is_hidden = name, is_hidden

    @cached_property
    def _look(self) -> SecondLook:
        return sheet_xml.look(self._path, self._part, self._limits)

    def second_look(self) -> SecondLook:
        """Formulas without a value, merged cells, hidden rows."""
        return self._look

    def rows(self) -> Iterator[RawRow]:
        """Every row from the first on; after the second look, which refuses traps."""
        last_column = self._limits.columns - 1 if self.second_look().is_too_wide else None
        with refusing():
            yield from self._workbook.stream_sheet_by_name(self.name, max_col=last_column)


def open_xlsx(path: Path, _wanted: Wanted, limits: Limits) -> Source:
    """The worksheets of a workbook. Raises :class:`UnreadableFile`."""
    parts = zip_directory.check(path, limits)
    listed = sheet_parts.of_xlsx(path, parts)
    with refusing(), named(path, "xlsx") as link:
        workbook = load_workbook(link)
        metadata = workbook.sheets_metadata
    sheets: list[Sheet] = [
        XlsxSheet(
            workbook, path, listed.parts[sheet.name], limits, sheet.name, sheet.visible != SheetVisibleEnum.Visible
        )
        for sheet in metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.name in listed.parts
    ]
    return Source("xlsx", sheets, date_system="1904" if listed.counts_from_1904 else "1900")

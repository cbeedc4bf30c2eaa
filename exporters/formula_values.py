"""Stored values of formulas: openpyxl writes formulas without, so a reader that does not calculate would see blanks.

The values that the source workbook had are put back into the workbook that openpyxl wrote.
"""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils.datetime import to_excel
from openpyxl.worksheet.worksheet import Worksheet

from exporters.xlsx_cells import ERRORS, escaped

_EMPTY_FORMULA = re.compile(rb'<c r="([A-Z]+[0-9]+)"([^>]*)>(<f[^>]*(?:/>|>[^<]*</f>))<v ?(?:/>|></v>)</c>')


def keep_formula_values(source: Path, target: Path, book: Workbook) -> None:
    """Put the values of ``source`` behind the formulas of ``target``, which ``book`` was saved as."""
    wanted = {
        number: {cell.coordinate for cell in sheet._cells.values() if cell.data_type == "f"}
        for number, sheet in enumerate(book.worksheets, 1)
    }
    if not any(wanted.values()):
        return
    values = _stored_values(source, book, wanted)
    aside = target.with_name(target.name + ".values")
    with zipfile.ZipFile(target) as before, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as after:
        for entry in before.infolist():
            data = before.read(entry)
            if found := re.fullmatch(r"xl/worksheets/sheet(\d+)\.xml", entry.filename):
                data = _with_values(data, values.get(int(found[1]), {}))
            after.writestr(entry, data)
    aside.replace(target)


def _stored_values(source: Path, book: Workbook, wanted: dict[int, set[str]]) -> dict[int, dict[str, Any]]:
    """What the source has stored for formulas, by sheet and cell."""
    with source.open("rb") as file:
        stored = load_workbook(file, data_only=True, read_only=True, keep_links=False)
        try:
            found: dict[int, dict[str, Any]] = {}
            for number, sheet in enumerate(book.worksheets, 1):
                page = stored[sheet.title]
                if wanted[number] and not isinstance(page, Worksheet) and hasattr(page, "reset_dimensions"):
                    page.reset_dimensions()  # what a file says of its own size need not be true
                    cells = (cell for row in page.iter_rows() for cell in row if cell.value is not None)
                    found[number] = {cell.coordinate: cell.value for cell in cells if cell.coordinate in wanted[number]}
            return found
        finally:
            stored.close()


def _with_values(xml: bytes, values: dict[str, Any]) -> bytes:
    def filled(found: re.Match[bytes]) -> bytes:
        value = values.get(found[1].decode())
        if value is None:
            return found[0]
        kind, text = _typed(value)
        return b'<c r="%b"%b%b>%b<v>%b</v></c>' % (found[1], found[2], kind, found[3], text.encode())

    return _EMPTY_FORMULA.sub(filled, xml)


def _typed(value: Any) -> tuple[bytes, str]:
    if isinstance(value, bool):
        return b' t="b"', str(int(value))
    if isinstance(value, datetime | date | time | timedelta):
        return b"", repr(to_excel(value))  # type: ignore[no-untyped-call]
    if isinstance(value, int | float):
        return b"", repr(value)
    return (b' t="e"' if value in ERRORS else b' t="str"'), escaped(str(value))

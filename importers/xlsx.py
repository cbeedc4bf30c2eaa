"""XLSX and XLSM: rows streamed by python-calamine-plus, with a second look at what it does not tell."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

from python_calamine_plus import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum, load_workbook

from importers import sheet_xml, zip_directory
from importers.contracts import Limits, RawRow, SecondLook, Sheet, Source, Wanted
from importers.library_errors import refusing
from importers.refusals import refusal
from importers.suffixes import named

_MOST_BYTES_OF_A_LIST = 4_000_000  # of sheets; a workbook of a thousand sheets has 100 kB


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
    parts_of_sheets = _sheet_parts(path, parts)
    with refusing(), named(path, "xlsx") as link:
        workbook = load_workbook(link)
    sheets: list[Sheet] = [
        XlsxSheet(
            workbook, path, parts_of_sheets[sheet.name], limits, sheet.name, sheet.visible != SheetVisibleEnum.Visible
        )
        for sheet in workbook.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.name in parts_of_sheets
    ]
    return Source("xlsx", sheets, date_system="1904" if workbook.epoch_1904 else "1900")


def _sheet_parts(path: Path, parts: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The part that holds each sheet, by the sheet's name."""
    workbook, relations = (_xml(path, parts, name) for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"))
    targets = {
        entry.get("Id"): entry.get("Target", "") for entry in relations.iter() if _local(entry) == "Relationship"
    }
    found = {}
    for entry in workbook.iter():
        if _local(entry) == "sheet":
            id_ = next((value for name, value in entry.attrib.items() if name.endswith("}id")), None)
            part = parts.get(posixpath.normpath(posixpath.join("/xl", targets.get(id_, ""))).lstrip("/"))
            if part is not None:
                found[entry.get("name", "")] = part
    return found


def _local(entry: ElementTree.Element) -> str:
    return entry.tag.rpartition("}")[2]


def _xml(path: Path, parts: dict[str, zipfile.ZipInfo], name: str) -> ElementTree.Element:
    part = parts.get(name)
    if part is None:
        raise refusal("corrupt", detail=f"{name}?")
    if part.file_size > _MOST_BYTES_OF_A_LIST:
        raise refusal("corrupt", detail=f"{name}: {part.file_size:,}")
    text = b"".join(sheet_xml.unpacked(path, part))
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise refusal("has_entities", where=name)
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - small, and without entities
    except ElementTree.ParseError as error:
        raise refusal("corrupt", detail=name) from error

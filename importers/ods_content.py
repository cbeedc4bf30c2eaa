"""A second look at ODS: error cells and formulas without a value, merged cells, hidden rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from xml.parsers import expat

from importers import zip_directory
from importers.contracts import Limits, SecondLook
from importers.refusals import refusal
from importers.sheet_xml import unpacked

# Without one of these there is nothing to find, and the slow way is spared.
_WORTH_A_LOOK = re.compile(rb'value-type="error"|:formula="|-spanned="(?!1")|:visibility="(?:collapse|filter)"')
_OVERLAP_BYTES = 64
_OFFICE, _TABLE = (
    "urn:oasis:names:tc:opendocument:xmlns:office:1.0 ",
    "urn:oasis:names:tc:opendocument:xmlns:table:1.0 ",
)
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 "


def looks(path: Path, limits: Limits) -> dict[str, SecondLook]:
    """What was found in each sheet, by its name."""
    parts = zip_directory.check(path, limits)
    content = parts.get("content.xml")
    if content is None or not _is_worth_a_look(unpacked(path, content)):
        return {}
    tables = _Tables()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = tables.start, tables.end
    parser.EntityDeclHandler = _no_entities
    try:
        for block in unpacked(path, content):
            parser.Parse(block)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise refusal("corrupt", detail=f"content.xml: {error}") from error
    return tables.found


def _is_worth_a_look(blocks: Iterable[bytes]) -> bool:
    before = b""
    for block in blocks:
        if _WORTH_A_LOOK.search(before + block):
            return True
        before = block[-_OVERLAP_BYTES:]
    return False


def _no_entities(*_declaration: object) -> None:
    raise refusal("has_entities", where="content.xml")


class _Tables:
    """Counts rows and cells as they are repeated, and notes the odd ones."""

    def __init__(self) -> None:
        self.found: dict[str, SecondLook] = {}
        self._look = SecondLook()
        self._row = self._column = self._rows = self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A table, a row or a cell begins."""
        tag = name.removeprefix(_TABLE)
        if tag == "table":
            self._depth += 1
            if self._depth == 1:  # a table in a cell is no sheet
                self._look = self.found[attributes.get(_TABLE + "name", "")] = SecondLook()
                self._row = 0
        elif self._depth != 1:
            return
        elif tag == "table-row":
            self._column, self._rows = 0, _repeated(attributes, "rows")
            if attributes.get(_TABLE + "visibility", "visible") != "visible":
                self._look.hidden_rows += range(self._row, self._row + min(self._rows, 1000))
        elif tag in ("table-cell", "covered-table-cell"):
            self._cell(attributes)

    def _cell(self, attributes: dict[str, str]) -> None:
        count = _repeated(attributes, "columns")
        is_error = attributes.get(_CALC + "value-type") == "error"
        if is_error or (_TABLE + "formula" in attributes and _OFFICE + "value-type" not in attributes):
            shown = "#" if is_error else attributes[_TABLE + "formula"][:80]
            for row in range(self._row, self._row + min(self._rows, 1000)):
                for column in range(self._column, self._column + min(count, 256)):
                    self._look.unreadable[row, column] = shown
        wide, high = (int(attributes.get(f"{_TABLE}number-{way}-spanned", "1")) for way in ("columns", "rows"))
        if wide > 1 or high > 1:
            self._look.merged.append((self._row, self._column, self._row + high - 1, self._column + wide - 1))
        self._column += count

    def end(self, name: str) -> None:
        """A table or a row ends."""
        if name == _TABLE + "table":
            self._depth -= 1
        elif name == _TABLE + "table-row" and self._depth == 1:
            self._row += self._rows


def _repeated(attributes: dict[str, str], way: str) -> int:
    return int(attributes.get(f"{_TABLE}number-{way}-repeated", "1"))

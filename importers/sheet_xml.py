"""A second look at the XML of an XLSX sheet, for what the reading library keeps to itself.

One quick pass over the unpacked text, block by block: byte searches first, patterns only where something was found.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from importers.contracts import BLANK_ROWS_TOLERATED, Limits, Range, SecondLook
from importers.refusals import refusal
from licensing.cells import address

_BLOCK_BYTES = 1 << 18
_UNPACKED_BLOCK_BYTES = 1 << 20
_LONGEST_ROW_BYTES = 32 << 20  # 16,384 cells, or what follows the last row
_LAST_ROW = 1_048_576

_DIMENSION = re.compile(rb'<(?:\w+:)?dimension\s+ref="[A-Z]+\d+:([A-Z]+)\d+"')
_PREFIX = re.compile(rb"<(\w+:)worksheet\b")
_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*)>")
_HIDDEN = re.compile(rb"""\bhidden=["'](?:1|true)["']""")
_REFERENCE = re.compile(rb"""\br=["']([A-Z]*)(\d+)["']""")
_CELL_WITHOUT_VALUE = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>([^<]*)</(?:\w+:)?f>)\s*"
    rb"(?:</(?:\w+:)?c>|<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</)"
)
_TEXT_RESULT = re.compile(rb"""\bt=["']str["']""")
_WRONG_INDEX = re.compile(rb"""<(?:\w+:)?c\b([^>]*\bt=["']s["'][^>]*)>\s*<(?:\w+:)?v>\s*-""")
_FAR_CELL = re.compile(rb"""<(?:\w+:)?c\b[^>]*\br=["']([A-Z]+)(\d+)["'][^>/]*>""")
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\s[^>]*\bref=["']([A-Z]+)(\d+):([A-Z]+)(\d+)["']""")


def look(path: Path, part: zipfile.ZipInfo, limits: Limits) -> SecondLook:
    """Look over one sheet. Raises :class:`UnreadableFile` where it is broken or a trap."""
    found = SecondLook()
    scan: _Scan | None = None
    rest = b""
    for block in unpacked(path, part):
        text = rest + block
        if scan is None:
            _check_head(text, part)
            found.is_too_wide = declared_columns(text) > limits.columns
            scan = _Scan(text, found, limits)
        cut = text.rfind(scan.row)
        if cut <= 0 and len(text) < _LONGEST_ROW_BYTES:
            rest = text
            continue
        cut = cut if cut > 0 else len(text)
        rest = text[cut:]
        scan.block(text[:cut])
    if scan is not None:
        scan.block(rest)
        scan.tail(rest)
    return found


def unpacked(path: Path, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The text of a part, in blocks; no more of it than the directory says."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    left, given = part.compress_size, 0
    with path.open("rb") as file:
        file.seek(part.header_offset + 26)
        lengths = file.read(4)
        file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
        while left > 0:
            packed = file.read(min(left, _BLOCK_BYTES))
            if not packed:
                raise refusal("truncated")
            left -= len(packed)
            while packed:
                block = packed if part.compress_type == zipfile.ZIP_STORED else _inflate(inflater, packed)
                packed = b"" if part.compress_type == zipfile.ZIP_STORED else inflater.unconsumed_tail
                given += len(block)
                if given > part.file_size:
                    raise refusal("corrupt", detail=f"{part.filename}: {given:,} > {part.file_size:,}")
                yield block


def _inflate(inflater: zlib._Decompress, packed: bytes) -> bytes:
    try:
        return inflater.decompress(packed, _UNPACKED_BLOCK_BYTES)
    except zlib.error as error:
        raise refusal("corrupt", detail="deflate") from error


def _check_head(text: bytes, part: zipfile.ZipInfo) -> None:
    if b"<!DOCTYPE" in text[:4096] or b"<!ENTITY" in text[:4096]:
        raise refusal("has_entities", where=part.filename)


def declared_columns(text: bytes) -> int:
    """How many columns a sheet says that it has; it may lie."""
    match = _DIMENSION.search(text, 0, 8192)
    return column_number(match[1]) + 1 if match else 0


def column_number(letters: bytes) -> int:
    """The zero-based number of a column: ``A`` is 0."""
    number = 0
    for letter in letters[:4]:
        number = number * 26 + letter - 64
    return number - 1


class _Scan:
    """The searches of one sheet: for bytes in every block, for patterns in those where the bytes were found."""

    def __init__(self, head: bytes, found: SecondLook, limits: Limits) -> None:
        prefix = _PREFIX.search(head)
        name = prefix[1] if prefix else b""
        self.row, self._formula, self._negative = b"<" + name + b"row", b"</" + name + b"f", name + b"v>-"
        self._found, self._limits = found, limits
        self._has_formulas = False
        self._last_row = 0

    def block(self, text: bytes) -> None:
        """Search a block that ends before a row begins."""
        # Cells that share a formula come after the one that holds it.
        self._has_formulas = self._has_formulas or self._formula in text
        if self._has_formulas:
            _formulas_without_value(text, self._found)
        if b"hidden=" in text:
            _hidden_rows(text, self._found)
        if self._negative in text:
            for match in _WRONG_INDEX.finditer(text):
                raise refusal("wrong_string_index", where=_shown_reference(match[1]))
        if self._found.is_too_wide:
            _check_columns(text, self._limits)
        self._check_rows(text)

    def _check_rows(self, text: bytes) -> None:
        """Rows beyond what any sheet has, or far below the others: streamed, they would be a million blank rows."""
        last = self._row_number(text, text.rfind(self.row))
        if last - self._last_row > BLANK_ROWS_TOLERATED:
            start, before = text.find(self.row), self._last_row
            while start >= 0:
                number = self._row_number(text, start)
                if number > _LAST_ROW:
                    where = {"where": f"Il foglio (riga {number:,})"}
                    raise refusal("too_many_rows", it=where, where=f"The sheet (row {number:,})", most=_LAST_ROW)
                cell = _FAR_CELL.search(text, start)
                if number - before > BLANK_ROWS_TOLERATED and cell and int(cell[2]) == number:
                    raise refusal("far_cell", where=(cell[1] + cell[2]).decode(), n=number - before - 1)
                before = max(before, number)
                start = text.find(self.row, start + 1)
        self._last_row = max(self._last_row, last)

    def _row_number(self, text: bytes, start: int) -> int:
        match = _REFERENCE.search(text, start, start + 300) if start >= 0 else None
        return int(match[2]) if match else 0

    def tail(self, text: bytes) -> None:
        """Search what comes with the last row."""
        self._found.merged += [_range(match) for match in _MERGED.finditer(text)]


def _hidden_rows(text: bytes, found: SecondLook) -> None:
    if b'hidden="1"' in text or b'hidden="true"' in text or b"hidden='" in text:
        for match in _ROW.finditer(text):
            if _HIDDEN.search(match[1]) and (row := _REFERENCE.search(match[1])):
                found.hidden_rows.append(int(row[2]) - 1)


def _formulas_without_value(text: bytes, found: SecondLook) -> None:
    for match in _CELL_WITHOUT_VALUE.finditer(text):
        place = _REFERENCE.search(match[1])
        if place and not (_TEXT_RESULT.search(match[1]) and not match[0].endswith(b"c>")):
            formula = (match[2] or b"").decode("utf-8", "replace")
            found.unreadable[int(place[2]) - 1, column_number(place[1])] = f"={formula}"[:80]


def _check_columns(text: bytes, limits: Limits) -> None:
    """Where the sheet says that it is too wide: whether a cell with content really stands out there."""
    for match in _FAR_CELL.finditer(text):
        if column_number(match[1]) >= limits.columns:
            raise refusal("too_many_columns", where=(match[1] + match[2]).decode(), most=limits.columns)


def _range(match: re.Match[bytes]) -> Range:
    return int(match[2]) - 1, column_number(match[1]), int(match[4]) - 1, column_number(match[3])


def _shown_reference(attributes: bytes) -> str:
    place = _REFERENCE.search(attributes)
    return address(column_number(place[1]), int(place[2])) if place else "?"

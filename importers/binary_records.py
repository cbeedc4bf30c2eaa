"""A second look at XLS and XLSB, which are streams of records: error cells, merged cells, hidden rows."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from importers import ole, zip_directory
from importers.contracts import Limits, SecondLook
from importers.sheet_parts import relation_targets
from importers.sheet_xml import unpacked

_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}

# XLS
_BOF, _EOF, _SHEET, _ERROR_CELL, _FORMULA, _ROW = 0x809, 0x0A, 0x85, 0x205, 0x06, 0x208
_IS_ERROR, _IS_HIDDEN = 1, 0x20
# XLSB
_WIDE_ROW, _WIDE_ERROR, _WIDE_FORMULA_ERROR, _WIDE_MERGED, _WIDE_SHEET = 0, 3, 11, 176, 156
_WIDE_IS_HIDDEN = 0x10


def looks_of_xls(path: Path) -> dict[str, Callable[[], SecondLook]]:
    """How to look at each sheet of an XLS workbook, by its name."""
    stream = ole.read(path).workbook
    found: dict[str, Callable[[], SecondLook]] = {}
    for kind, body in _records(stream, 0):
        if kind == _SHEET and len(body) > 8:
            wide = body[7] & 1
            name = body[8 : 8 + body[6] * (1 + wide)].decode("utf-16-le" if wide else "latin-1", "replace")
            found[name] = partial(_look_at_xls, stream, struct.unpack_from("<I", body)[0])
    return found


def _records(stream: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """The records of one substream, up to its end mark."""
    depth = 0
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        depth += (kind == _BOF) - (kind == _EOF)
        yield kind, stream[position + 4 : position + 4 + length]
        if depth <= 0:
            return
        position += 4 + length


def _look_at_xls(stream: bytes, position: int) -> SecondLook:
    found = SecondLook()
    for kind, body in _records(stream, position):
        if kind == _ERROR_CELL and len(body) >= 8 and body[7] == _IS_ERROR:
            found.unreadable[struct.unpack_from("<HH", body)] = _ERRORS.get(body[6], "#?")
        elif kind == _FORMULA and len(body) >= 14 and body[12:14] == b"\xff\xff" and body[6] == 2:
            found.unreadable[struct.unpack_from("<HH", body)] = _ERRORS.get(body[8], "#?")
        elif kind == _ROW and len(body) >= 14 and body[12] & _IS_HIDDEN:
            found.hidden_rows.append(struct.unpack_from("<H", body)[0])
    return found


def looks_of_xlsb(path: Path, limits: Limits) -> dict[str, Callable[[], SecondLook]]:
    """How to look at each sheet of an XLSB workbook, by its name."""
    parts = zip_directory.check(path, limits)
    if "xl/workbook.bin" not in parts:
        return {}
    targets = relation_targets(path, parts, "xl/_rels/workbook.bin.rels")
    found: dict[str, Callable[[], SecondLook]] = {}
    for kind, body in _wide_records(unpacked(path, parts["xl/workbook.bin"])):
        if kind == _WIDE_SHEET:
            id_, end = _wide_text(body, 8)
            part = parts.get(targets.get(id_, ""))
            if part is not None:
                found[_wide_text(body, end)[0]] = partial(_look_at_xlsb, path, part)
    return found


def _look_at_xlsb(path: Path, part: zipfile.ZipInfo) -> SecondLook:
    found, row = SecondLook(), 0
    for kind, body in _wide_records(unpacked(path, part)):
        if kind == _WIDE_ROW and len(body) >= 12:
            row = struct.unpack_from("<I", body)[0]
            if body[11] & _WIDE_IS_HIDDEN:
                found.hidden_rows.append(row)
        elif kind in (_WIDE_ERROR, _WIDE_FORMULA_ERROR) and len(body) >= 9:
            found.unreadable[row, struct.unpack_from("<I", body)[0]] = _ERRORS.get(body[8], "#?")
        elif kind == _WIDE_MERGED and len(body) >= 16:
            first_row, last_row, first, last = struct.unpack_from("<IIII", body)
            found.merged.append((first_row, first, last_row, last))
    return found


def _wide_text(body: bytes, start: int) -> tuple[str, int]:
    """A text with its length in front, and where it ends."""
    end = start + 4 + 2 * struct.unpack_from("<I", body, start)[0]
    return body[start + 4 : end].decode("utf-16-le", "replace"), end


def _wide_records(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Records whose kind and length are written seven bits a byte."""
    rest = b""
    for block in blocks:
        data, position = rest + block, 0
        while (read := _wide_record(data, position)) is not None:
            kind, body, position = read
            yield kind, body
        rest = data[position:]


def _wide_record(data: bytes, position: int) -> tuple[int, bytes, int] | None:
    """The record at a position and where the next one begins; None when it goes on in the next block."""
    if position + 6 > len(data) and position + 2 > len(data):
        return None
    kind = data[position]
    position += 1
    if kind & 0x80:
        kind = (kind & 0x7F) | (data[position] << 7)
        position += 1
    length = 0
    for shift in (0, 7, 14, 21):
        if position >= len(data):
            return None
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    if position + length > len(data):
        return None
    return kind, data[position : position + length], position + length

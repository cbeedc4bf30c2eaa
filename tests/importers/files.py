"""Files to read: honest ones written by libraries that Keymill does not write with, hostile ones written by hand."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import orjson
import pytest
import xlsxwriter  # type: ignore[import-untyped, unused-ignore]
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from importers.contracts import Limits, Reading, Wanted
from importers.reading import UnreadableFile, read_file
from licensing.field_catalogue import FIELDS

HEADER = ("Voucher code", "Company", "E-mail", "Country", "Host ID", "Reference")
ROWS = (
    ("ABC-1234567-XY", "Rossi S.p.A.", "a@example.com", "IT", "00A0C914C829", "PO-1"),
    ("ABC-7654321-YX", "Müller & Söhne", "b@example.com", "DE", "0012", "PO-2"),
)
REDEEM = Wanted(
    fields=(
        FIELDS["voucher_code"].needed(),
        FIELDS["company"].needed(),
        *(FIELDS[name] for name in ("email", "country", "host_id", "reference")),
    ),
    subject=("voucher_code",),
    domain="voucher",
)

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


class Line:
    """One line that the reader wrote, taken apart as PostgreSQL would."""

    def __init__(self, line: bytes) -> None:
        prefix, ordinal, sheet_row, lane, subject, cells = line.split(b"\t")
        self.prefix, self.ordinal, self.sheet_row, self.lane = prefix.decode(), int(ordinal), int(sheet_row), int(lane)
        self.subject = None if subject == b"\\N" else int(subject)
        self.cells: list[Any] = orjson.loads(cells.replace(b"\\\\", b"\\"))


def refused(path: Path, wanted: Wanted = REDEEM, limits: Limits | None = None) -> UnreadableFile:
    """The refusal of a file."""
    with pytest.raises(UnreadableFile) as caught:
        read(path, wanted, limits)
    return caught.value


def read(path: Path, wanted: Wanted = REDEEM, limits: Limits | None = None) -> tuple[Reading, list[Line]]:
    """Read a file in this process; the reading, and the lines it wrote."""
    blocks: list[bytes] = []
    reading = read_file(path, wanted, limits or Limits(), blocks.append, prefix="7")
    text = b"".join(blocks)
    assert text.endswith(b"\n")
    return reading, [Line(line) for line in text[:-1].split(b"\n")]


def xlsx(path: Path, rows: Sequence[Sequence[Any]], *, sheet: str = "Sheet1") -> Path:
    """An XLSX workbook with one sheet, written by xlsxwriter."""
    return sheets(path, {sheet: rows})


def sheets(
    path: Path, tables: Mapping[str, Sequence[Sequence[Any]]], hidden: Sequence[str] = (), **options: Any
) -> Path:
    """An XLSX workbook with several sheets."""
    book = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False, **options})
    dates = book.add_format({"num_format": "dd/mm/yyyy"})
    for name, rows in tables.items():
        sheet = book.add_worksheet(name)
        if name in hidden:
            sheet.hide()
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                sheet.write(r, c, cell, *([dates] if hasattr(cell, "year") else []))
    book.close()
    return path


def raw_xlsx(
    path: Path, sheet: str, *, shared: str = "", changed: dict[str, str | bytes] | None = None, main: str = _MAIN
) -> Path:
    """An XLSX workbook by hand: the inside of the worksheet element, of the shared strings, other parts as given."""
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="applica'
        'tion/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPE}.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{_OFFICE}"><sheets><sheet name="S" sheetId="1" '
        'r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
        f'Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}">{sheet}</worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{shared}</sst>',
    }
    parts |= changed or {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def text_cell(place: str, text: str) -> str:
    """The XML of one text cell."""
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def row(number: int, *cells: str, attributes: str = "") -> str:
    """The XML of one row; cells that are no XML become text cells from A on."""
    made = [c if c.startswith("<") else text_cell(f"{chr(65 + i)}{number}", c) for i, c in enumerate(cells) if c]
    return f'<row r="{number}"{attributes}>{"".join(made)}</row>'


def table(*rows: str) -> str:
    """The sheet data with a header over these rows, which begin with row 2."""
    return f"<sheetData>{row(1, *HEADER)}{''.join(rows)}</sheetData>"


def xls(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    """An XLS workbook with one sheet."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet1")
    for r, row_ in enumerate(rows):
        for c, cell in enumerate(row_):
            sheet.write(r, c, cell)
    book.save(str(path))
    return path


def ods(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    """An ODS workbook with one sheet."""
    document = OpenDocumentSpreadsheet()
    sheet = Table(name="Sheet1")
    for row_ in rows:
        line = TableRow()
        for cell in row_:
            if isinstance(cell, float):
                made = TableCell(valuetype="float", value=str(cell))
            else:
                made = TableCell(valuetype="string")
            made.addElement(P(text=str(cell)))
            line.addElement(made)
        sheet.addElement(line)
    document.spreadsheet.addElement(sheet)
    document.save(str(path))
    return path


def _record(kind: int, body: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length, size = len(body), b""
    while True:
        size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return head + size + body


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb(path: Path, rows: Sequence[Sequence[str | float | None]]) -> Path:
    """An XLSB workbook by hand: texts, numbers, and None for the error #N/A."""
    book = b"".join(
        [
            _record(131),
            _record(143),
            _record(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Sheet1")),
            _record(144),
            _record(132),
        ]
    )
    size = struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    sheet = [_record(129), _record(148, size), _record(145)]
    for r, row_ in enumerate(rows):
        sheet.append(_record(0, struct.pack("<IIHBBI", r, 0, 300, 0, 0, 0)))
        for c, cell in enumerate(row_):
            place = struct.pack("<II", c, 0)
            if cell is None:
                sheet.append(_record(3, place + b"\x2a"))
            elif isinstance(cell, str):
                sheet.append(_record(6, place + _wide(cell)))
            else:
                sheet.append(_record(5, place + struct.pack("<d", cell)))
    sheet += [_record(146), _record(130)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types"/>')
        archive.writestr("xl/workbook.bin", book)
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/worksheet" '
            'Target="worksheets/sheet1.bin"/></Relationships>',
        )
        archive.writestr("xl/worksheets/sheet1.bin", b"".join(sheet))
    return path


def ole(streams: dict[str, bytes]) -> bytes:
    """An OLE container of 512-byte sectors, each stream at least 4,096 bytes long."""
    sectors: list[bytes] = []
    chains: list[tuple[int, int]] = []
    for body in streams.values():
        padded = body.ljust(max(4096, -(-len(body) // 512) * 512), b"\0")
        chains.append((len(sectors), len(padded)))
        sectors += [padded[i : i + 512] for i in range(0, len(padded), 512)]
    entries = [_entry("Root Entry", 5, 0xFFFFFFFE, 0)]
    entries += [_entry(name, 2, first, size) for name, (first, size) in zip(streams, chains, strict=True)]
    directory = b"".join(entries).ljust(-(-len(entries) // 4) * 512, b"\0")
    directory_sector = len(sectors)
    sectors += [directory[i : i + 512] for i in range(0, len(directory), 512)]
    table_ = [0xFFFFFFFF] * 128
    for first, size in [*chains, (directory_sector, len(directory))]:
        count = size // 512
        for i in range(count):
            table_[first + i] = first + i + 1 if i + 1 < count else 0xFFFFFFFE
    table_[len(sectors)] = 0xFFFFFFFD
    head = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1, directory_sector, 0, 4096,
        0xFFFFFFFE, 0, 0xFFFFFFFE, 0,
    ) + struct.pack("<109I", len(sectors), *[0xFFFFFFFF] * 108)  # fmt: skip
    return head + b"".join(sectors) + struct.pack("<128I", *table_)


def _entry(name: str, kind: int, first: int, size: int) -> bytes:
    wide = (name + "\0").encode("utf-16-le")
    return (
        wide.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(wide), kind, 1, *[0xFFFFFFFF] * 3)
        + b"\0" * 36
        + (struct.pack("<III", first, size, 0))
    )


def packed(parts: dict[str, bytes]) -> bytes:
    """A ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return buffer.getvalue()

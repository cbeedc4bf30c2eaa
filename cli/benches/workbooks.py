"""Workbooks as Excel saves them (shared strings, cell addresses), of any length, for the benchmarks to read."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

HEADER = ("Voucher code", "Company", "E-mail", "Country", "Host ID", "Reference", "Region", "Note")
COUNTRIES = ("IT", "DE", "FR", "ES", "PL", "US", "JP", "GB")
ROWS_A_CUSTOMER = 200

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application'
    '/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml'
    '.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="application'
    '/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/office'
    'Document" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="Vouchers" sheetId="1" '
    'r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
    f'Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
}


def order_lines(codes: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """A conversion list: one row a code, some hundred rows a customer, a host and a reference of its own each."""
    for number, code in enumerate(codes):
        customer = number // ROWS_A_CUSTOMER
        yield (
            code,
            f"Customer {customer:06d} S.p.A.",
            f"licenses{customer:06d}@customer.example",
            COUNTRIES[customer % len(COUNTRIES)],
            f"{number * 2654435761 % 2**48:012X}",
            f"PO-2026-{number:07d}",
            "EMEA" if customer % 3 else "APAC",
            "to be delivered with the machine",
        )


def write(path: Path, rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER) -> None:
    """Write a workbook of text cells, row by row; only the table of shared strings is held in memory."""
    strings: dict[str, int] = {}
    letters = [chr(65 + column) for column in range(len(header))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, text)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for number, row in enumerate(_with_header(header, rows), 1):
                cells = [
                    f'<c r="{letter}{number}" t="s"><v>{strings.setdefault(text, len(strings))}</v></c>'
                    for letter, text in zip(letters, row, strict=True)
                ]
                sheet.write(f'<row r="{number}">{"".join(cells)}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
            part.write(f'<sst xmlns="{_MAIN}" uniqueCount="{len(strings)}">'.encode())
            for text in strings:
                part.write(f"<si><t>{escape(text)}</t></si>".encode())
            part.write(b"</sst>")


def _with_header(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    yield header
    yield from rows

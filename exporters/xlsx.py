"""XLSX result files from packed pieces: a worker packs the XML of its rows, the last step strings them together.

A piece is a raw deflate stream that ends at a byte boundary (sync flush), so pieces can be put one after the other into
one ZIP member; its CRC-32 is combined from theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from xml.sax.saxutils import quoteattr

from isal import isal_zlib

from exporters import xlsx_parts
from exporters.pieces import Head, Line, Piece, PieceFacts, checked, padded
from exporters.xlsx_cells import header_xml, rows_xml
from exporters.zip_members import Archive, Member
from licensing.cells import PackedCell, address

MOST_ROWS = 1_048_576  # of a sheet, header included
_BLOCK_ROWS = 256  # some 350 kB of XML at a time: stays in the processor's cache
_LEVEL = 1  # isal's; see docs/decisions/0004-writing-results.md for the others


class Xlsx:
    """Workbooks with one sheet of rows, more where they do not fit into one."""

    suffix = ".xlsx"
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def piece(self, lines: Iterable[Line], width: int) -> Piece:
        """The rows' XML, packed."""
        rows = _rows(lines, width)
        packer = _packer()
        packed, crc32, plain_size, count = [], 0, 0, 0
        while block := list(islice(rows, _BLOCK_ROWS)):
            xml = rows_xml(block).encode()
            crc32 = isal_zlib.crc32(xml, crc32)
            plain_size += len(xml)
            count += len(block)
            packed.append(packer.compress(xml))
        packed.append(packer.flush(isal_zlib.Z_SYNC_FLUSH))
        return Piece(b"".join(packed), crc32, plain_size, count)

    def assemble(self, head: Head, pieces: Sequence[tuple[PieceFacts, Iterable[bytes]]], width: int) -> Iterator[bytes]:
        """The workbook. A piece never straddles two sheets."""
        above = len(head.preamble) + bool(head.header(width))
        groups = _by_sheet(pieces, MOST_ROWS - above)
        names = [xlsx_parts.sheet_name(head.sheet, number) for number in range(1, len(groups) + 1)]
        archive = Archive()
        for name, text in xlsx_parts.fixed_parts(names):
            data = text.encode()
            part = _packed(data)
            yield from archive.member(Member(name, isal_zlib.crc32(data), len(part), len(data)), [part])
        for number, group in enumerate(groups, 1):
            yield from _sheet(archive, f"xl/worksheets/sheet{number}.xml", head, group, width)
        yield from archive.end()


def _rows(lines: Iterable[Line], width: int) -> Iterator[tuple[PackedCell, ...]]:
    for cells, outcome in lines:
        yield (*cells, *outcome) if len(cells) == width else (*padded(cells, width), *outcome)


def _packer() -> isal_zlib.Compress:
    return isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -15)


def _packed(data: bytes, mode: int = isal_zlib.Z_FINISH) -> bytes:
    packer = _packer()
    return packer.compress(data) + packer.flush(mode)


Group = list[tuple[PieceFacts, Iterable[bytes]]]


def _by_sheet(pieces: Sequence[tuple[PieceFacts, Iterable[bytes]]], most: int) -> list[Group]:
    groups: list[Group] = [[]]
    rows = 0
    for facts, blocks in pieces:
        if groups[-1] and rows + facts.rows > most:
            groups.append([])
            rows = 0
        groups[-1].append((facts, blocks))
        rows += facts.rows
    return groups


def _sheet(archive: Archive, name: str, head: Head, group: Group, width: int) -> Iterator[bytes]:
    """One sheet as a member: what stands above, the pieces, what stands below."""
    start = _start(head, width).encode()
    end = _end(head, width, sum(facts.rows for facts, _ in group)).encode()
    packed_start, packed_end = _packed(start, isal_zlib.Z_SYNC_FLUSH), _packed(end)
    start_facts = PieceFacts(isal_zlib.crc32(start), len(start), len(packed_start), 0)
    end_facts = PieceFacts(isal_zlib.crc32(end), len(end), len(packed_end), 0)
    parts: Group = [(start_facts, [packed_start]), *group, (end_facts, [packed_end])]
    crc32 = size = plain_size = 0
    for facts, _ in parts:
        crc32 = isal_zlib.crc32_combine(crc32, facts.crc32, facts.plain_size)
        size += facts.size
        plain_size += facts.plain_size
    blocks = (block for facts, data in parts for block in checked(facts, data))
    yield from archive.member(Member(name, crc32, size, plain_size), blocks)


def _start(head: Head, width: int) -> str:
    header = head.header(width)
    above = len(head.preamble) + bool(header)
    pane = ""
    if header:
        pane = (
            f'<pane ySplit="{above}" topLeftCell="{address(0, above + 1)}" activePane="bottomLeft" state="frozen"/>'
            '<selection pane="bottomLeft"/>'
        )
    return (
        f'{xlsx_parts.DECLARATION}<worksheet xmlns="{xlsx_parts.MAIN}">'
        f'<sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
        f"{xlsx_parts.columns(header)}<sheetData>" + rows_xml(head.preamble) + (header_xml(header) if header else "")
    )


def _end(head: Head, width: int, rows: int) -> str:
    header: list[PackedCell] = head.header(width)
    first = len(head.preamble) + 1
    reach = f"{address(0, first)}:{address(len(header) - 1, first + rows)}"
    autofilter = f"<autoFilter ref={quoteattr(reach)}/>" if header else ""
    return f"</sheetData>{autofilter}</worksheet>"

"""CSV and TSV result files: UTF-8 with a byte-order mark, CRLF, quoted as RFC 4180 says, formulas made harmless.

A text that a spreadsheet would run gets a leading ``'``, and so does one that already looks like that (``'`` or more of
them before such a beginning): so taking one ``'`` off what :data:`GUARDED` matches always gives the original back. A
plain number (``-5``, ``+39021234``) is no formula and stays as it is.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence

from exporters.pieces import Head, Line, Piece, PieceFacts, checked, padded
from licensing.cells import PackedCell

GUARDED = re.compile(r"'+[=+\-@\t\r]")  # what the importer takes one ' off, matched at the start of the cell
_RUNS = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")
_SUSPICIOUS = frozenset("=+-@\t\r'")
BOM = b"\xef\xbb\xbf"


def guarded(text: str) -> str:
    """Text that a spreadsheet shows and never runs."""
    if _RUNS.match(text) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def shown(cell: PackedCell) -> str:
    """A cell as text: numbers with a point, dates as ISO writes them, TRUE and FALSE as spreadsheets do."""
    if isinstance(cell, dict):
        ((form, text),) = cell.items()
        return text.replace("T", " ") if form == "datetime" else guarded(text)
    if isinstance(cell, str):
        return guarded(cell)
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else repr(cell)


def written(rows: Iterable[Sequence[PackedCell]], separator: str) -> tuple[bytes, int]:
    """Rows as lines, and how many there were."""
    lines = []
    for row in rows:
        cells = [cell if type(cell) is str and cell[:1] not in _SUSPICIOUS else shown(cell) for cell in row]
        line = separator.join(cells)
        # The csv module looks at every character of a long key; most rows have nothing to quote.
        if not line or '"' in line or "\n" in line or "\r" in line or line.count(separator) != len(cells) - 1:
            line = _quoted(cells, separator)
        lines.append(line)
    lines.append("")
    return "\r\n".join(lines).encode(errors="replace"), len(lines) - 1


def _quoted(cells: Sequence[str], separator: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


class Delimited:
    """Lines with a separator: the source's own."""

    def __init__(self, separator: str = ",") -> None:
        self.separator = separator
        self.suffix = ".tsv" if separator == "\t" else ".csv"
        self.media_type = "text/tab-separated-values" if separator == "\t" else "text/csv"
        self.media_type += "; charset=utf-8"

    def piece(self, lines: Iterable[Line], width: int) -> Piece:
        """The rows' lines."""
        rows = ((*cells, *[None] * (width - len(cells)), *outcome) for cells, outcome in lines)
        data, count = written(rows, self.separator)
        return Piece(data, zlib.crc32(data), len(data), count)

    def assemble(self, head: Head, pieces: Sequence[tuple[PieceFacts, Iterable[bytes]]], width: int) -> Iterator[bytes]:
        """The file: the head, then the pieces as they are."""
        full_width = width + len(head.outcome_titles)
        above = [padded(row, full_width) for row in head.preamble]
        header = head.header(width)
        yield BOM + written([*above, header] if header else above, self.separator)[0]
        for facts, blocks in pieces:
            yield from checked(facts, blocks)

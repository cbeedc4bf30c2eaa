"""CSV, TSV and lists of codes: encoding and separator found out, every value a text as it stands."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from importers import headers
from importers.contracts import Limits, RawRow, SecondLook, Source, Wanted
from importers.detection import looks_like_utf16
from importers.refusals import UnreadableFile, refusal
from licensing.cells import address

SEPARATORS = {",": ",", ";": ";", "\t": "\t", "tab": "\t", "|": "|", "comma": ",", "semicolon": ";", "pipe": "|"}
_CANDIDATES = (";", ",", "\t", "|")
_RECORDS_SAMPLED = 250
_BLOCK_BYTES = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_TOLD_NAMES = {"utf-8-sig": "utf-8"}


class DelimitedSheet:
    """The one table of a CSV file. Rows are counted as spreadsheets show them: records and blank lines."""

    name = ""
    is_hidden = False

    def __init__(self, path: Path, encoding: str, separator: str, skip_lines: int, limits: Limits) -> None:
        self._path, self._encoding, self._separator = path, encoding, separator
        self._skip_lines, self._limits = skip_lines, limits

    def rows(self) -> Iterator[RawRow]:
        """Every record, blank lines too. Raises :class:`UnreadableFile`."""
        csv.field_size_limit(self._limits.cell_characters)
        with _open(self._path, self._encoding) as file:
            lines = _Lines(file)
            for _ in range(self._skip_lines):
                next(lines, None)
            reader = csv.reader(lines, delimiter=self._separator)
            record, last = 0, list[str]()
            try:
                for row in reader:
                    record += 1
                    last, lines.taken = lines.taken, []
                    yield row
                _check_last_quote(last, lines.count, self._separator)
            except csv.Error as error:
                raise _too_long(lines, self._separator, record + 1, self._limits) from error
            except UnicodeError as error:
                raise refusal("wrong_encoding", detail=self._encoding, where=f"{lines.count + 1}") from error

    def second_look(self) -> SecondLook:
        """Nothing: a CSV file has no more than its text."""
        return SecondLook()


class _Lines:
    """The lines of a file, with those of the record that is being read."""

    def __init__(self, file: TextIOWrapper) -> None:
        self._file, self.taken, self.count = file, list[str](), 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._file)
        self.taken.append(line)
        self.count += 1
        return line


def _open(path: Path, encoding: str) -> TextIOWrapper:
    errors = "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"
    return path.open(encoding=encoding, errors=errors, newline="")


def _check_last_quote(record: list[str], line_count: int, separator: str) -> None:
    """The last record ran to the end of the file: because it is the last, or because a quote in it is not closed."""
    if _is_open(record, separator):
        raise refusal("quote_not_closed", where=str(line_count - len(record) + 1))


def _is_open(record: list[str], separator: str) -> bool:
    try:
        list(csv.reader(record, delimiter=separator, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _too_long(lines: _Lines, separator: str, record: int, limits: Limits) -> UnreadableFile:
    """A cell grew beyond the limit: most often because a quote was not closed."""
    if len(lines.taken) > 1:
        return refusal("quote_not_closed", where=str(lines.count - len(lines.taken) + 1))
    cells = lines.taken[0].split(separator) if lines.taken else [""]
    longest = max(range(len(cells)), key=lambda column: len(cells[column]))
    return refusal("cell_too_long", where=address(longest, record), most=limits.cell_characters)


def open_delimited(path: Path, wanted: Wanted, limits: Limits) -> Source:
    """The table of a CSV file, its encoding and separator as the sender states them or as found."""
    encoding = find_encoding(path, wanted.encoding)
    with _open(path, encoding) as file:
        try:
            first = file.readline(1000)
        except UnicodeError as error:
            raise refusal("wrong_encoding", detail=encoding, where="1") from error
    told = first.strip().strip('"')
    is_instruction = told.lower().startswith("sep=") and len(told) == 5
    separator = told[4] if is_instruction else "\t" if first.lower().startswith("sep=\t") else None
    skip = 1 if separator else 0
    if separator is None and wanted.separator:
        separator = SEPARATORS.get(wanted.separator.lower(), wanted.separator[:1])
    if separator is None:
        separator = find_separator(path, encoding, wanted, limits)
    sheet = DelimitedSheet(path, encoding, separator, skip, limits)
    return Source("csv", [sheet], _TOLD_NAMES.get(encoding, encoding), separator)


def find_encoding(path: Path, stated: str | None) -> str:
    """The byte order mark, else what the sender states, else UTF-8 if every byte fits, else cp1252."""
    with path.open("rb") as file:
        head = file.read(_BLOCK_BYTES)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        if order := looks_like_utf16(head):
            return order
        if stated:
            return stated.lower()
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while head:
                decoder.decode(head)
                head = file.read(_BLOCK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def find_separator(path: Path, encoding: str, wanted: Wanted, limits: Limits) -> str:
    """The separator under which most known headers are found; else the one that most records hold, equally often."""

    def rank(separator: str) -> tuple[int, int]:
        sheet = DelimitedSheet(path, encoding, separator, 0, limits)
        records = []
        try:
            for row in itertools.islice(sheet.rows(), _RECORDS_SAMPLED):
                records.append(row)
        except UnreadableFile:  # found again, and told, when the file is read
            pass
        filled = [(number, row) for number, row in enumerate(records, 1) if any(row)]
        header = headers.find(filled[: headers.ROWS_SEARCHED], wanted, "")
        known = len(header.columns) if isinstance(header, headers.Header) and header.row else 0
        widths = Counter(len(row) for _, row in filled if len(row) > 1)
        return known, max(widths.values(), default=0)

    return max(_CANDIDATES, key=rank)

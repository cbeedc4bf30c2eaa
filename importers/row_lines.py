"""Rows to lines for PostgreSQL's COPY, a million at a time: cells packed as JSON, subjects hashed, repeats noticed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

import orjson

from importers.contracts import BLANK_ROWS_TOLERATED, Limits, RawRow, Wanted
from importers.headers import Header
from importers.refusals import refusal
from importers.subjects import subjects_reader
from importers.totals import may_hold_totals, with_totals_held
from licensing import parsing
from licensing.cells import Unreadable, address, column_letters, pack

BLOCK_BYTES = 1 << 19
FURTHER_LANES = 15
_ERRORS = re.compile(
    r"#(N/A|VALUE!|REF!|DIV/0!|NAME\?|NUM!|NULL!|N/D|VALORE!|RIF!|NOME\?|NULLO!|SPILL!|CALC!|GETTING_DATA|FIELD!)|Err:\d{3}"
)
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME
_TOGETHER = 32  # rows
# In JSON: what may be an escape, an error, a guard, a number without value.
_ODD = (b"\\", b'"#', b"\"'", b"null")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")  # see exporters/delimited.py

Write = Callable[[bytes], None]


def pack_odd(value: object) -> Any:
    """The JSON form of what orjson does not know: dates, times, durations."""
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return pack(value)  # type: ignore[arg-type]


class RowLines:
    """Writes the rows of one table as COPY lines, in blocks."""

    def __init__(
        self,
        header: Header,
        wanted: Wanted,
        limits: Limits,
        write: Write,
        *,
        prefix: str,
        unreadable: Mapping[tuple[int, int], str],
        is_csv: bool,
    ) -> None:
        self._limits, self._write, self._prefix = limits, write, prefix.encode()
        self._header, self._is_csv = header, is_csv
        self._unreadable: dict[int, dict[int, str]] = {}
        for (row, column), shown in unreadable.items():
            self._unreadable.setdefault(row + 1, {})[column] = shown
        self._subjects_of = subjects_reader(header.columns, wanted)
        self._header_keys = {column: header.titles[column] for column in header.columns.values()} if header.row else {}
        self._key_column = min(self._header_keys, default=0)
        self._key = self._header_keys.get(self._key_column)
        self._before = self.last_row = header.row
        self.row_count = self.width = self.cells = 0
        self.totals: list[str] = []

    def write(self, rows: Iterator[tuple[int, RawRow]]) -> None:
        """Take rows with their sheet rows, blank ones too, in order. One loop, gone through a million times."""
        lines: list[bytes] = []
        size, ordinal, held, seen = 0, 0, list[tuple[int, RawRow]](), set[int]()
        prefix = self._prefix
        for sheet_rows, filled in self._filled(_with_rows_of(self._unreadable, rows), held):
            few, packed = self._packed(sheet_rows, filled)
            for sheet_row, subject, text in zip(sheet_rows, self._subjects_of(few), packed, strict=True):
                ordinal += 1
                if subject is None:
                    line = b"%b\t%d\t%d\t0\t\\N\t%b\n" % (prefix, ordinal, sheet_row, text)
                else:
                    if subject in seen:
                        lane = 1 + subject % FURTHER_LANES
                    else:
                        seen.add(subject)
                        lane = 0
                    line = b"%b\t%d\t%d\t%d\t%d\t%b\n" % (prefix, ordinal, sheet_row, lane, subject, text)
                lines.append(line)
                size += len(line)
            lengths = list(map(len, few))
            self.cells += sum(lengths)
            self.width = max(self.width, *lengths)
            self.row_count, self.last_row = ordinal, sheet_rows[-1]
            if size > BLOCK_BYTES:
                self._check()
                self._write(b"".join(lines))
                lines.clear()
                size = 0
        self._check()
        if lines:
            self._write(b"".join(lines))
        self.totals = [f"{column_letters(_first(row))}{sheet_row}" for sheet_row, row in held]

    def _filled(
        self, rows: Iterator[tuple[int, RawRow]], held: list[tuple[int, RawRow]]
    ) -> Iterator[tuple[Sequence[int], Sequence[RawRow]]]:
        """Sheet rows and rows that hold something, without blank cells at their end, a few together; totals held."""
        while few := list(islice(rows, _TOGETHER)):
            if held or not self._are_plain(few):
                few = list(with_totals_held(self._filled_alone(few), held))
            if few:
                yield [sheet_row for sheet_row, _ in few], [row for _, row in few]

    def _are_plain(self, few: Sequence[tuple[int, RawRow]]) -> bool:
        """Whether rows need no look at each: one under the other, none blank at its end, a total or a header again.

        Seen of a few together in much less time than one by one.
        """
        last = few[-1][0]
        if self._unreadable or last - self._before != len(few):
            return False
        rows = [row for _, row in few]
        lengths = set(map(len, rows))
        if min(lengths) <= self._key_column or max(lengths) > self._limits.columns:
            return False
        ends = [row[-1] for row in rows]
        if "" in ends or any(type(end) is str and end.isspace() for end in ends) or may_hold_totals(rows):
            return False
        if self._key is not None and self._key in [row[self._key_column] for row in rows]:
            return False
        self._before = last
        return True

    def _filled_alone(self, rows: Iterable[tuple[int, RawRow]]) -> Iterator[tuple[int, RawRow]]:
        most, unreadable = self._limits.columns, self._unreadable
        tolerated = self._limits.rows if self._is_csv else BLANK_ROWS_TOLERATED
        for sheet_row, row in rows:
            while row and row[-1] == "":
                del row[-1]
            if sheet_row in unreadable:
                row.extend([""] * (max(unreadable[sheet_row]) + 1 - len(row)))
            if not row or (type(row[-1]) is str and row[-1].isspace() and _is_blank(row)):
                continue
            if len(row) > most:
                raise refusal("too_many_columns", where=address(len(row) - 1, sheet_row), most=most)
            if sheet_row - self._before > tolerated:
                raise refusal("far_cell", where=address(_first(row), sheet_row), n=sheet_row - self._before - 1)
            self._before = sheet_row
            if self._key is not None and row[self._key_column : self._key_column + 1] == [self._key]:
                self._check_repeated_header(row, sheet_row)
            yield sheet_row, row

    def _packed(self, sheet_rows: Sequence[int], rows: Sequence[RawRow]) -> tuple[Sequence[RawRow], Sequence[bytes]]:
        """Rows as they are understood, and their cells as JSON in which COPY finds nothing to interpret."""
        packed = None if self._unreadable else self._packed_together(rows)
        if packed is not None:
            return rows, packed
        each = [self._packed_alone(*one) for one in zip(sheet_rows, rows, strict=True)]
        return [row for row, _ in each], [text for _, text in each]

    def _packed_together(self, rows: Sequence[RawRow]) -> list[bytes] | None:
        """The cells of rows as JSON; None where one of them may need a closer look."""
        try:
            packed = [orjson.dumps(row, pack_odd, _OPTIONS) for row in rows]
        except TypeError:  # a lone surrogate
            return None
        together = b"".join(packed)
        if len(together) > self._limits.cell_characters or any(mark in together for mark in _ODD):
            return None
        if b'""' in together:  # without a backslash in it, that is a blank cell
            return [text.replace(b'""', b"null") for text in packed]
        return packed

    def _packed_alone(self, sheet_row: int, row: RawRow) -> tuple[RawRow, bytes]:
        packed = None if sheet_row in self._unreadable else self._packed_together([row])
        if packed is not None:
            return row, packed[0]
        settled = self._settled(row, sheet_row)
        return settled, orjson.dumps(settled, pack_odd, _OPTIONS).replace(b"\\", b"\\\\")

    def _check_repeated_header(self, row: RawRow, sheet_row: int) -> None:
        if all(row[column : column + 1] == [title] for column, title in self._header_keys.items()):
            raise refusal("two_headers", where=f"{self._header.row}, {sheet_row}")

    def _check(self) -> None:
        if self.row_count > self._limits.rows:
            raise refusal("too_many_rows", it={"where": "La tabella"}, where="The table", most=self._limits.rows)
        if self.cells > self._limits.cells:
            raise refusal("too_many_cells", most=self._limits.cells)

    def _settled(self, row: RawRow, sheet_row: int) -> RawRow:
        """The row with blanks as None, and what has no value as unreadable."""
        marked = self._unreadable.get(sheet_row, {})
        found: RawRow = []
        for column, cell in enumerate(row):
            if column in marked:
                found.append({"unreadable": marked[column]})
            elif isinstance(cell, str):
                if len(cell) > self._limits.cell_characters:
                    where = address(column, sheet_row)
                    raise refusal("cell_too_long", where=where, most=self._limits.cell_characters)
                found.append(self._text(cell))
            elif isinstance(cell, float) and not math.isfinite(cell):
                found.append(pack(Unreadable(str(cell))))
            else:
                found.append(cell)
        return found

    def _text(self, cell: str) -> Any:
        if not cell:
            return None
        if self._is_csv:
            cell = _unguarded(cell)
        if "\x00" in cell or _has_surrogate(cell):
            return pack(Unreadable(parsing.shown(cell)))
        return pack(Unreadable(cell)) if _ERRORS.fullmatch(cell) else cell


def _with_rows_of(unreadable: Mapping[int, Any], rows: Iterator[tuple[int, RawRow]]) -> Iterator[tuple[int, RawRow]]:
    """The rows, and after the last one those that hold nothing but unreadable cells: the library leaves them out."""
    if not unreadable:
        return rows
    return _with_rows_after(sorted(unreadable), rows)


def _with_rows_after(numbers: list[int], rows: Iterator[tuple[int, RawRow]]) -> Iterator[tuple[int, RawRow]]:
    last = 0
    for item in rows:
        last = item[0]
        yield item
    yield from ((number, []) for number in numbers if number > last)


def _is_blank(row: RawRow) -> bool:
    """Whether a row holds nothing but spaces of any kind."""
    return all(isinstance(cell, str) and not parsing.trim(cell) for cell in row)


def _first(row: RawRow) -> int:
    """The column of a row's first cell that is not blank."""
    return next((column for column, cell in enumerate(row) if cell != ""), 0)


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _unguarded(cell: str) -> str:
    """A CSV cell as it is meant: ``="00012"`` is 00012, and the mark that keeps a formula from running is taken off."""
    if len(cell) > 2 and cell.startswith('="') and cell.endswith('"') and '"' not in cell[2:-1]:
        return cell[2:-1]
    return cell[1:] if cell[0] == "'" and _GUARDED.match(cell) else cell

"""One row as sheet XML. The hot path of every result file: a row of 15 cells takes about 5 microseconds.

Text is written inline, with the format Text, so that a cell that looks like a formula stays text even when someone
edits it. Cells carry no addresses (the schema does not ask for them), so a piece need not know its place in the sheet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

import orjson

from licensing.cells import PackedCell

DEFAULT, TEXT, DATE, DATE_TIME, TIME, HEADER = range(6)  # places in the style sheet's list of cell formats
_TOGETHER = 16  # rows; their JSON is shorter than the longest text, as a rule
LONGEST_TEXT = 32_767  # UTF-16 units in a cell; one more and Excel calls the file damaged

_TEXT_CELL = f'<c s="{TEXT}" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>'
_HEADER_CELL = f'<c s="{HEADER}" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>'
# %.0s takes a value (None) and prints nothing of it.
_TEMPLATES = {str: _TEXT_CELL, type(None): "<c/>%.0s", bool: '<c t="b"><v>%d</v></c>'}
_SPECIAL = (int, float, dict)
ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"))
# What XML cannot hold at all, and the carriage return, which every XML reader would turn into a line feed.
_FORBIDDEN_SET = "\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff"
_FORBIDDEN = re.compile(f"[{_FORBIDDEN_SET}]")
# Text that Excel would take for one of its escapes, or that becomes one when the character behind it is escaped.
_ESCAPE_LOOKALIKE = re.compile(f"_(?=x[0-9A-Fa-f]{{4}}[_{_FORBIDDEN_SET}])")
_ESCAPE_LOOKALIKE_BYTES = re.compile(rb"_x[0-9A-Fa-f]{4}_")
_NONCHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")


def storable(text: str) -> str:
    """Text as a cell may hold it: what XML cannot hold is written in Excel's own escapes, what is too long is cut."""
    if len(text) * 2 > LONGEST_TEXT:
        text = _cut(text)
    return _FORBIDDEN.sub(lambda found: f"_x{ord(found[0]):04X}_", _ESCAPE_LOOKALIKE.sub("_x005F_", text))


def escaped(text: str) -> str:
    """Text as it may stand in the XML of a cell."""
    return storable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= LONGEST_TEXT * 2:
        return text
    return units[: (LONGEST_TEXT - 1) * 2].decode("utf-16-le", "ignore") + "…"


def _serial(moment: datetime) -> float | None:
    """Excel's number for a moment: days since 1900 (with its leap year that never was); None before that."""
    passed = moment - datetime(1899, 12, 30)
    serial = passed.days + (passed.seconds + passed.microseconds / 1e6) / 86_400
    if serial < 61:  # before 1 March 1900
        serial -= 1
    return serial if serial >= 1 else None


@lru_cache(maxsize=8192)
def _object_cell(form: str, text: str) -> str:
    """A date, a time or an unreadable cell."""
    if form == "unreadable":
        return f'<c t="e"><v>{text}</v></c>' if text in ERRORS else _TEXT_CELL % escaped(text)
    if form == "time":
        at = time.fromisoformat(text)
        seconds = at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6
        return f'<c s="{TIME}"><v>{seconds / 86_400!r}</v></c>'
    if form == "date":
        day = date.fromisoformat(text)
        number, style = _serial(datetime(day.year, day.month, day.day)), DATE
    else:
        number, style = _serial(datetime.fromisoformat(text).replace(tzinfo=None)), DATE_TIME
    if number is None:
        return _TEXT_CELL % text
    return f'<c s="{style}"><v>{int(number) if number == int(number) else repr(number)}</v></c>'


def _special_cell(cell: Any) -> str:
    if type(cell) is dict:
        ((form, text),) = cell.items()
        return _object_cell(form, text)
    if type(cell) is int:
        return _integer_cell(cell)
    return f"<c><v>{cell!r}</v></c>" if math.isfinite(cell) else _TEXT_CELL % str(cell)


@lru_cache(maxsize=8192)
def _integer_cell(number: int) -> str:
    # A spreadsheet keeps 15 digits of a number; a longer one is safe as text only.
    return f"<c><v>{number}</v></c>" if abs(number) < 10**15 else _TEXT_CELL % number


@lru_cache(maxsize=1024)
def _template(types: tuple[type, ...]) -> tuple[str, tuple[int, ...]]:
    """The row for a sequence of cell types, and which cells need more than being put in."""
    cells = "".join(_TEMPLATES.get(kind, "%s") for kind in types)
    return f"<row>{cells}</row>", tuple(place for place, kind in enumerate(types) if kind in _SPECIAL)


def _is_plain(rows: Sequence[Sequence[PackedCell]]) -> bool:
    """Whether no text of some rows needs escaping. JSON shows that quickest: control characters have a backslash."""
    try:
        shown = orjson.dumps(rows)
    except (orjson.JSONEncodeError, TypeError):  # a lone surrogate, an integer beyond 64 bits
        return False
    return not (
        b"&" in shown
        or b"<" in shown
        or b">" in shown
        or b"\\" in shown
        or len(shown) > LONGEST_TEXT
        or _ESCAPE_LOOKALIKE_BYTES.search(shown)
        or (not shown.isascii() and any(character in shown for character in _NONCHARACTERS))
    )


def rows_xml(rows: Sequence[tuple[PackedCell, ...]]) -> str:
    """Rows of the sheet. That a few together need no escaping is seen nearly as fast as of one."""
    found: list[str] = []
    for start in range(0, len(rows), _TOGETHER):
        few = rows[start : start + _TOGETHER]
        found += map(_plain_row_xml if _is_plain(few) else row_xml, few)
    return "".join(found)


def row_xml(row: tuple[PackedCell, ...]) -> str:
    """A row of the sheet."""
    if not _is_plain([row]):
        row = tuple([escaped(cell) if type(cell) is str else cell for cell in row])
    return _plain_row_xml(row)


def _plain_row_xml(row: tuple[PackedCell, ...]) -> str:
    template, specials = _template(tuple(map(type, row)))
    if not specials:
        return template % row
    values: list[Any] = list(row)
    for place in specials:
        values[place] = _special_cell(values[place])
    return template % tuple(values)


def header_xml(titles: Iterable[PackedCell]) -> str:
    """The header row; a title that is no text (a year, say) keeps its type."""
    cells = [
        _HEADER_CELL % escaped(title) if isinstance(title, str) else row_xml((title,)).removeprefix("<row>")[:-6]
        for title in titles
    ]
    return f"<row>{''.join(cells)}</row>"

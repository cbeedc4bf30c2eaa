"""What a spreadsheet cell can hold, and how it is written down as JSON.

A cell is ``None`` (blank), ``str``, ``int``, ``float``, ``bool``, ``datetime.date``, ``datetime.datetime``,
``datetime.time`` or :class:`Unreadable`. Rows are stored once as a JSON array of packed cells, so that the
original cells can be given back as they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose value cannot be known: ``#N/A``, a formula without a stored value, bytes without a character."""

    shown: str


Cell = None | str | int | float | bool | date | datetime | time | Unreadable
PackedCell = None | str | int | float | bool | dict[str, str]


def pack(cell: Cell) -> PackedCell:
    """The JSON form of a cell: strings, numbers, booleans and null as they are, the rest as a one-entry object."""
    if cell is None or isinstance(cell, str | bool | int | float):
        return cell
    if isinstance(cell, datetime):
        return {"datetime": cell.isoformat()}
    if isinstance(cell, date):
        return {"date": cell.isoformat()}
    if isinstance(cell, time):
        return {"time": cell.isoformat()}
    return {"unreadable": cell.shown}


def unpack(packed: PackedCell) -> Cell:
    """The cell that :func:`pack` wrote. Raises ``ValueError`` on an object it never writes."""
    if not isinstance(packed, dict):
        return packed
    ((form, text),) = packed.items()
    match form:
        case "date":
            return date.fromisoformat(text)
        case "datetime":
            return datetime.fromisoformat(text)
        case "time":
            return time.fromisoformat(text)
        case "unreadable":
            return Unreadable(text)
    raise ValueError(f"not a packed cell: {packed!r}")


def column_letters(index: int) -> str:
    """The letters of a zero-based column index as spreadsheets show them: 0 is ``A``, 26 is ``AA``."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def address(column: int, sheet_row: int) -> str:
    """The address of a cell, ``C17``: zero-based column, one-based row."""
    return f"{column_letters(column)}{sheet_row}"

"""Packed cells to typed values: what a kind's rules work with, or why a cell cannot be used.

The usual rows, texts without anything odd, take a short way: one small function for each column of them. A row with a
cell that is a number, a date or odd in any way takes the long way, which finds every fault and names its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from licensing import parsing
from licensing.cells import PackedCell
from licensing.countries import country_code
from licensing.fields import Field, Language
from licensing.outcomes import Rejected

ROW_WARNINGS: dict[str, dict[Language, str]] = {
    "number_in_code_column": {
        "en": "The cell holds a number and was read as the code {detail}; zeros in front of it are lost. Format the "
        "column as text.",
        "it": "La cella contiene un numero ed è stata letta come il codice {detail}; eventuali zeri iniziali sono "
        "persi. Formattare la colonna come testo.",
    },
    "code_left_out": {
        "en": "The spreadsheet turned this code into {detail} and digits are lost, so it was left out. Format the "
        "column as text.",
        "it": "Il foglio di calcolo ha trasformato questo codice in {detail} e alcune cifre sono perse, quindi è stato "
        "omesso. Formattare la colonna come testo.",
    },
}


class Habits(NamedTuple):
    """What an account states once, and a workbook about itself. No locale: day and month are never guessed."""

    locale: str | None = None
    date_1904: bool = False


class CellWarning(NamedTuple):
    """Something about a cell that does not keep its row from being used: a code of ``ROW_WARNINGS``."""

    code: str
    detail: str
    field: str


class _Later:
    """The answer of a short way that does not know."""


_LATER = _Later()
_NOTHING: tuple[Any, ...] = ()
_EMAIL = re.compile(r"[^\s@,;:<>()\[\]\"\\]+@[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)+")
_MARKS_OF_BAD_CHARACTERS = re.compile("[\u2400-\u2421]|\\\\u[0-9A-F]{4}")
_LARGEST_CACHE = 4096

# A column's cells to their values, and whether all of them are known.
Quick = Callable[[Sequence[PackedCell]], tuple[list[Any], bool]]
# The values of a row, what was refused, and what is worth a warning.
Read = tuple[Sequence[Any], Sequence[Rejected], Sequence[CellWarning]]


def _known(values: list[Any]) -> tuple[list[Any], bool]:
    return values, _LATER not in values


def _are_as_they_should_be(cells: Sequence[PackedCell], longest: int) -> str:
    """All cells as one text, where each is a text without anything to be taken off; "" where one may not be."""
    try:
        together = "".join(cells)  # type: ignore[arg-type]
    except TypeError:  # not all of them are texts
        return ""
    # The only space that is printable is the one that may have to be taken off.
    is_bare = together.isprintable() and " " not in together and "" not in cells
    return together if is_bare and len(max(cells, key=len, default="")) <= longest else ""  # type: ignore[arg-type]


def _quick_text(field: Field) -> Quick:
    longest, blank = field.longest, _LATER if field.required else None

    def text(cells: Sequence[PackedCell]) -> tuple[list[Any], bool]:
        if _are_as_they_should_be(cells, longest):
            return list(cells), True
        return _known(
            [
                (cell.strip() or blank)
                if type(cell) is str and cell.isprintable() and len(cell) <= longest
                else (blank if cell is None else _LATER)
                for cell in cells
            ]
        )

    return text


def _quick_code(field: Field, habits: Habits) -> Quick:
    longest, blank = field.longest, _LATER if field.required else None
    remembered = _remembering(field, habits)

    def code(cell: PackedCell) -> Any:
        if type(cell) is str and len(cell) <= longest and cell.isprintable() and "+" not in cell and ".0" not in cell:
            return cell.strip() or blank
        return remembered(cell) if type(cell) is str else blank if cell is None else _LATER

    def codes(cells: Sequence[PackedCell]) -> tuple[list[Any], bool]:
        together = _are_as_they_should_be(cells, longest)
        if together and "+" not in together and ".0" not in together:
            return list(cells), True
        return _known(list(map(code, cells)))

    return codes


def _quick_email(field: Field) -> Quick:
    longest, blank, is_email = field.longest, _LATER if field.required else None, _EMAIL.fullmatch

    def emails(cells: Sequence[PackedCell]) -> tuple[list[Any], bool]:
        return _known(
            [
                cell
                if type(cell) is str and is_email(cell) and len(cell) <= longest and cell.isprintable()
                else (blank if cell is None else _LATER)
                for cell in cells
            ]
        )

    return emails


def _quick_other(field: Field, habits: Habits) -> Quick:
    """The short way of columns with few different values."""
    blank, remembered = _LATER if field.required else None, _remembering(field, habits)

    def others(cells: Sequence[PackedCell]) -> tuple[list[Any], bool]:
        return _known(
            [
                remembered(cell) if type(cell) is str or type(cell) is int else (blank if cell is None else _LATER)
                for cell in cells
            ]
        )

    return others


def _remembering(field: Field, habits: Habits) -> Callable[[str | int], Any]:
    """The values of texts and whole numbers, those that were read before from memory."""
    blank = _LATER if field.required else None

    @lru_cache(_LARGEST_CACHE)
    def remembered(cell: str | int) -> Any:
        value = _of_text(field, cell, habits) if isinstance(cell, str) else _of_number(field, cell, habits)
        return _LATER if isinstance(value, Rejected) else blank if value is None else value

    return remembered


class RowReader:
    """Reads rows of packed cells by the columns that were found in their file.

    ``columns`` says where each field stands; a field without a column takes its text of ``given`` for every row.
    ``given_faults``: what is wrong with those texts; every row is rejected for it.
    """

    def __init__(
        self, fields: Sequence[Field], columns: Mapping[str, int], given: Mapping[str, Any], habits: Habits
    ) -> None:
        self.fields, self.habits = tuple(fields), habits
        self.columns = {field.name: columns[field.name] for field in fields if field.name in columns}
        self._width = max(self.columns.values(), default=-1) + 1
        self._given: dict[str, Any] = {}
        self.given_faults: list[Rejected] = []
        for field in self.fields:
            if field.name not in self.columns:
                self._take(field, given.get(field.name))
        self._plan: list[tuple[int, Quick]] = []
        for field in self.fields:
            if field.name in self.columns:
                self._plan.append((self.columns[field.name], self._quick(field)))
            else:
                self._plan.append((0, self._constant(self._given[field.name])))
        if not self._width:
            self._width = 1

    def _take(self, field: Field, text: Any) -> None:
        value = None if text is None else _of_text(field, str(text), self.habits)
        if value is None and field.required:
            value = Rejected("missing_value", field.name, field.name)
        if isinstance(value, Rejected):
            self.given_faults.append(value)
            value = None
        self._given[field.name] = value

    def _quick(self, field: Field) -> Quick:
        if field.type == "text":
            return _quick_text(field)
        if field.type == "code":
            return _quick_code(field, self.habits)
        return _quick_email(field) if field.type == "email" else _quick_other(field, self.habits)

    def _constant(self, value: Any) -> Quick:
        answer, is_known = (_LATER, False) if self.given_faults else (value, True)
        return lambda cells: ([answer] * len(cells), is_known)

    def read(self, cells: Sequence[PackedCell]) -> tuple[list[Any], Sequence[Rejected], Sequence[CellWarning]]:
        """The values in the order of the fields (None: blank), what was refused, and what is worth a warning."""
        values, rejections, warnings = self.read_rows([cells])[0]
        return list(values), rejections, warnings

    def read_rows(self, rows: Sequence[Sequence[PackedCell]]) -> list[Read]:
        """The same of many rows: columns of texts without anything odd are read as a whole."""
        width = self._width
        rows = [cells if len(cells) >= width else [*cells, *[None] * (width - len(cells))] for cells in rows]
        columns = [quick([cells[place] for cells in rows]) for place, quick in self._plan]
        read = zip(*[values for values, _ in columns], strict=True)
        if all(are_known for _, are_known in columns):
            return [(values, _NOTHING, _NOTHING) for values in read]
        return [
            self._read_all(cells) if _LATER in values else (values, _NOTHING, _NOTHING)
            for cells, values in zip(rows, read, strict=True)
        ]

    def _read_all(self, cells: Sequence[PackedCell]) -> tuple[list[Any], list[Rejected], list[CellWarning]]:
        values: list[Any] = []
        rejections, warnings = list(self.given_faults), list[CellWarning]()
        for field in self.fields:
            if field.name in self._given:
                values.append(self._given[field.name])
                continue
            value = _of_cell(field, cells[self.columns[field.name]], self.habits, warnings)
            if value is None and field.required:
                value = Rejected("missing_value", field.name, field.name)
            if isinstance(value, Rejected):
                rejections.append(value)
                value = None
            values.append(value)
        return values, rejections, warnings


def _of_cell(field: Field, cell: PackedCell, habits: Habits, warnings: list[CellWarning]) -> Any:
    """The value of one cell, None when it is blank, or why it cannot be used."""
    if cell is None:
        return None
    if isinstance(cell, dict):
        ((form, text),) = cell.items()
        return _of_odd_cell(field, form, text, warnings)
    if isinstance(cell, str):
        value = _of_text(field, cell, habits)
        return _lost(field, cell, warnings) if _is_lost(value) else value
    if field.type == "code":
        if isinstance(cell, bool) or not parsing.keeps_all_digits(cell):
            return _lost(field, str(cell), warnings)
        text = parsing.text_of_number(cell)
        warnings.append(CellWarning("number_in_code_column", text, field.name))
        return _of_text(field, text, habits)
    if isinstance(cell, bool):
        return cell if field.type == "flag" else _of_text(field, str(cell).upper(), habits)
    return _of_number(field, cell, habits)


def _is_lost(value: Any) -> bool:
    return isinstance(value, Rejected) and value.code == "changed_by_spreadsheet"


def _of_odd_cell(field: Field, form: str, text: str, warnings: list[CellWarning]) -> Any:
    if form == "unreadable":
        code = "bad_character" if _MARKS_OF_BAD_CHARACTERS.search(text) else "unreadable_cell"
        return Rejected(code, text, field.name)
    if field.type == "date" and (day := parsing.day_of_cell(form, text)):
        return day
    if field.type == "code":
        return _lost(field, text, warnings)
    if field.type in ("text", "list"):
        return text if field.type == "text" else (text,)
    return _rejected(_FAULTS[field.type], text, field)


def _lost(field: Field, text: str, warnings: list[CellWarning]) -> Rejected | None:
    """A code that the spreadsheet destroyed: refused, or left out where the row can do without."""
    if field.may_be_lost and not field.required:
        warnings.append(CellWarning("code_left_out", parsing.shown(text), field.name))
        return None
    return _rejected("changed_by_spreadsheet", text, field)


def _of_number(field: Field, number: float, habits: Habits) -> Any:
    if field.type == "date":
        return parsing.serial_date(number, habits.date_1904) or _rejected("bad_date", str(number), field)
    if field.type == "integer" and number == number // 1:
        return _within(field, int(number))
    if field.type == "decimal":
        return _within(field, number)
    return _of_text(field, parsing.text_of_number(number), Habits("en", habits.date_1904))


def _within(field: Field, number: Any) -> Any:
    if field.least <= number <= field.greatest:
        return number
    return _rejected("number_out_of_range", f"{number} ({field.least} - {field.greatest})", field)


def _rejected(code: str, text: str, field: Field) -> Rejected:
    return Rejected(code, parsing.shown(text), field.name)


_FAULTS = {
    "email": "bad_email",
    "country": "unknown_country",
    "date": "bad_date",
    "integer": "bad_whole_number",
    "decimal": "bad_number",
    "choice": "not_a_choice",
    "flag": "not_yes_or_no",
}


def _of_text(field: Field, raw: str, habits: Habits) -> Any:
    """The value of a text, None when it is blank, or why it cannot be used."""
    if parsing.has_bad_character(raw):
        return _rejected("bad_character", raw, field)
    text = parsing.trim(raw)
    if not text:
        return None
    if len(text) > field.longest:
        return _rejected("text_too_long", f"{len(text)} > {field.longest}", field)
    if field.type == "text":
        return text
    if field.type == "code":
        if not text.isprintable():
            return _rejected("bad_character", text, field)
        return parsing.code_text(text) or _rejected("changed_by_spreadsheet", text, field)
    value = _parsed(field, text, habits)
    if value == "ambiguous" and field.type == "date":
        return _rejected("ambiguous_date", text, field)
    return _rejected(_FAULTS[field.type], text, field) if value is None else value


def is_email(text: str) -> bool:
    """Whether a text is one mail address."""
    return _EMAIL.fullmatch(text) is not None


def _parsed(field: Field, text: str, habits: Habits) -> Any:
    match field.type:
        case "email":
            return text if is_email(text) else None
        case "country":
            return country_code(text)
        case "date":
            found: date | str | None = parsing.day(text, habits.locale, habits.date_1904)
            return found
        case "integer" | "decimal":
            number = parsing.number(text, habits.locale)
            if number is None or (field.type == "integer" and number % 1):
                return None
            return _within(field, int(number) if field.type == "integer" else number)
        case "choice":
            return {choice.casefold(): choice for choice in field.choices}.get(text.casefold())
        case "flag":
            return parsing.flag(text)
        case "list":
            return parsing.parts(text)
    raise AssertionError(field.type)

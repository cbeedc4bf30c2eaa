"""User-defined data of licenses: what a cell says, of which type it is, and when there is too much of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from licensing import parsing
from licensing.cells import PackedCell
from licensing.decisions import Decision

LONGEST_NAME = 64
LONGEST_VALUE = 1_000
MOST_FIELDS = 50  # of a license
DELETION_MARKS = frozenset({"(delete)", "(elimina)"})
# A text is a number only where nothing is lost by it: 00012 and +39 are codes, 1E5 is a name.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})([.,]\d{1,9})?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[/.-]\d{1,2}[/.-]\d{4}")
_FLAGS = {"true": "true", "yes": "true", "si": "true", "sì": "true", "vero": "true"} | dict.fromkeys(
    ("false", "no", "falso"), "false"
)


class Note(NamedTuple):
    """One value with its type; numbers with a point, days as YYYY-MM-DD, flags as true or false."""

    type: Literal["text", "number", "date", "flag"]
    value: str


class TooLong(NamedTuple):
    """A value that is not kept, with its length."""

    length: int


def note_of_cell(cell: PackedCell, locale: str | None) -> Note | TooLong | Literal["blank", "deleted", "unreadable"]:
    """What a cell says: a note, nothing, that the note is to go, or that it cannot be known."""
    if isinstance(cell, dict):
        ((form, text),) = cell.items()
        if form == "unreadable":
            return "unreadable"
        day = parsing.day_of_cell(form, text)
        return Note("date", day.isoformat()) if day and not text[11:].strip("0:") else Note("text", text)
    if isinstance(cell, bool):
        return Note("flag", "true" if cell else "false")
    if isinstance(cell, int | float):
        return Note("number", parsing.text_of_number(cell))
    return _note_of_text(parsing.trim(cell or ""), locale)


def _note_of_text(text: str, locale: str | None) -> Note | TooLong | Literal["blank", "deleted", "unreadable"]:
    if not text:
        return "blank"
    if parsing.has_bad_character(text):
        return "unreadable"
    if len(text) > LONGEST_VALUE:
        return TooLong(len(text))
    if text.casefold() in DELETION_MARKS:
        return "deleted"
    if text.casefold() in _FLAGS:
        return Note("flag", _FLAGS[text.casefold()])
    if _NUMBER.fullmatch(text) and (number := parsing.number(text, locale)) is not None:
        return Note("number", str(number))
    if _DAY.fullmatch(text) and not isinstance(day := parsing.day(text, locale), str | None):
        return Note("date", day.isoformat())
    return Note("text", text)


def decide_annotation(known: Mapping[str, Note], cells: Mapping[str, PackedCell], locale: str | None) -> Decision:
    """The answer to one row of ``annotate-licenses``: what its cells change of the notes that a license has.

    Names are the same in any case. ``effect`` holds the notes that change, by name; None: it goes.
    """
    names = {name.casefold(): name for name in known}
    changes: dict[str, Note | None] = {}
    for title, cell in cells.items():
        name = names.get(title.casefold(), title)
        note = note_of_cell(cell, locale)
        match note:
            case "blank":
                continue
            case "unreadable":
                shown = str(next(iter(cell.values()))) if isinstance(cell, dict) else parsing.shown(str(cell))
                return Decision("unreadable_cell", shown, field=title)
            case TooLong(length):
                return Decision("text_too_long", f"{length} > {LONGEST_VALUE}", field=title)
            case "deleted":
                if name in known:
                    changes[name] = None
            case Note():
                if len(title) > LONGEST_NAME:
                    return Decision("text_too_long", f"{len(title)} > {LONGEST_NAME}", field=title)
                if known.get(name) != note:
                    changes[name] = note
    if not changes:
        return Decision("unchanged")
    count = len(known.keys() | changes.keys()) - sum(note is None for note in changes.values())
    if count > MOST_FIELDS:
        return Decision("too_many_fields", f"{count} > {MOST_FIELDS}", field="license")
    return Decision("annotated", ", ".join(changes)[:200], effect=changes)

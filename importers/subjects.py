"""What a row is about: the parts of its subject, the same for every way of typing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from importers.contracts import RawRow, Wanted
from licensing import parsing
from licensing.codes import match_key

SubjectOf = Callable[[RawRow], tuple[str, ...] | None]


def subject_reader(at: Mapping[str, int], wanted: Wanted) -> SubjectOf:
    """A function from a row to the parts of its subject; None where one of them is blank or cannot be read."""
    types = {field.name: field.type for field in wanted.fields}
    domain = wanted.domain
    if not wanted.subject:
        return lambda _row: None
    keys = [_code_key if types[name] == "code" else _text_key for name in wanted.subject]
    columns = [at.get(name) for name in wanted.subject]
    if len(columns) == 1 and columns[0] is not None and keys[0] is _code_key:
        only = columns[0]

        def of_code(row: RawRow) -> tuple[str, ...] | None:
            cell = row[only] if only < len(row) else None
            key = match_key(cell) if type(cell) is str else _code_key(cell)
            return (domain, key) if key else None

        return of_code
    given = [key(wanted.given.get(name)) for key, name in zip(keys, wanted.subject, strict=True)]

    def of_parts(row: RawRow) -> tuple[str, ...] | None:
        parts = [domain]
        for column, key, constant in zip(columns, keys, given, strict=True):
            part = constant if column is None else key(row[column]) if column < len(row) else None
            if not part:
                return None
            parts.append(part)
        return tuple(parts)

    return of_parts


def _code_key(cell: object) -> str | None:
    if isinstance(cell, str):
        return match_key(parsing.trim(cell))
    if isinstance(cell, int | float) and not isinstance(cell, bool) and parsing.keeps_all_digits(cell):
        return match_key(parsing.text_of_number(cell))
    return None


def _text_key(cell: object) -> str | None:
    if isinstance(cell, str):
        return parsing.trim(cell).casefold()
    return str(cell) if isinstance(cell, int | float) else None

"""What rows are about: a number for the subject of each, the same for every way of typing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from xxhash import xxh3_64_intdigest

from importers.contracts import RawRow, Wanted
from licensing import parsing
from licensing.codes import match_key, match_keys

SubjectsOf = Callable[[Sequence[RawRow]], Sequence[int | None]]


def subject_hash(parts: Sequence[str]) -> int:
    """A signed 64-bit number for what a row is about, the same in every process. Equal parts, equal number."""
    text = "\x1f".join(parts)
    octets = text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")
    return xxh3_64_intdigest(octets) - (1 << 63)


def subjects_reader(at: Mapping[str, int], wanted: Wanted) -> SubjectsOf:
    """A function from rows to the hashes of their subjects; None where a part of one is blank or cannot be read."""
    types = {field.name: field.type for field in wanted.fields}
    domain = wanted.domain
    if not wanted.subject:
        return lambda rows: [None] * len(rows)
    keys = {
        name: _code_key if types[name] == "code" else _text_key for part in wanted.subject for name in part.split("|")
    }
    if len(wanted.subject) == 1 and set(keys.values()) == {_code_key} and not keys.keys() & wanted.given.keys():
        return _code_reader(domain, [at[name] for name in keys if name in at])
    given = {name: key(wanted.given.get(name)) for name, key in keys.items()}

    def part_of(row: RawRow, name: str) -> str | None:
        column = at.get(name)
        if column is None:
            return given[name]
        return keys[name](row[column]) if column < len(row) else None

    def of_parts(row: RawRow) -> int | None:
        parts = [domain]
        for names in wanted.subject:
            part = next(filter(None, (part_of(row, name) for name in names.split("|"))), None)
            if not part:
                return None
            parts.append(part)
        return subject_hash(parts)

    return lambda rows: list(map(of_parts, rows))


def _code_reader(domain: str, columns: Sequence[int]) -> SubjectsOf:
    """The short way for a code in one of a few columns, in the order in which they are asked."""

    def of_code(row: RawRow) -> int | None:
        keys = (_code_key(row[column]) for column in columns if column < len(row))
        key = next(filter(None, keys), None)
        return subject_hash((domain, key)) if key else None

    def of_codes(rows: Sequence[RawRow]) -> Sequence[int | None]:
        try:
            keys = match_keys([row[columns[0]] for row in rows])
        except (IndexError, TypeError):
            keys = [""]
        if "" in keys:
            return list(map(of_code, rows))
        return [subject_hash((domain, key)) for key in keys]

    return of_codes


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

"""Header rows: which row is the header, and which known field stands in which column."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from importers.contracts import RawRow, Wanted
from importers.layouts import CODE_LIST, CODE_LIST_FIELD, LAYOUTS
from importers.refusals import UnreadableFile, refusal
from licensing.cells import address
from licensing.codes import looks_like_code
from licensing.fields import Field

ROWS_SEARCHED = 50  # non-blank rows, from the top of a sheet


@dataclass
class Header:
    """Where a table's header stands and what it says; ``row`` is the sheet row from 1, 0 for a list without header."""

    row: int
    titles: list[str]
    columns: dict[str, int]
    layout: str | None = None


def header_key(text: str) -> str:
    """The key by which headers are compared: no case, accents, spaces or punctuation; ``E-mail`` is ``email``."""
    return "".join(char for char in unicodedata.normalize("NFKD", text).casefold() if char.isalnum())


@lru_cache(maxsize=4096)
def _own_key(title: str) -> str:
    """The key of a title of ours, which is asked for with each row that may be a header."""
    return header_key(title)


def _names(fields: Sequence[Field]) -> dict[str, tuple[str, bool]]:
    """Every header that stands for a field, and whether it is the field's own name rather than a synonym."""
    known: dict[str, tuple[str, bool]] = {}
    for field in fields:
        known |= {_own_key(synonym): (field.name, False) for synonym in field.synonyms}
    for field in fields:
        known |= {_own_key(title): (field.name, True) for title in (field.name, *field.title.values())}
    return known


def _in_layout(keys: Sequence[str], wanted: Wanted) -> tuple[str, dict[str, int], set[int]] | None:
    """The foreign layout that a row is the header of, the columns of the wanted fields, and those that are not ours."""
    names = {field.name for field in wanted.fields}
    for layout in LAYOUTS:
        if all(_own_key(title) in keys for title in layout.told_by):
            meant = {_own_key(title): name for title, name in layout.columns.items()}
            columns: dict[str, int] = {}
            for column, key in enumerate(keys):
                name = meant.get(key)
                if name in names:
                    columns.setdefault(name, column)
            if columns:
                strange = {column for column, key in enumerate(keys) if key in meant and meant[key] not in names}
                return layout.name, columns, strange
    return None


def match(row: Sequence[object], sheet_row: int, wanted: Wanted) -> Header | None:
    """What a row says as a header; None when it names no field. Raises when two columns claim the same field."""
    titles = ["" if cell is None else str(cell) for cell in row]
    keys = [header_key(title) if isinstance(cell, str) else "" for cell, title in zip(row, titles, strict=True)]
    known = _names(wanted.fields)
    layout, columns, strange = _in_layout(keys, wanted) or (None, {}, set[int]())
    columns |= _mapped_by_hand(keys, wanted)
    found: dict[str, list[tuple[bool, int]]] = {}
    for column, key in enumerate(keys):
        if key in known and column not in columns.values() and column not in strange:
            name, is_own = known[key]
            found.setdefault(name, []).append((is_own, column))
    for name, claims in found.items():
        if name not in columns:
            columns[name] = _only_claim(name, claims, sheet_row, wanted)
    return Header(sheet_row, titles, columns, layout) if columns else None


def _mapped_by_hand(keys: Sequence[str], wanted: Wanted) -> dict[str, int]:
    """The columns of fields that titles of the sender's own stand for: they come before every other claim."""
    names = {field.name for field in wanted.fields}
    return {name: column for column, key in enumerate(keys) if (name := wanted.mapped.get(key, "")) in names}


def _only_claim(name: str, claims: list[tuple[bool, int]], sheet_row: int, wanted: Wanted) -> int:
    """The column of a field: the one that bears its own name before those with synonyms."""
    best = [column for is_own, column in claims if is_own] or [column for _, column in claims]
    if len(best) > 1:
        field = next(field for field in wanted.fields if field.name == name)
        where = ", ".join(address(column, sheet_row) for column in best)
        raise refusal("two_columns", it={"detail": field.title["it"]}, detail=field.title["en"], where=where)
    return best[0]


def missing(wanted: Wanted, columns: Mapping[str, int]) -> list[Field]:
    """The required fields that have neither a column nor a value for all rows."""
    return [f for f in wanted.fields if f.required and f.name not in columns and not wanted.given.get(f.name)]


def nearest(rows: Sequence[tuple[int, RawRow]], wanted: Wanted) -> Header | None:
    """Of the first rows of a sheet the one that names most fields, whatever is missing."""
    found = []
    for sheet_row, row in rows:
        with suppress(UnreadableFile):
            found.append(match(row, sheet_row, wanted))
    return max((header for header in found if header), key=lambda header: len(header.columns), default=None)


def find(rows: Sequence[tuple[int, RawRow]], wanted: Wanted, sheet: str) -> Header | UnreadableFile:
    """The header among the first rows of a sheet, each with its sheet row; or why there is none."""
    fitting: list[Header] = []
    partial: Header | None = None
    doubtful: UnreadableFile | None = None
    for sheet_row, row in rows:
        try:
            header = match(row, sheet_row, wanted)
        except UnreadableFile as error:
            doubtful = doubtful or error
            continue
        if header is None:
            continue
        if not missing(wanted, header.columns):
            fitting.append(header)
        elif partial is None or len(header.columns) > len(partial.columns):
            partial = header
    if fitting:
        return _best(fitting)
    if doubtful is not None:
        return doubtful
    if partial is not None and (len(partial.columns) > 1 or not _starts_with_code(rows)):
        return _refused("missing_columns", missing(wanted, partial.columns), f"{sheet} {partial.row}".strip())
    return _code_list(rows, wanted) or _refused("no_header", missing(wanted, {}) or list(wanted.fields), sheet)


def _best(fitting: list[Header]) -> Header | UnreadableFile:
    """The first of the rows that name most fields. Another that names several, or the same one, is a second header."""
    best = max(fitting, key=lambda header: len(header.columns))
    rivals = [h for h in fitting if h is best or len(h.columns) > 1 or h.columns == best.columns]
    if len(rivals) > 1:
        return refusal("two_headers", where=", ".join(str(header.row) for header in rivals))
    return best


def _starts_with_code(rows: Sequence[tuple[int, RawRow]]) -> bool:
    first = rows[0][1][0] if rows and rows[0][1] else ""
    return isinstance(first, str) and looks_like_code(first)


def _code_list(rows: Sequence[tuple[int, RawRow]], wanted: Wanted) -> Header | UnreadableFile | None:
    """A list without header: its first cell already passes as a voucher code."""
    if CODE_LIST_FIELD not in {field.name for field in wanted.fields} or not _starts_with_code(rows):
        return None
    columns = {CODE_LIST_FIELD: 0}
    lacking = missing(wanted, columns)
    if lacking:
        return _refused("missing_columns_of_list", lacking, "")
    return Header(0, [], columns, CODE_LIST)


def _refused(code: str, fields: list[Field], where: str) -> UnreadableFile:
    italian = ", ".join(field.title["it"] for field in fields)
    return refusal(code, it={"detail": italian}, detail=", ".join(field.title["en"] for field in fields), where=where)

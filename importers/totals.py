"""Totals under a table, which are no rows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from importers.contracts import RawRow

_TOTALS = re.compile(
    r"((grand|sub)?[\s-]?tot(al|ale|ali|als)?(\s(generale|complessivo|righe|rows))?|somma|sum)\s?[.:]?", re.IGNORECASE
)
_BEGINS_TOTALS = frozenset("tTgGsS ")
_NUMBER = re.compile(r"[\s\d.,'%€$£+-]*")


def with_totals_held(
    rows: Iterator[tuple[int, RawRow]], held: list[tuple[int, RawRow]]
) -> Iterator[tuple[int, RawRow]]:
    """Rows; those that say ``Total`` are held back, and given out only when another row follows."""
    for item in rows:
        if is_total(item[1]):
            held.append(item)
        else:
            if held:
                yield from held
                held.clear()
            yield item


def may_hold_totals(rows: Sequence[RawRow]) -> bool:
    """Whether one of these rows may be a total, by how it begins; none of them is without cells."""
    firsts = [row[0] for row in rows]
    return "" in firsts or not _BEGINS_TOTALS.isdisjoint([first[0] for first in firsts if type(first) is str])


def is_total(row: RawRow) -> bool:
    """Whether a row sums up the table: the word first, and beside it nothing but numbers."""
    first = row[0] if row[0] != "" else next((cell for cell in row if cell != ""), "")
    if type(first) is not str or first[:1] not in _BEGINS_TOTALS or not _TOTALS.fullmatch(first.strip()):
        return False
    others = [cell for cell in row if cell != "" and cell is not first]
    return all(not isinstance(cell, str) or _NUMBER.fullmatch(cell) for cell in others)

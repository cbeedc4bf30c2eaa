"""Lists beside a result table, as CSV, streamed: for rows whose answer is more than one thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from exporters.delimited import BOM, written
from licensing.cells import Cell, pack
from licensing.fields import Language

MEDIA_TYPE = "text/csv; charset=utf-8"
Title = Mapping[Language, str]
_BLOCK_ROWS = 5_000


def listing(
    titles: Sequence[Title], rows: Iterable[Sequence[Cell]], language: Language, separator: str = ","
) -> Iterator[bytes]:
    """Rows of texts, numbers, days and None below their titles."""
    yield BOM + written([[title[language] for title in titles]], separator)[0]
    coming = iter(rows)
    while block := list(islice(coming, _BLOCK_ROWS)):
        yield written([[pack(value) for value in row] for row in block], separator)[0]

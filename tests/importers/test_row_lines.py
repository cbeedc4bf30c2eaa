"""Rows to lines: looked at a few together, which is quicker, or one by one, which is plain."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from importers.contracts import Limits, Wanted
from importers.headers import Header
from importers.refusals import UnreadableFile
from importers.row_lines import RowLines
from licensing.field_catalogue import FIELDS

# Rows that want a look each, among rows that do not.
ODD: list[list[Any]] = [
    [], ["", ""], [" ", " "], ["\u00a0", "\t"], ["a", ""], ["a", "b", " "], ["", "N-1"], ["b"],
    ["a", "b", "c", "d", "e"], ["Total", 7], ["Total"], ["", "Total", "1,5"], ["Total", "a"], ["sum", 1],
    ["x", "n", "q"], ["n", "q"],
    ["#N/A", "a"], ["'=1", 'q"', "\\"], ["\x00"], ["a" * 41], [7, 2.5], ["KMN-O", "KMN-0"], ["a", "KMN-O"],
]  # fmt: skip
PLAIN: list[list[Any]] = [["a", "b"], ["KMN1", 7, "c"], ["b", "KMN-0", 2.5]]
HEADERS = [
    Header(1, ["x", "n", "q"], {"license": 1, "quantity": 2}),
    Header(1, ["n", "q"], {"license": 0, "quantity": 1}),
    Header(0, [], {"license": 1}),
]


class OneByOne(RowLines):
    """Every row is looked at by itself."""

    def _are_plain(self, _few: Any) -> bool:
        return False

    def _packed_together(self, rows: Any) -> Any:
        return super()._packed_together(rows) if len(rows) == 1 else None


def told(way: type[RowLines], rows: list[list[Any]], start: int, header: Header, **options: Any) -> Any:
    """Everything that comes of rows: their lines and what is counted, or the refusal."""
    wanted = Wanted((FIELDS["license"], FIELDS["quantity"]), ("license",), "d")
    blocks: list[bytes] = []
    limits = Limits(columns=4, rows=38, cells=82, cell_characters=40)
    lines = way(header, wanted, limits, blocks.append, prefix="1", **options)
    try:
        lines.write(enumerate([list(row) for row in rows], header.row + start))
    except UnreadableFile as refusal:
        return refusal.code, refusal.en
    return b"".join(blocks), lines.row_count, lines.cells, lines.width, lines.last_row, lines.totals


@pytest.mark.parametrize("header", HEADERS, ids=["third", "first", "none"])
@pytest.mark.parametrize("is_csv", [False, True])
def test_rows_taken_together_become_the_same_lines(header: Header, is_csv: bool) -> None:
    """Blank and short rows, totals, a header again, odd cells, repeats, too many of anything: each with each other."""
    found = set()
    far = 39 if is_csv else 2_000_000  # below the header: more blank rows than are passed over
    for first, second in product([*ODD, *PLAIN], repeat=2):
        inside, around, below = [*PLAIN, first, PLAIN[0], second], [first, *PLAIN, second], [*PLAIN * 11, first, second]
        for rows, start, unreadable in (
            (inside, 1, {}), (around, 1, {}), (below, 1, {}), (inside, far, {}), (around, 1, {(5, 2): "=A1"}),
        ):  # fmt: skip
            options = {"unreadable": unreadable, "is_csv": is_csv}
            said = told(RowLines, rows, start, header, **options)
            assert said == told(OneByOne, rows, start, header, **options), rows
            found.add(said[0] if isinstance(said[0], str) else "lines")
    assert found >= {"lines", "too_many_columns", "too_many_cells", "cell_too_long", "far_cell"}

"""Cells: what is packed comes back as it was, and addresses are those that spreadsheets show."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.cells import Cell, PackedCell, Unreadable, address, column_letters, pack, unpack

CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(),
    st.text(),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.builds(Unreadable, st.text()),
)


@given(CELLS)
def test_a_cell_survives_storage(cell: Cell) -> None:
    """Packed, written as JSON, read and unpacked, a cell has its type and value again."""
    back = unpack(json.loads(json.dumps(pack(cell))))
    assert back == cell
    assert type(back) is type(cell)


@pytest.mark.parametrize(
    ("cell", "packed"),
    [
        (None, None),
        ("", ""),
        (True, True),
        (1, 1),
        (1.0, 1.0),
        (date(2026, 11, 25), {"date": "2026-11-25"}),
        (datetime(2026, 11, 25, 10, 30), {"datetime": "2026-11-25T10:30:00"}),
        (time(10, 30, 5), {"time": "10:30:05"}),
        (Unreadable("#N/A"), {"unreadable": "#N/A"}),
    ],
)
def test_the_stored_form_stays_the_same(cell: Cell, packed: PackedCell) -> None:
    """Rows stored years ago must still be read, so the stored form of each sort of cell is fixed."""
    assert pack(cell) == packed
    assert type(pack(cell)) is type(packed)


def test_a_float_that_is_no_number_is_passed_through() -> None:
    """Packing does not judge values."""
    assert math.isnan(pack(math.nan))  # type: ignore[arg-type]


@pytest.mark.parametrize("packed", [{}, {"date": "2026-11-25", "time": "10:00"}, {"datum": "x"}, {"date": "x"}])
def test_what_was_never_packed_is_refused(packed: dict[str, str]) -> None:
    """An object that packing never writes is an error and not a cell."""
    with pytest.raises(ValueError, match=r"."):
        unpack(packed)


@pytest.mark.parametrize(
    ("index", "letters"),
    [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")],
)
def test_columns_are_called_as_in_spreadsheets(index: int, letters: str) -> None:
    """Column letters are right at every place where a letter is added, up to the last column."""
    assert column_letters(index) == letters


def test_every_column_has_a_name_of_its_own() -> None:
    """No two columns of a sheet share their letters, and they sort by length, then alphabet."""
    names = [column_letters(index) for index in range(16_384)]
    assert names == sorted(set(names), key=lambda name: (len(name), name))
    assert len(names) == 16_384


def test_an_address_counts_rows_from_one() -> None:
    """The third column of row 17 is C17."""
    assert address(2, 17) == "C17"

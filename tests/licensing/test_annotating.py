"""User-defined data: the type of each cell, marks of deletion, and the limits."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.annotating import (
    LONGEST_NAME,
    LONGEST_VALUE,
    MOST_FIELDS,
    Note,
    TooLong,
    decide_annotation,
    note_of_cell,
)

KNOWN = {"Cost center": Note("text", "ABC"), "Seats": Note("number", "5")}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, "blank"),
        ("  \u00a0", "blank"),
        ("(delete)", "deleted"),
        (" (Elimina) ", "deleted"),
        ({"unreadable": "#N/A"}, "unreadable"),
        ("bell\x07", "unreadable"),
        ("x" * (LONGEST_VALUE + 1), TooLong(LONGEST_VALUE + 1)),
        ("Milano", Note("text", "Milano")),
        ("00012", Note("text", "00012")),
        ("+390212345", Note("text", "+390212345")),
        ("1E5", Note("text", "1E5")),
        ("12345678901234567", Note("text", "12345678901234567")),
        ("42", Note("number", "42")),
        ("1,5", Note("number", "1.5")),
        ("1.234", Note("text", "1.234")),
        (42, Note("number", "42")),
        (42.0, Note("number", "42")),
        (1.5, Note("number", "1.5")),
        (True, Note("flag", "true")),
        ("Sì", Note("flag", "true")),
        ("NO", Note("flag", "false")),
        ("x", Note("text", "x")),
        ("2026-11-25", Note("date", "2026-11-25")),
        ("25/11/2026", Note("date", "2026-11-25")),
        ("05/11/2026", Note("text", "05/11/2026")),
        ({"date": "2026-11-25"}, Note("date", "2026-11-25")),
        ({"datetime": "2026-11-25T00:00:00"}, Note("date", "2026-11-25")),
        ({"datetime": "2026-11-25T13:30:00"}, Note("text", "2026-11-25T13:30:00")),
        ({"time": "13:30:00"}, Note("text", "13:30:00")),
    ],
)
def test_what_a_cell_says(cell, expected):
    """A cell has a type only where nothing is lost by it; what could be two things stays text."""
    assert note_of_cell(cell, None) == expected


def test_numbers_follow_the_sender_s_locale():
    """1.234 is a number of a thousand for an Italian and a little more than one for an American."""
    assert note_of_cell("1.234", "it_IT") == Note("number", "1234")
    assert note_of_cell("1.234", "en_US") == Note("number", "1.234")


@pytest.mark.parametrize(
    ("cells", "code", "detail", "effect"),
    [
        ({}, "unchanged", "", None),
        ({"Cost center": "ABC", "SEATS": 5, "Site": ""}, "unchanged", "", None),
        ({"Site": "(delete)"}, "unchanged", "", None),
        ({"seats": 6}, "annotated", "Seats", {"Seats": Note("number", "6")}),
        (
            {"Seats": "(delete)", "Site": "Roma"},
            "annotated",
            "Seats, Site",
            {"Seats": None, "Site": Note("text", "Roma")},
        ),
        ({"Site": "x" * 1001}, "text_too_long", "1001 > 1000", None),
        ({"S" * (LONGEST_NAME + 1): "x"}, "text_too_long", "65 > 64", None),
        ({"Site": {"unreadable": "#REF!"}}, "unreadable_cell", "#REF!", None),
    ],
)
def test_each_answer(cells, code: str, detail: str, effect):
    """Every answer of the rule, and what it writes."""
    decision = decide_annotation(KNOWN, cells, None)
    assert (decision.code, decision.detail, decision.effect) == (code, detail, effect)


def test_a_license_holds_so_many_fields_and_no_more():
    """The fiftieth is kept, the one after it is not, unless another goes in the same row."""
    full = {f"F{n}": Note("text", "x") for n in range(MOST_FIELDS - 1)}
    assert decide_annotation(full, {"New": "x"}, None).code == "annotated"
    assert decide_annotation(full, {"New": "x", "Newer": "x"}, None).code == "too_many_fields"
    assert decide_annotation(full, {"New": "x", "Newer": "x", "F0": "(delete)"}, None).code == "annotated"


NAMES = st.text(string.ascii_letters, min_size=1, max_size=3)
CELLS = st.none() | st.integers(-9, 9) | st.booleans() | st.sampled_from(["Roma", "(delete)", "007", "2026-11-25"])


@given(st.dictionaries(NAMES, CELLS, max_size=6), st.dictionaries(NAMES, CELLS, max_size=6))
def test_the_same_row_again_changes_nothing(first, second):
    """Whatever was noted before, a row that was applied is unchanged when it comes again."""
    known: dict[str, Note] = {}
    for cells in (first, second):
        unlike = {title.casefold(): (title, cell) for title, cell in cells.items()}
        row = dict(unlike.values())
        decision = decide_annotation(known, row, None)
        changed = known | (decision.effect or {})
        known = {name: note for name, note in changed.items() if note is not None}
        assert decide_annotation(known, row, None).code == "unchanged"

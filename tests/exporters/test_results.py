"""The columns that hold outcomes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from exporters.results import FORMATS, OUTCOME_TITLES, REASON_TITLE, format_for, outcome_cells
from licensing.field_catalogue import FIELDS
from licensing.fields import LANGUAGES, Language
from licensing.outcomes import CODES


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_outcome_title_is_a_column_of_a_kind(language: Language) -> None:
    """A result file can be sent again: its outcome columns are columns that nobody knows."""

    def folded(title: str) -> str:
        return "".join(char for char in title.casefold() if char.isalnum())

    known = {
        folded(title) for field in FIELDS.values() for title in (field.name, *field.title.values(), *field.synonyms)
    }
    assert not known & {folded(title) for title in (*OUTCOME_TITLES[language], REASON_TITLE[language])}


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_a_cell_for_every_title(language: Language) -> None:
    """Whatever the code, as many cells as titles, the sentence in the language."""
    for code in CODES:
        cells = outcome_cells(code, "DETAIL", language)
        assert len(cells) == len(OUTCOME_TITLES[language]) == 7
        assert cells[:2] == (code, CODES[code].sentence(language, "DETAIL"))
        assert cells[2:] == (None,) * 5


def test_what_was_issued_stands_in_its_columns() -> None:
    """Number, key, product, quantity and last day; a perpetual license has no last day."""
    facts: dict[str, Any] = {"license_number": "KML-1", "key": "eyJ", "sku": "EDGE", "quantity": 2}
    assert outcome_cells("issued", None, "it", **facts, valid_until=date(2027, 1, 2)) == (
        "issued", "Licenza emessa.", "KML-1", "eyJ", "EDGE", 2, {"date": "2027-01-02"},
    )  # fmt: skip
    assert outcome_cells("issued", None, "it", **facts)[-1] is None


def test_every_format_writes_a_piece() -> None:
    """What stands in the registry can render and assemble."""
    for name in FORMATS:
        made = format_for(name)
        assert made.suffix.startswith(".")
        assert "/" in made.media_type
        assert made.piece([(["a"], ("b",))], 1).rows == 1

"""Templates: what a person sees, and that a filled one can be sent as it is."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from exporters.templates import template
from licensing.field_catalogue import FIELDS
from licensing.fields import LANGUAGES, Language

COLUMNS = (
    FIELDS["voucher_code"].needed(),
    FIELDS["company"].needed(),
    FIELDS["type"],
    FIELDS["expires"],
    FIELDS["count"],
    replace(FIELDS["host_id"], name="flagged", type="flag"),
)


def opened(language: Language = "en") -> Any:
    """What openpyxl reads."""
    return openpyxl.load_workbook(io.BytesIO(template(COLUMNS, "redeem-vouchers", language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_sheet_is_the_header_and_nothing_else(language: Language) -> None:
    """Titles in the language, and no example among the rows: what is filled in is what is sent."""
    sheet = opened(language).worksheets[0]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [[field.title[language] for field in COLUMNS]]
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_column_has_its_note(language: Language) -> None:
    """The note says what the column holds, and first whether it is required; required headers have another colour."""
    sheet = opened(language).worksheets[0]
    notes = [cell.comment.text for cell in sheet[1]]
    assert all(field.note[language] in note for field, note in zip(COLUMNS, notes, strict=True))
    assert [note.startswith({"en": "Required.", "it": "Obbligatorio."}[language]) for note in notes] == [True] * 2 + [
        False
    ] * 4
    assert len({cell.fill.fgColor.rgb for cell in sheet[1][:2]}) == 1
    assert sheet["A1"].fill.fgColor.rgb != sheet["C1"].fill.fgColor.rgb


def test_code_columns_are_text_all_the_way_down() -> None:
    """The format stands on the column itself, so Excel keeps the zeros of codes in cells that are still empty."""
    sheet = opened().worksheets[0]
    formats = [sheet.column_dimensions[get_column_letter(at)].number_format for at in range(1, 7)]
    assert formats == ["@", "@", "@", "yyyy-mm-dd", "0", "@"]


@pytest.mark.parametrize(("language", "flags"), [("en", '"yes,no"'), ("it", '"sì,no"')])
def test_choices_and_flags_have_drop_downs(language: Language, flags: str) -> None:
    """Where the values are known, Excel offers them and refuses others, down to the last row."""
    rules = opened(language).worksheets[0].data_validations.dataValidation
    assert {str(rule.sqref): rule.formula1 for rule in rules} == {
        "C2:C1048576": '"vendor,oem,distributor,customer"',
        "F2:F1048576": flags,
    }
    assert all(rule.showErrorMessage and rule.allow_blank for rule in rules)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_has_the_examples_and_no_header(language: Language) -> None:
    """A second sheet explains each column with an example; no cell of it could be taken for a title."""
    guide = opened(language).worksheets[1]
    cells = [[cell.value for cell in row] for row in guide.iter_rows(min_row=3)]
    assert [row[3] for row in cells] == [field.example for field in COLUMNS]
    known = {
        title.casefold() for field in FIELDS.values() for title in (*field.title.values(), field.name, *field.synonyms)
    }
    assert not known & {str(row[0]).casefold() for row in cells}
    assert not known & {str(cell.value).casefold() for cell in guide[2]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_known_column_can_stand_in_a_template(language: Language) -> None:
    """All of the catalogue at once: notes fit, drop-downs stay within what Excel takes."""
    book = openpyxl.load_workbook(io.BytesIO(template(tuple(FIELDS.values()), "all", language)))
    assert book.worksheets[0].max_column == len(FIELDS)
    assert all(len(rule.formula1) <= 257 for rule in book.worksheets[0].data_validations.dataValidation)


@pytest.mark.parametrize(("language", "separator"), [("en", ","), ("it", ";")])
def test_a_csv_template_is_its_header(language: Language, separator: str) -> None:
    """With the separator that Excel expects in that language."""
    text = template(COLUMNS[:2], "redeem-vouchers", language, "csv").decode("utf-8-sig")
    assert text == separator.join(field.title[language] for field in COLUMNS[:2]) + "\r\n"

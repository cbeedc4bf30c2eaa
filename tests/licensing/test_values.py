"""Cells to values: every type, every odd cell, and the promise that nothing is guessed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing import countries, parsing
from licensing.field_catalogue import FIELDS
from licensing.fields import LANGUAGES, Field
from licensing.outcomes import CODES
from licensing.values import (
    _FAULTS,
    _LATER,
    ROW_WARNINGS,
    CellWarning,
    Habits,
    RowReader,
    _of_cell,
    _quick_code,
    _quick_email,
    _quick_other,
    _quick_text,
)  # fmt: skip

REDEEM = [FIELDS["voucher_code"].needed(), FIELDS["company"].needed(), *(FIELDS[n] for n in ("email", "host_id"))]
COLUMNS = {"voucher_code": 0, "company": 1, "email": 2, "host_id": 3}


def field(type_: str, **changes: Any) -> Field:
    """A column of this type."""
    text: Any = {"en": "F", "it": "F"}
    return Field("f", type_, text, text, "", **changes)  # type: ignore[arg-type]


def value(type_: str, cell: Any, locale: str | None = None, *, date_1904: bool = False, **changes: Any) -> Any:
    """The value of a cell, or the code of its rejection."""
    reader = RowReader([field(type_, **changes)], {"f": 0}, {}, Habits(locale, date_1904))
    values, rejections, _ = reader.read([cell])
    return rejections[0].code if rejections else values[0]


def warnings_of(type_: str, cell: Any, **changes: Any) -> list[tuple[str, str]]:
    """The warnings about a cell."""
    return [(w.code, w.detail) for w in RowReader([field(type_, **changes)], {"f": 0}, {}, Habits()).read([cell])[2]]


@pytest.mark.parametrize(
    "type_", ["text", "code", "email", "country", "date", "integer", "decimal", "choice", "flag", "list"]
)
@pytest.mark.parametrize("cell", [None, "", "  ", "\u00a0", "\u200b \ufeff", "\t\n"])
def test_blank_is_blank_in_every_column(type_: str, cell: Any):
    """None where the column may be blank, and the column's name where it must not."""
    assert value(type_, cell) is None
    assert value(type_, cell, required=True) == "missing_value"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Rossi S.p.A.", "Rossi S.p.A."),
        (" \u00a0Rossi\u200b ", "Rossi"),
        ("a\u00a0b", "a\u00a0b"),
        ("Caffè\nNuvola", "Caffè\nNuvola"),
        ("x" * 255, "x" * 255),
        ("x" * 256, "text_too_long"),
        ("a\x00b", "bad_character"),
        ("a\x07b", "bad_character"),
        ("a\ud800b", "bad_character"),
        (42.0, "42"),
        (4.25, "4.25"),
        (True, "TRUE"),
        ({"date": "2026-12-31"}, "2026-12-31"),
        ({"unreadable": "#N/A"}, "unreadable_cell"),
        ({"unreadable": "a␀b"}, "bad_character"),
        ({"unreadable": "a\\uD800b"}, "bad_character"),
    ],
)
def test_texts(cell: Any, expected: Any):
    """Trimmed at the ends, kept inside; what cannot be stored is refused."""
    assert value("text", cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("ABC-123", "ABC-123"),
        (" abc 123 ", "abc 123"),
        ("\u00a0ABC\u200b", "ABC"),
        ("AB\u00a0C", "bad_character"),
        ("AB\u200bC", "bad_character"),
        ("AB\tC", "bad_character"),
        ("ＡＢＣ１２３", "ＡＢＣ１２３"),
        ("12E45678", "12E45678"),
        ("1E5", "1E5"),
        ("TRUE", "TRUE"),
        ("nan", "nan"),
        ("00012", "00012"),
        ("1.23457E+11", "changed_by_spreadsheet"),
        ("1,23457E+11", "changed_by_spreadsheet"),
        ("1E+11", "changed_by_spreadsheet"),
        ("123456789012.0", "123456789012"),
        ("12345678901234567.0", "changed_by_spreadsheet"),
        ("12345678901234567890", "12345678901234567890"),
        ("10.0", "10.0"),
        ("A+B", "A+B"),
        (123456789012.0, "123456789012"),
        (12345, "12345"),
        (999999999999999.0, "999999999999999"),
        (1e15, "changed_by_spreadsheet"),
        (1.2345678901234567e19, "changed_by_spreadsheet"),
        (12345678901234567, "changed_by_spreadsheet"),
        (2026.1, "2026.1"),
        (1e-7, "changed_by_spreadsheet"),
        (True, "changed_by_spreadsheet"),
        ({"date": "2026-02-01"}, "changed_by_spreadsheet"),
        ({"time": "08:00:00"}, "changed_by_spreadsheet"),
        ("x" * 256, "text_too_long"),
    ],
)
def test_codes(cell: Any, expected: Any):
    """Digits are kept or refused, never made up."""
    assert value("code", cell) == expected


def test_a_number_in_a_code_column_is_warned_about():
    """Leading zeros are lost and nobody knows how many there were."""
    assert warnings_of("code", 12345.0) == [("number_in_code_column", "12345")]
    assert warnings_of("code", "12345") == []
    assert warnings_of("text", 12345.0) == []


def test_a_code_that_a_row_can_do_without_is_left_out_and_told():
    """A host ID that the spreadsheet destroyed leaves the row its voucher; nothing false is printed into a key."""
    assert value("code", 4.43102e27, may_be_lost=True) is None
    assert warnings_of("code", 4.43102e27, may_be_lost=True) == [("code_left_out", "4.43102e+27")]
    assert value("code", "4.43E+27", may_be_lost=True) is None
    assert value("code", 4.43102e27, may_be_lost=True, required=True) == "changed_by_spreadsheet"
    assert FIELDS["host_id"].may_be_lost
    assert not FIELDS["reference"].may_be_lost


@pytest.mark.parametrize("text", ["a@b.it", "first.last+tag@sub.example.com", "ü@müller.example", "o'neil@x-y.org"])
def test_addresses(text: str):
    """One address, as it stands."""
    assert value("email", f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    ["not-an-address", "a@b", "a@@b.it", "a b@c.it", "a@b.it; c@d.it", "<a@b.it>", "a@.it", "@b.it", "a@b..it", "7"],
)
def test_what_is_no_address(text: str):
    """None, half or two addresses."""
    assert value("email", text) == "bad_email"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("IT", "IT"), ("it", "IT"), ("Italia", "IT"), ("ITALY", "IT"), ("Côte d'Ivoire", "CI"),
        ("costa d’avorio", "CI"),
        ("Turkey", "TR"), ("Türkiye", "TR"), ("Turchia", "TR"), ("UK", "GB"), ("Regno Unito", "GB"), ("EL", "GR"),
        ("U.S.A.", "US"), ("United States", "US"), ("Stati Uniti d'America", "US"), ("Paesi Bassi", "NL"),
        ("Atlantis", "unknown_country"), ("XX", "unknown_country"), ("I", "unknown_country"),
    ],
)  # fmt: skip
def test_countries(text: str, code: str):
    """By code or name, in English or Italian, however accented."""
    assert value("country", text) == code


def test_every_country_of_iso_3166_is_there_once():
    """249 of them, each found by its code."""
    assert len(countries.CODES) == 249
    assert all(countries.country_code(code.lower()) == code for code in countries.CODES)


@pytest.mark.parametrize(
    ("text", "unknown", "italian", "american"),
    [
        ("2026-12-31", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("2026/12/31", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("20261231", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("2026-12-31T23:59:59Z", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("2026-12-31 00:00:00", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("31/12/2026", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("12/31/2026", date(2026, 12, 31), "bad_date", date(2026, 12, 31)),
        ("05/06/2026", "ambiguous_date", date(2026, 6, 5), date(2026, 5, 6)),
        ("5-6-2026", "ambiguous_date", date(2026, 6, 5), date(2026, 5, 6)),
        ("05.06.2026", date(2026, 6, 5), date(2026, 6, 5), date(2026, 6, 5)),
        ("07/07/2026", date(2026, 7, 7), date(2026, 7, 7), date(2026, 7, 7)),
        ("05/06/2026 00:00", "ambiguous_date", date(2026, 6, 5), date(2026, 5, 6)),
        ("31/12/26", "ambiguous_date", "ambiguous_date", "ambiguous_date"),
        ("31 dicembre 2026", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("Dec 31, 2026", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("31-ago-2026", date(2026, 8, 31), date(2026, 8, 31), date(2026, 8, 31)),
        ("46387", date(2026, 12, 31), date(2026, 12, 31), date(2026, 12, 31)),
        ("2026-02-30", "bad_date", "bad_date", "bad_date"),
        ("30/02/2026", "bad_date", "bad_date", "bad_date"),
        ("2026", "bad_date", "bad_date", "bad_date"),
        ("soon", "bad_date", "bad_date", "bad_date"),
        ("12 foo 2026", "bad_date", "bad_date", "bad_date"),
    ],
)
def test_dates(text: str, unknown: Any, italian: Any, american: Any):
    """By the sender's locale; where it is not known, two readings are told and none is guessed."""
    assert value("date", text) == unknown
    assert value("date", text, "it_IT") == italian
    assert value("date", text, "en-US") == american


def test_date_cells_and_serial_numbers():
    """Cells of dates as they are; bare numbers by the workbook's date system, if they can be days at all."""
    assert value("date", {"date": "2026-12-31"}) == date(2026, 12, 31)
    assert value("date", {"datetime": "2026-12-31T10:00:00"}) == date(2026, 12, 31)
    assert value("date", {"time": "10:00:00"}) == "bad_date"
    assert value("date", 46387.0) == value("date", 44925.0, date_1904=True) == date(2026, 12, 31)
    assert value("date", 2026.0) == "bad_date"
    assert value("date", True) == "bad_date"


@pytest.mark.parametrize(
    ("text", "unknown", "italian", "english"),
    [
        ("1500", "1500", "1500", "1500"),
        ("-3", "-3", "-3", "-3"),
        ("1.500,75", None, "1500.75", None),
        ("1,500.75", None, None, "1500.75"),
        ("1.500", None, "1500", "1.500"),
        ("1,500", None, "1.500", "1500"),
        ("1,5", "1.5", "1.5", None),
        ("1.5", "1.5", None, "1.5"),
        ("0.125", "0.125", None, "0.125"),
        ("1 500", "1500", "1500", "1500"),
        ("1'500", "1500", "1500", "1500"),
        ("1\u00a0500", "1500", "1500", "1500"),
        ("1.50.0", None, None, None),
        ("abc", None, None, None),
        ("1e5", None, None, None),
        ("٣", None, None, None),
        ("+", None, None, None),
    ],
)
def test_numbers(text: str, unknown: str | None, italian: str | None, english: str | None):
    """1.500,75 is a number for Italian senders only; what can be read in two ways is not read."""
    for locale, expected in ((None, unknown), ("it_IT", italian), ("en_GB", english)):
        assert parsing.number(text, locale) == (None if expected is None else Decimal(expected))


def test_whole_numbers_and_their_bounds():
    """Texts and cells; fractions, words and numbers out of bounds are refused."""
    assert value("integer", "12") == value("integer", 12.0) == value("integer", "12.0") == 12
    assert value("integer", "12,5") == value("integer", 12.5) == value("integer", True) == "bad_whole_number"
    assert value("integer", "0", least=1) == value("integer", 3e9) == "number_out_of_range"
    assert value("integer", 1.5e300) == "number_out_of_range"
    assert value("decimal", "12,5") == Decimal("12.5")
    assert value("decimal", 12.5) == 12.5
    assert value("decimal", "x") == "bad_number"


@pytest.mark.parametrize("cell", ["yes", "Sì", "SI", "s", "vero", "x", "X", "1", "TRUE", True, 1.0])
def test_yes(cell: Any):
    """In English, Italian, and as spreadsheets say it."""
    assert value("flag", cell) is True


@pytest.mark.parametrize("cell", ["no", "N", "falso", "0", "FALSE", False, 0])
def test_no(cell: Any):
    """No is a value, and not the same as blank."""
    assert value("flag", cell) is False


@pytest.mark.parametrize("cell", ["maybe", "2", 2.0, {"date": "2026-01-01"}])
def test_neither_yes_nor_no(cell: Any):
    """Anything else."""
    assert value("flag", cell) == "not_yes_or_no"


def test_choices_and_lists():
    """Choices in any case; lists by any separator, without blanks and repeats."""
    assert value("choice", " OEM ", choices=("oem", "vendor")) == "oem"
    assert value("choice", "other", choices=("oem", "vendor")) == "not_a_choice"
    assert value("list", "a; b,c|d\ne;;a") == ("a", "b", "c", "d", "e")
    assert value("list", 12.0) == ("12",)


def test_every_fault_is_told_and_named():
    """One row, all its faults, each with its field; values stand in the order of the fields."""
    reader = RowReader(REDEEM, COLUMNS, {}, Habits())
    values, rejections, warnings = reader.read([None, "Rossi", "x", 5.0])
    assert values == [None, "Rossi", None, "5"]
    assert [(r.code, r.field, r.detail) for r in rejections] == [
        ("missing_value", "voucher_code", "voucher_code"),
        ("bad_email", "email", "x"),
    ]
    assert [w.field for w in warnings] == ["host_id"]


def test_every_kind_of_space_is_trimmed():
    """Whatever Python takes for a space is nothing at the ends of a cell."""
    spaces = "".join(character for character in map(chr, range(0x110000)) if character.isspace())
    assert parsing.trim(f"{spaces}x{spaces}") == "x"


def test_odd_characters_are_shown():
    """A rejection shows what nobody sees."""
    _, rejections, _ = RowReader(REDEEM, COLUMNS, {}, Habits()).read(["A\u00a0B\u200bC", "a\x00b"])
    assert [r.detail for r in rejections] == ["A·B·C", "a␀b"]
    assert parsing.shown("x" * 100) == "x" * 80 + "…"
    assert parsing.shown("\ud800\x7f") == "\\uD800\\u007F"


def test_values_for_the_whole_batch():
    """A field without a column takes its given text, read once; a column goes before a given text."""
    reader = RowReader(REDEEM, {"voucher_code": 1, "host_id": 0}, {"company": " Rossi ", "host_id": "X"}, Habits())
    assert reader.given_faults == []
    assert reader.read(["H", "C-1"])[0] == ["C-1", "Rossi", None, "H"]
    assert reader.read([None, "C-1"])[0] == ["C-1", "Rossi", None, None]
    assert reader.columns == {"voucher_code": 1, "host_id": 0}


def test_a_bad_value_for_the_whole_batch_is_told_on_every_row():
    """And once, in ``given_faults``, for who looks before."""
    reader = RowReader(REDEEM, {"voucher_code": 0}, {"email": "x"}, Habits())
    assert [(fault.code, fault.field) for fault in reader.given_faults] == [
        ("missing_value", "company"),
        ("bad_email", "email"),
    ]
    for cell in ("C-1", "C-2"):
        assert [r.code for r in reader.read([cell])[1]] == ["missing_value", "bad_email"]


def test_rows_that_were_cut_short_and_readers_without_columns():
    """Trailing blanks are not stored; a kind may be given everything."""
    assert RowReader(REDEEM, COLUMNS, {}, Habits()).read(["C-1", "Rossi"])[0] == ["C-1", "Rossi", None, None]
    given = {"voucher_code": "C-1", "company": "R"}
    assert RowReader(REDEEM, {}, given, Habits()).read([])[0] == ["C-1", "R", None, None]


_CELLS = st.one_of(
    st.none(),
    st.text(),
    st.text("ABC123 .+E-\u00a0\u200b\x00"),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**20), 10**20),
    st.booleans(),
    st.builds(lambda d: {"date": d.isoformat()}, st.dates()),
    st.builds(lambda d: {"datetime": d.isoformat()}, st.datetimes()),
    st.builds(lambda text: {"unreadable": text}, st.text()),
)


@given(st.lists(_CELLS, max_size=6))
def test_any_row_gets_an_answer(cells: list[Any]):
    """Nothing raises, a required value is there or missed, and every code has a sentence."""
    values, rejections, warnings = RowReader(REDEEM, COLUMNS, {}, Habits()).read(cells)
    faulty = {rejection.field for rejection in rejections}
    for column, found in zip(REDEEM, values, strict=True):
        assert (found is None or isinstance(found, str)) and (
            found is not None or not column.required or column.name in faulty
        )
    assert all(rejection.code in CODES for rejection in rejections)
    assert all(warning.code in ROW_WARNINGS for warning in warnings)


_PLAIN = st.text("ABC123.+ E", max_size=4)


@given(st.one_of(st.lists(_CELLS, max_size=4), st.lists(_PLAIN, max_size=4)))
def test_the_short_way_never_disagrees_with_the_long_one(cells: list[Any]):
    """Where the quick reader of a column has an answer for a cell, the thorough one has the same."""
    habits = Habits()
    for column in map(field, ("text", "code", "email", "integer", "decimal", "date", "flag")):
        ways: dict[str, Any] = {"text": _quick_text, "code": partial(_quick_code, habits=habits), "email": _quick_email}
        answers, are_known = ways.get(column.type, partial(_quick_other, habits=habits))(column)(cells)
        assert are_known == (_LATER not in answers)
        for cell, answer in zip(cells, answers, strict=True):
            if answer is not _LATER:
                warnings: list[CellWarning] = []
                thorough = _of_cell(column, cell, habits, warnings)
                assert (type(answer), answer, warnings) == (type(thorough), thorough, [])


@given(st.lists(st.one_of(st.lists(_CELLS, max_size=6), st.lists(_PLAIN, min_size=4, max_size=6)), max_size=5))
def test_rows_read_together_are_read_as_each_alone(rows: list[list[Any]]):
    """Whatever stands in the rows beside it, a row has the same values, faults and warnings."""
    reader = RowReader(REDEEM, COLUMNS, {}, Habits())
    together = [(list(values), *told) for values, *told in reader.read_rows(rows)]
    assert together == [reader.read(row) for row in rows]


def test_every_fault_and_warning_has_sentences():
    """Codes of rejections are listed outcomes; warnings have both languages."""
    assert {CODES[code].outcome for code in _FAULTS.values()} == {"rejected"}
    for sentences in ROW_WARNINGS.values():
        assert set(sentences) == set(LANGUAGES)
        assert all(sentence.count("{detail}") == 1 for sentence in sentences.values())

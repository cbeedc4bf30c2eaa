"""CSV and TSV result files: what spreadsheets and csv readers make of them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.delimited import GUARDED, Delimited, guarded
from exporters.pieces import ChangedPiece, Head
from exporters.results import format_for
from licensing.cells import PackedCell

HEAD = Head(("Codice", "Azienda"), ("Result: code",))


def file(rows: list[list[PackedCell]], head: Head = HEAD, separator: str = ";") -> bytes:
    """A whole file, each row a piece of its own."""
    made = Delimited(separator)
    pieces = [made.piece([(row, ("issued",))], 2) for row in rows]
    return b"".join(made.assemble(head, [(piece.facts, [piece.data]) for piece in pieces], 2))


def read(data: bytes, separator: str = ";") -> list[list[str]]:
    """What the csv module reads."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator))


def unguarded(text: str) -> str:
    """What the importer does."""
    return text[1:] if GUARDED.match(text) else text


def test_a_file_is_utf8_with_a_mark_and_crlf() -> None:
    """Excel shows accents right, and every line ends with CRLF."""
    assert file([["A-1", "Caffè Nero"]]) == "\ufeffCodice;Azienda;Result: code\r\nA-1;Caffè Nero;issued\r\n".encode()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@given(row=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=2, max_size=2))
def test_any_text_is_read_back_as_it_was(separator: str, row: list[str]) -> None:
    """Quotes, separators, line breaks and formulas survive writing and reading, whatever the separator."""
    data = file([list(row)], separator=separator)
    assert [unguarded(cell) for cell in read(data, separator)[1]] == [*row, "issued"]


@pytest.mark.parametrize("row", [["a;b", 'say "no"'], ["two\nlines", "cr\rhere"], ["", ""], [";", '"']])
def test_quoting_is_that_of_rfc_4180(row: list[PackedCell]) -> None:
    """Cells with the separator, a quote or a line break are quoted exactly as the csv module quotes them."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerow([*row, "issued"])
    assert Delimited(";").piece([(row, ("issued",))], 2).data == text.getvalue().encode()


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=", "-", "'=1", "''@x"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    """Formulas, and texts that already look guarded, get one more apostrophe, which comes off again."""
    assert guarded(text) == "'" + text
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["-5", "+39021234", "-1,5", "1.500,75", "", "a=b", "'quoted'", " =1", "Rossi"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    """Plain numbers and ordinary texts are not touched."""
    assert guarded(text) == text == unguarded(text)


@given(st.text(alphabet="'=+-@\t\r1a.,"))
def test_guarding_is_undone_by_one_rule(text: str) -> None:
    """For every text, taking one apostrophe off what GUARDED matches gives the original."""
    assert unguarded(guarded(text)) == text


def test_cells_that_are_no_text_are_written_plainly() -> None:
    """Numbers stay numbers (no apostrophe), dates are ISO, booleans as spreadsheets write them."""
    rows: list[list[PackedCell]] = [
        [-5, 12.0], [-1.5, 1e300], [True, None], [{"date": "2026-12-31"}, {"datetime": "2026-12-31T10:00:00"}],
        [{"time": "10:00:00"}, {"unreadable": "=A1"}],
    ]  # fmt: skip
    assert [line[:2] for line in read(file(rows))[1:]] == [
        ["-5", "12"], ["-1.5", "1e+300"], ["TRUE", ""], ["2026-12-31", "2026-12-31 10:00:00"], ["10:00:00", "'=A1"],
    ]  # fmt: skip


def test_short_rows_and_preamble_are_filled_up() -> None:
    """Outcomes stand in their column also where a row's last cells were cut off; title rows stay above the header."""
    data = file([[], ["A"]], head=Head(("Codice", "Azienda"), ("Result: code",), preamble=(("Lista",),)))
    assert read(data) == [
        ["Lista", "", ""],
        ["Codice", "Azienda", "Result: code"],
        ["", "", "issued"],
        ["A", "", "issued"],
    ]


def test_a_list_without_header_has_none() -> None:
    """No titles, no header line."""
    assert read(file([["A", "B"]], head=Head(()))) == [["A", "B", "issued"]]


def test_a_changed_piece_is_noticed() -> None:
    """A piece with bytes missing stops the file."""
    piece = Delimited().piece([(["a"], ())], 1)
    with pytest.raises(ChangedPiece):
        list(Delimited().assemble(HEAD, [(piece.facts, [b""])], 1))


@pytest.mark.parametrize(
    ("separator", "suffix"), [(";", ".csv"), (",", ".csv"), ("|", ".csv"), ("\t", ".tsv"), (None, ".csv")]
)
def test_a_csv_comes_back_with_its_own_separator(separator: str | None, suffix: str) -> None:
    """The door gives the format of the source: its separator, and the suffix that goes with it."""
    made = format_for("csv", separator)
    assert made.suffix == suffix
    assert made.piece([(["a"], ("b",))], 1).data == f"a{separator or ','}b\r\n".encode()

"""CSV and its kin: encodings, separators, quotes, and what spreadsheet programs do to cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.contracts import Limits, Wanted
from licensing.field_catalogue import FIELDS
from tests.importers.files import REDEEM, read, refused

TEXT = "Codice voucher;Ragione sociale;E-mail\nAB-12345;Caffè Ròssi €;a@example.com\n"


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """A file with this text."""
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_encoding_and_separator_are_found_and_told(encoding: str, told: str, separator: str, tmp_path: Path):
    """Every encoding and separator that customers' files have, without a word from the sender."""
    reading, lines = read(written(tmp_path / "a", TEXT.replace(";", separator), encoding))
    assert (reading.format, reading.encoding, reading.separator) == ("csv", told, separator)
    assert lines[0].cells == ["AB-12345", "Caffè Ròssi €", "a@example.com"]


def test_utf16_with_either_mark_is_read(tmp_path: Path):
    """Big-endian with its mark too."""
    (tmp_path / "a").write_bytes(b"\xfe\xff" + TEXT.encode("utf-16-be"))
    assert read(tmp_path / "a")[1][0].cells[1] == "Caffè Ròssi €"


def test_one_late_byte_decides_the_encoding(tmp_path: Path):
    """Two megabytes of ASCII and then a byte that is no UTF-8: all of it is cp1252."""
    rows = "".join(f"AB-{i:07};Rossi\n" for i in range(120_000))
    path = written(tmp_path / "a", "code;azienda\n" + rows + "AB-X1234;Caffè\n", "cp1252")
    reading, lines = read(path)
    assert reading.encoding == "cp1252"
    assert lines[-1].cells == ["AB-X1234", "Caffè"]


def test_what_the_sender_states_goes_before_what_is_found(tmp_path: Path):
    """Separator and encoding of the account; a byte order mark goes before both."""
    path = written(tmp_path / "a", "code|azienda\nA-1;2|Ã¨\n", "utf-8")
    wanted = replace(REDEEM, separator="|", encoding="cp1252")
    reading, lines = read(path, wanted)
    assert (reading.separator, reading.encoding) == ("|", "cp1252")
    assert lines[0].cells == ["A-1;2", "Ã\x83Â¨".encode("latin-1").decode("utf-8").encode().decode("cp1252")]
    assert read(written(path, TEXT, "utf-8-sig"), replace(REDEEM, encoding="cp1252"))[0].encoding == "utf-8"
    assert read(written(path, TEXT.replace(";", "\t")), replace(REDEEM, separator="tab"))[0].separator == "\t"


@pytest.mark.parametrize("first", ["sep=|\n", '"sep=|"\r\n', "SEP=|\r\n"])
def test_a_first_line_sep_is_an_instruction(first: str, tmp_path: Path):
    """It is obeyed, and is no row: spreadsheet programs do not show it."""
    reading, lines = read(written(tmp_path / "a", first + "code|azienda\nA-1|x;y,z\n"))
    assert (reading.separator, reading.header_row) == ("|", 1)
    assert (lines[0].sheet_row, lines[0].cells) == (2, ["A-1", "x;y,z"])


def test_separators_inside_quotes_and_titles_do_not_mislead(tmp_path: Path):
    """What counts is under which separator the header is found."""
    text = 'Elenco, voucher, da, convertire\n\nCode;Company\nA-12345;"x, y, z"\nA-12346;a,b,c,d,e\n'
    reading, lines = read(written(tmp_path / "a", text))
    assert (reading.separator, reading.header_row) == (";", 3)
    assert lines[1].cells == ["A-12346", "a,b,c,d,e"]


def test_one_column_with_commas_in_it_stays_one_column(tmp_path: Path):
    """A list of codes under its header; csv.Sniffer fails on these."""
    wanted = Wanted(fields=(FIELDS["voucher_code"].needed(),), subject=("voucher_code",))
    _, lines = read(written(tmp_path / "a", "code\nA-12345\nA-12346\n"), wanted)
    assert [line.cells for line in lines] == [["A-12345"], ["A-12346"]]


def test_blank_lines_are_no_rows_but_count(tmp_path: Path):
    """However many: LibreOffice can write a million. Rows are numbered as a spreadsheet program shows them."""
    text = "code;azienda\n\nA-1;x\n" + ";\n" * 150_000 + "A-2;y\n" + "\n" * 10
    _, lines = read(written(tmp_path / "a", text))
    assert [(line.sheet_row, line.cells[0]) for line in lines] == [(3, "A-1"), (150_004, "A-2")]


def test_line_breaks_in_cells_do_not_shift_rows(tmp_path: Path):
    """A record over three lines is one row."""
    _, lines = read(written(tmp_path / "a", 'code;azienda\r\nA-1;"x\r\ny\r\nz"\r\nA-2;y\r\n'))
    assert [(line.sheet_row, line.cells[1]) for line in lines] == [(2, "x\r\ny\r\nz"), (3, "y")]


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ('="00012"', "00012"),
        ('"=""00012"""', "00012"),
        ("'=Evil()", "=Evil()"),
        ("''=x", "'=x"),
        ("'-1 Corp", "-1 Corp"),
        ("'+39 Srl", "+39 Srl"),
        ("'@home", "@home"),
        ("=Evil(1+1) Ltd", "=Evil(1+1) Ltd"),
        ("'Ndrangheta", "'Ndrangheta"),
        ("12E45678", "12E45678"),
        ("1E5", "1E5"),
        ("TRUE", "TRUE"),
        ("nan", "nan"),
        ("007", "007"),
        ("a\\N", "a\\N"),
        ('""', None),
        ("#N/A", {"unreadable": "#N/A"}),
        ("#N/D", {"unreadable": "#N/D"}),
        ("a\x00b", {"unreadable": "a␀b"}),
    ],
)
def test_a_cell_is_a_text_as_it_is_meant(cell: str, meant: object, tmp_path: Path):
    """No guessing of types; what keeps zeros or formulas in check is taken off; errors are no blanks."""
    _, lines = read(written(tmp_path / "a", f"code;azienda;nota\nA-1;{cell};x\n"))
    assert lines[0].cells == ["A-1", meant, "x"]


def test_a_byte_that_is_nothing_in_cp1252_spoils_its_cell_only(tmp_path: Path):
    """The place is shown; other rows are read."""
    (tmp_path / "a").write_bytes(b"code;azienda\nA-1;caff\xe8 \x81\nA-2;x\n")
    reading, lines = read(tmp_path / "a")
    assert reading.encoding == "cp1252"
    assert lines[0].cells == ["A-1", {"unreadable": "caffè \\uDC81"}]
    assert lines[1].cells == ["A-2", "x"]


def test_a_lone_surrogate_in_utf16_spoils_its_cell_only(tmp_path: Path):
    """PostgreSQL takes none; a file may hold one."""
    text = "code;azienda\nA-1;x\ud800y\nA-2;z\n"
    (tmp_path / "a").write_bytes(b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"))
    _, lines = read(tmp_path / "a")
    assert lines[0].cells == ["A-1", {"unreadable": "x\\uD800y"}]
    assert lines[1].cells == ["A-2", "z"]


def test_utf16_with_half_a_character_at_its_end_is_refused(tmp_path: Path):
    """It was cut off."""
    (tmp_path / "a").write_bytes(TEXT.encode("utf-16")[:-1])
    assert refused(tmp_path / "a").code in ("wrong_encoding", "truncated")


def test_a_quote_that_is_never_closed_is_named_by_its_line(tmp_path: Path):
    """It would swallow the rest of the file without an error."""
    rows = "".join(f"A-{i:05};x\n" for i in range(2000))
    short = written(tmp_path / "a", f'code;azienda\n{rows}A-X;"Rossi\nA-Y;y\n')
    assert (refused(short).code, " 2002 " in refused(short).en) == ("quote_not_closed", True)
    long = written(tmp_path / "b", f'code;azienda\nA-X;"Rossi\n{rows * 3}')
    assert (refused(long).code, " 2 " in refused(long).en) == ("quote_not_closed", True)


def test_a_stray_quote_inside_a_cell_is_text(tmp_path: Path):
    """Five inches are no quotation."""
    _, lines = read(written(tmp_path / "a", 'code;azienda\nA-1;5" disk\nA-2;x "y" z\n'))
    assert [line.cells[1] for line in lines] == ['5" disk', 'x "y" z']


def test_a_cell_over_the_limit_gets_our_sentence(tmp_path: Path):
    """With its address and the limit."""
    refusal = refused(written(tmp_path / "a", f"code;azienda\nA-1;{'x' * 40_000}\n"))
    assert (refusal.code, "B2" in refusal.en, "32,767" in refusal.en) == ("cell_too_long", True, True)


def test_limits_hold_for_text_too(tmp_path: Path):
    """Rows and columns."""
    path = written(tmp_path / "a", "code;azienda\n" + "A-1;x\n" * 30)
    assert refused(path, limits=Limits(rows=29)).code == "too_many_rows"
    wide = written(tmp_path / "b", "code;azienda\nA-1;x" + ";y" * 300 + "\n")
    assert (refused(wide).code, "KP2" in refused(wide).en) == ("too_many_columns", True)


@settings(max_examples=40)
@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1), min_size=1))
def test_every_table_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]):
    """Whatever a table holds: written by the csv module and read by us, it is the same."""
    import csv
    import io

    from importers.row_lines import _ERRORS, _unguarded

    buffer = io.StringIO()
    csv.writer(buffer, delimiter=";").writerows(
        [["code", "azienda"], *([f"K{i}", "x", *row] for i, row in enumerate(rows))]
    )
    path = written(tmp_path_factory.mktemp("t") / "a", buffer.getvalue())
    _, lines = read(path, replace(REDEEM, separator=";"))
    for line, row in zip(lines, rows, strict=True):
        meant = [_unguarded(cell) for cell in row]
        assert line.cells[2:] == [{"unreadable": cell} if _ERRORS.fullmatch(cell) else cell for cell in meant]

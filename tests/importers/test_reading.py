"""Honest files of every format: sheets, headers, rows, lanes and subjects as they are read."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import pytest

from importers.contracts import Limits, Wanted
from importers.registry import READERS
from importers.subjects import subject_hash
from licensing.codes import match_key
from licensing.field_catalogue import FIELDS
from tests.importers import files
from tests.importers.files import HEADER, REDEEM, ROWS, read, refused

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
LOAD = Wanted(
    fields=(FIELDS["voucher_code"].needed(), FIELDS["oem"].needed(), FIELDS["product"].needed(), FIELDS["expires"]),
    subject=("voucher_code",),
    domain="voucher",
    given={"oem": "ACME", "product": "CAD"},
)
ORDERS = Wanted(
    fields=(FIELDS["oem"].needed(), FIELDS["count"].needed(), FIELDS["reference"]),
    subject=("oem", "reference"),
    domain="mint_order",
)


@pytest.mark.parametrize("write", [files.xlsx, files.xls, files.ods, files.xlsb])
def test_every_workbook_format_gives_the_same_rows(write, tmp_path: Path):
    """The name says nothing and the content all: the same table comes out of four formats."""
    path = write(tmp_path / "upload.dat", (HEADER, *ROWS))
    reading, lines = read(path)
    assert reading.format == write.__name__
    assert [line.cells for line in lines] == [list(row) for row in ROWS]
    assert [line.sheet_row for line in lines] == [2, 3]
    assert reading.columns == dict(zip([field.name for field in REDEEM.fields], range(6), strict=True))
    assert (reading.header_row, reading.titles, reading.row_count, reading.width) == (1, list(HEADER), 2, 6)


def test_every_format_has_a_reader():
    """What detection names, the registry opens."""
    from importers.detection import FORMATS

    assert tuple(READERS) == FORMATS


def test_lines_are_what_copy_takes(tmp_path: Path):
    """Prefix, ordinals from 1, lane 0, and the subject's hash; tabs, quotes and backslashes in cells survive."""
    odd = 'a\tb\n"c" \\N d\\'
    _, lines = read(files.xlsx(tmp_path / "a", (HEADER, (ROWS[0][0], odd), ROWS[1])))
    assert [(line.prefix, line.ordinal, line.lane) for line in lines] == [("7", 1, 0), ("7", 2, 0)]
    assert lines[0].cells == [ROWS[0][0], odd]
    assert lines[0].subject == subject_hash(("voucher", match_key(ROWS[0][0])))


def test_rows_that_repeat_a_subject_get_one_lane_of_their_own(tmp_path: Path):
    """The first row of a voucher stays in lane 0; the others, however they are typed, share one lane of 1 to 15."""
    again = [(code, "X") for code in ("abc 1234567 xy", "ABC1234567XY", " ABC-1234567-XY ")]
    _, lines = read(files.xlsx(tmp_path / "a", (HEADER, *ROWS, *again)))
    assert [line.lane == 0 for line in lines] == [True, True, False, False, False]
    assert len({line.lane for line in lines[2:]}) == 1
    assert 1 <= lines[2].lane <= 15
    assert {line.subject for line in lines[2:]} == {lines[0].subject}


def test_a_row_without_a_subject_is_nobodys_rival(tmp_path: Path):
    """A blank code, or one that the spreadsheet destroyed, has no subject and lane 0."""
    rows = [("", "Rossi"), (1.5e30, "Bianchi"), ("", "Verdi")]
    _, lines = read(files.xlsx(tmp_path / "a", (HEADER, *rows)))
    assert [(line.subject, line.lane) for line in lines] == [(None, 0)] * 3


def test_a_subject_of_two_fields_takes_given_values_too(tmp_path: Path):
    """An order is its OEM and its reference, wherever they come from; numbers and texts of a code are one."""
    _, lines = read(
        files.xlsx(tmp_path / "a", (("OEM", "Count", "Reference"), ("77", 5, "R1"), (77, 5, " r1"))), ORDERS
    )
    assert lines[0].subject == lines[1].subject == subject_hash(("mint_order", "77", "r1"))
    given = replace(ORDERS, given={"oem": "77"})
    _, lines = read(files.xlsx(tmp_path / "b", (("Count", "Reference"), (5, "R1"), (5, ""))), given)
    assert lines[0].subject == subject_hash(("mint_order", "77", "r1"))
    assert lines[1].subject is None


def test_a_hundred_thousand_rows_come_in_blocks(tmp_path: Path):
    """Blocks hold whole lines and some hundred kilobytes each, and ordinals run through."""
    path = tmp_path / "a"
    path.write_text("code;azienda\n" + "".join(f"C-{i:08};Ditta {i}\n" for i in range(100_000)))
    blocks: list[bytes] = []
    from importers.reading import read_file

    reading = read_file(path, REDEEM, Limits(), blocks.append, prefix="1")
    assert reading.row_count == 100_000
    assert all(block.endswith(b"\n") and len(block) < 1 << 20 for block in blocks)
    assert [int(line.split(b"\t")[1]) for line in b"".join(blocks).splitlines()] == list(range(1, 100_001))


def test_cells_keep_their_types(tmp_path: Path):
    """Numbers, booleans, dates and times stay what they are; texts that look like numbers stay texts."""
    row = ("12E45678", "1E5", 12.5, True, date(2026, 12, 31), datetime(2026, 12, 31, 8, 30), "nan", "TRUE", 7)
    _, lines = read(files.sheets(tmp_path / "a", {"S": ((*HEADER, "a", "b", "c"), row)}))
    cells = lines[0].cells
    assert cells[:4] == ["12E45678", "1E5", 12.5, True]
    assert cells[4] == {"date": "2026-12-31"}
    assert cells[6:] == ["nan", "TRUE", 7]


def test_times_and_durations_are_read(tmp_path: Path):
    """A time of day is packed as such; a duration beyond a day as the text that a person sees."""
    import xlsxwriter  # type: ignore[import-untyped, unused-ignore]

    book = xlsxwriter.Workbook(str(tmp_path / "a"))
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    sheet.write_row(1, 0, ROWS[0])
    sheet.write(1, 6, time(8, 30), book.add_format({"num_format": "hh:mm"}))
    sheet.write(1, 7, 1.5, book.add_format({"num_format": "[h]:mm:ss"}))
    book.close()
    _, lines = read(tmp_path / "a")
    assert lines[0].cells[6:] == [{"time": "08:30:00"}, "36:00:00"]


@pytest.mark.parametrize("is_1904", [False, True])
def test_dates_go_by_the_workbooks_own_date_system(is_1904: bool, tmp_path: Path):
    """The same day is stored as two numbers in two date systems, and read as the same day."""
    path = files.sheets(tmp_path / "a", {"S": (HEADER, ("C-1", date(2026, 2, 28)))}, date_1904=is_1904)
    reading, lines = read(path)
    assert lines[0].cells[1] == {"date": "2026-02-28"}
    assert reading.date_system == ("1904" if is_1904 else "1900")


def test_titles_above_blank_rows_between_and_totals_below_are_no_rows(tmp_path: Path):
    """The table is what stands between; the total is told with its address."""
    rows = (("Elenco voucher",), (), HEADER, ROWS[0], (), ROWS[1], (), ("Totale", 2), ("", "Somma:", "2,0"))
    reading, lines = read(files.xlsx(tmp_path / "a", rows))
    assert [line.sheet_row for line in lines] == [4, 6]
    assert reading.header_row == 3
    (warning,) = reading.warnings
    assert (warning["code"], warning["cells"], warning["count"]) == ("total_left_out", ["A8", "B9"], 2)


@pytest.mark.parametrize("first", ["Total", "totale complessivo", "TOTAL:", "Grand total", "Sum"])
def test_words_for_totals(first: str, tmp_path: Path):
    """English and Italian words for a total, alone or beside numbers."""
    reading, lines = read(files.xlsx(tmp_path / "a", (HEADER, *ROWS, (first, "€ 1.000,00", 2))))
    assert len(lines) == 2
    assert reading.warnings[0]["cells"] == ["A4"]


def test_a_total_in_the_middle_or_beside_words_is_a_row(tmp_path: Path):
    """Only what ends the table is left out, and a company called Total is a company."""
    rows = (("Total", 2), ROWS[0], ("Total", "Energies"))
    reading, lines = read(files.xlsx(tmp_path / "a", (HEADER, *rows)))
    assert [line.cells[0] for line in lines] == ["Total", ROWS[0][0], "Total"]
    assert reading.warnings == []


def test_rows_of_nothing_but_spaces_are_no_rows(tmp_path: Path):
    """No-break and zero-width spaces too; blank cells between others are null, those at the end are not kept."""
    rows = ((" ", "\u00a0"), ROWS[0], ("\u200b", " "), (ROWS[1][0], "", "", "IT", "", ""), ("", "\t"))
    _, lines = read(files.xlsx(tmp_path / "a", (HEADER, *rows)))
    assert [line.cells for line in lines] == [list(ROWS[0]), [ROWS[1][0], None, None, "IT"]]


def test_unknown_columns_are_kept(tmp_path: Path):
    """A column that the kind does not know comes along, in its place."""
    reading, lines = read(files.xlsx(tmp_path / "a", (("Note", *HEADER, "Regione"), ("n", *ROWS[0], "Lazio"))))
    assert reading.columns["voucher_code"] == 1
    assert lines[0].cells == ["n", *ROWS[0], "Lazio"]


@pytest.mark.parametrize("language", ["en", "it"])
def test_the_titles_of_templates_are_found(language: str, tmp_path: Path):
    """Every title of the catalogue is found again, marked as required or not."""
    wanted = Wanted(fields=tuple(FIELDS.values()))
    titles = [field.title[language] + " *" for field in FIELDS.values()]  # type: ignore[index]
    reading, _ = read(files.xlsx(tmp_path / "a", (titles, ["x"])), wanted)
    assert reading.columns == dict(zip(FIELDS, range(len(FIELDS)), strict=True))


def test_the_sheet_whose_header_fits_wins(tmp_path: Path):
    """Other sheets may hold what they like; a guide to the columns is not the table, and hidden sheets are told."""
    tables = {
        "Info": (("Codice", "x"),),
        "Dati": (HEADER, *ROWS),
        "Guide": (("Voucher code",),),
        "Old": (HEADER, *ROWS),
    }
    reading, lines = read(files.sheets(tmp_path / "a", tables, hidden=["Old"]))
    assert (reading.sheet, len(lines)) == ("Dati", 2)
    assert [(w["code"], w["cells"]) for w in reading.warnings] == [("hidden_sheets", ["Old"])]


def test_a_list_of_codes_needs_no_header(tmp_path: Path):
    """One code a line; what else is needed is given once. All lines are rows, the first one too."""
    path = tmp_path / "a"
    path.write_text("RSI-26-7589670-J9KH\n\nRSI-26-9391423-MFCR\n")
    reading, lines = read(path, LOAD)
    assert (reading.layout, reading.header_row, reading.columns) == ("code-list", 0, {"voucher_code": 0})
    assert [(line.sheet_row, line.cells) for line in lines] == [
        (1, ["RSI-26-7589670-J9KH"]),
        (3, ["RSI-26-9391423-MFCR"]),
    ]


def test_the_value_of_another_list_is_not_a_code(tmp_path: Path):
    """A layout counts only when all its tell-tale headers are there."""
    (tmp_path / "a").write_text("value,other\nx,y\n")
    assert refused(tmp_path / "a", LOAD).code == "no_header"


def test_what_is_wanted_travels_as_json():
    """A request to the child is JSON; fields travel by name."""
    wanted = replace(LOAD, separator=";", encoding="cp1252", locale="it_IT")
    assert Wanted.from_json(json.loads(json.dumps(wanted.to_json()))) == wanted


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not beside this checkout")
@pytest.mark.parametrize("name", ["redeem-1.xlsx", "redeem-2.ods", "redeem-3.csv", "redeem-4.txt", "redeem-5.xls"])
def test_the_samples_give_exactly_the_expected_table_rows(name: str):
    """Lists saved by LibreOffice and Excel: as many rows as were counted by hand, each with its code."""
    with (SAMPLES / "expected.csv").open() as file:
        counts = Counter(row["file"] for row in csv.DictReader(file))
    reading, lines = read(SAMPLES / name)
    assert [line.ordinal for line in lines] == list(range(1, counts[name] + 1))
    assert [line.cells[0] is None for line in lines] == [line.subject is None for line in lines]
    assert reading.columns.keys() >= {"voucher_code", "company", "email", "country", "host_id"}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not beside this checkout")
def test_the_sample_list_of_codes():
    """Six hundred codes, one a line, without a header."""
    reading, lines = read(SAMPLES / "codes.txt", LOAD)
    assert (reading.layout, len(lines)) == ("code-list", 600)

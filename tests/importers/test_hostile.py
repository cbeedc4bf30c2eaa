"""Files that cannot or must not be read: each gets its code, and a sentence with the place and the way to mend it."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from importers.contracts import Limits
from importers.refusals import SENTENCES, UnreadableFile
from licensing.cells import address
from tests.importers import files
from tests.importers.files import HEADER, ROWS, raw_xlsx, read, refused, row, table, text_cell


def refused_bytes(path: Path, content: bytes, limits: Limits | None = None) -> UnreadableFile:
    """The refusal of these bytes."""
    path.write_bytes(content)
    return refused(path, limits=limits)


@pytest.mark.parametrize("code", SENTENCES)
def test_every_refusal_has_two_sentences(code: str):
    """English and Italian differ, end with a full stop and fill in the same details."""
    english, italian = SENTENCES[code]
    assert english != italian
    assert english.endswith(".")
    assert italian.endswith(".")
    detail = {"where": "A1", "n": 5, "most": 3, "detail": "x"}
    assert "{" not in english.format(**detail) + italian.format(**detail)


@pytest.mark.parametrize("content", [b"", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00" * 100])
def test_an_empty_file_is_called_empty(content: bytes, tmp_path: Path):
    """Nothing, blank lines, a lone byte order mark, zeros."""
    assert refused_bytes(tmp_path / "a", content).code == "empty_file"


def test_a_file_beyond_the_limit_is_told_the_number(tmp_path: Path):
    """Size is checked before anything is opened."""
    refusal = refused_bytes(tmp_path / "a", b"x" * 2001, Limits(file_bytes=2000))
    assert refusal.code == "file_too_large"
    assert "2,001" in refusal.en
    assert "2,000" in refusal.it


def encrypted_files(folder: Path) -> dict[str, bytes]:
    """Workbooks with a password, of every sort."""
    plain = files.xlsx(folder / "p", (HEADER, *ROWS)).read_bytes()
    central = plain.rindex(b"PK\x01\x02")
    flagged = bytearray(plain)
    flagged[central + 8] |= 1
    bof = struct.pack("<HHHHHHII", 0x809, 16, 0x600, 5, 0, 0, 0, 0)
    manifest = b'<manifest:encryption-data/> "application/vnd.oasis.opendocument.spreadsheet"'
    return {
        "package": files.ole({"EncryptionInfo": b"x", "EncryptedPackage": b"y" * 9000}),
        "xls": files.ole({"Workbook": bof + struct.pack("<HH", 0x2F, 6) + b"\1" * 6 + b"\0" * 100}),
        "old xls": files.ole({"Book": bof + struct.pack("<HH", 0x2F, 4) + b"\1" * 4}),
        "zip": bytes(flagged),
        "ods": files.packed({"META-INF/manifest.xml": manifest, "content.xml": b"\x93\x11"}),
    }


@pytest.mark.parametrize("sort", ["package", "xls", "old xls", "zip", "ods"])
def test_an_encrypted_workbook_is_called_encrypted(sort: str, tmp_path: Path):
    """By that word, in both languages, whatever wraps it."""
    refusal = refused_bytes(tmp_path / "a.xlsx", encrypted_files(tmp_path)[sort])
    assert refusal.code == "encrypted"
    assert "encrypted" in refusal.en
    assert "encrypted" in refusal.it


@pytest.mark.parametrize("write", [files.xlsx, files.ods, files.xlsb])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_workbook_cut_off_on_its_way_is_called_truncated(write, kept: float, tmp_path: Path):
    """A ZIP file keeps its directory at its end."""
    content = write(tmp_path / "a", (HEADER, *ROWS)).read_bytes()
    assert refused_bytes(tmp_path / "a", content[: int(len(content) * kept)]).code == "truncated"


def test_a_cut_off_xls_is_called_corrupt(tmp_path: Path):
    """An XLS file has no end mark, but its tables point beyond the file."""
    content = files.xls(tmp_path / "a", (HEADER, *ROWS * 200)).read_bytes()
    assert refused_bytes(tmp_path / "a", content[: len(content) // 3]).code == "corrupt"


@pytest.mark.parametrize("write", [files.xlsx, files.ods, files.xlsb])
def test_a_damaged_workbook_is_called_corrupt(write, tmp_path: Path):
    """Zeros over the packed bytes of its largest part."""
    path = write(tmp_path / "a", (HEADER, *ROWS * 50))
    with zipfile.ZipFile(path) as archive:
        part = max(archive.infolist(), key=lambda info: info.compress_size)
    content = bytearray(path.read_bytes())
    start = part.header_offset + 40 + len(part.filename)
    content[start : start + part.compress_size // 2] = bytes(part.compress_size // 2)
    assert refused_bytes(path, bytes(content)).code == "corrupt"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7\n...", "PDF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "picture"),
        (b"<!DOCTYPE html><html><table>", "web page"),
        (b"<html><body><table><tr>", "web page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Workbook/>", "XML"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (bytes(range(256)) * 40, "binary"),
        (files.packed({"readme.txt": b"x"}), "ZIP archive"),
        (files.packed({"word/document.xml": b"<x/>"}), "office program"),
        (files.packed({"META-INF/manifest.xml": b"opendocument.text", "content.xml": b"<x/>"}), "office program"),
        (files.ole({"WordDocument": b"x"}), "another program"),
        (b"PK\x05\x06" + bytes(18), "ZIP archive"),
    ],
)
def test_what_is_no_spreadsheet_is_told_what_it_is(content: bytes, what: str, tmp_path: Path):
    """Whatever its name says."""
    refusal = refused_bytes(tmp_path / "a.xlsx", content)
    assert refusal.code == "not_a_spreadsheet"
    assert what in refusal.en
    assert refusal.en != refusal.it


def test_a_zip_bomb_is_refused_by_its_directory(tmp_path: Path):
    """A part packed far tighter than any table is not unpacked, nor are too many parts or bytes."""
    bomb = raw_xlsx(tmp_path / "a", table(row(2, *ROWS[0])), changed={"xl/media/x.xml": b" " * 30_000_000})
    refusal = refused(bomb)
    assert refusal.code == "packed_too_tightly"
    assert "xl/media/x.xml" in refusal.en
    assert refused(bomb, limits=Limits(unpacked_bytes=1_000_000)).code == "unpacks_too_large"
    many = raw_xlsx(tmp_path / "b", table(), changed={f"p{i}": "x" for i in range(1000)})
    assert refused(many).code == "too_many_parts"


def test_parts_that_overlap_are_refused(tmp_path: Path):
    """Many names for the same packed bytes are a bomb without nesting."""
    path = raw_xlsx(tmp_path / "a", table(row(2, *ROWS[0])), changed={"z": "y" * 100})
    content = bytearray(path.read_bytes())
    last, before = content.rindex(b"PK\x01\x02"), content.rindex(b"PK\x01\x02", 0, content.rindex(b"PK\x01\x02"))
    content[last + 42 : last + 46] = content[before + 42 : before + 46]
    assert refused_bytes(path, bytes(content)).code == "corrupt"


def test_a_part_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path):
    """The directory's size is a promise that the sheet is held to."""
    path = raw_xlsx(tmp_path / "a", table(row(2, *ROWS[0])))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
    place = -1
    for _ in range(names.index("xl/worksheets/sheet1.xml") + 1):
        place = content.index(b"PK\x01\x02", place + 1)
    content[place + 24 : place + 28] = struct.pack("<I", 200)
    assert refused_bytes(path, bytes(content)).code == "corrupt"


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_entities_are_refused(part: str, tmp_path: Path):
    """Declared entities could unfold without end; no spreadsheet program writes any."""
    path = raw_xlsx(tmp_path / "a", table(row(2, *ROWS[0])))
    with zipfile.ZipFile(path) as archive:
        text = archive.read(part).decode()
    text = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + text
    refusal = refused(raw_xlsx(path, table(row(2, *ROWS[0])), changed={part: text}))
    assert refusal.code == "has_entities"
    assert part in refusal.en


def test_a_cell_in_the_far_corner_is_named(tmp_path: Path):
    """Far to the right, far down, and beyond what any sheet has."""
    right = raw_xlsx(tmp_path / "a", table(row(2, *ROWS[0], text_cell("XFD2", "x"))))
    assert refused(right).code == "too_many_columns"
    assert "XFD2" in refused(right).en
    down = raw_xlsx(tmp_path / "b", table(row(2, *ROWS[0]), row(1_048_576, text_cell("A1048576", "x"))))
    assert refused(down).code == "far_cell"
    assert "A1048576" in refused(down).it
    beyond = raw_xlsx(tmp_path / "c", table(row(2, *ROWS[0]), row(4_000_000_000, text_cell("A4000000000", "x"))))
    assert refused(beyond).code == "too_many_rows"


def test_a_dimension_that_lies_changes_nothing(tmp_path: Path):
    """Too large, too small or absent: the rows are those that are there."""
    for dimension in ('<dimension ref="A1:XFD1048576"/>', '<dimension ref="A1"/>', ""):
        path = raw_xlsx(tmp_path / "a", dimension + table(row(2, *ROWS[0]), row(3, *ROWS[1])))
        _, lines = read(path)
        assert [line.cells for line in lines] == [list(row_) for row_ in ROWS]


def test_a_wide_dimension_hides_no_cell(tmp_path: Path):
    """Where a sheet says it is wide, a cell out there is found and named."""
    sheet = '<dimension ref="A1:XFD9"/>' + table(row(2, *ROWS[0], text_cell("ZZ2", "x")))
    assert "ZZ2" in refused(raw_xlsx(tmp_path / "a", sheet)).en


def test_a_shared_string_that_is_not_there_is_refused_by_its_cell(tmp_path: Path):
    """The library would silently give another string."""
    cell = '<c r="B2" t="s"><v>-1</v></c>'
    path = raw_xlsx(tmp_path / "a", table(row(2, text_cell("A2", "C-12345"), cell)), shared="<si><t>zero</t></si>")
    refusal = refused(path)
    assert (refusal.code, "B2" in refusal.en) == ("wrong_string_index", True)


def test_a_shared_string_beyond_the_last_is_corrupt(tmp_path: Path):
    """A file that points nowhere is damaged."""
    path = raw_xlsx(tmp_path / "a", table(row(2, '<c r="A2" t="s"><v>9</v></c>')))
    assert refused(path).code == "corrupt"


@pytest.mark.parametrize("place", ["A2:A3", "B1:C1", "A1:F1", "C3:D4"])
def test_merged_cells_in_the_table_are_named(place: str, tmp_path: Path):
    """Which rows a merged cell belongs to cannot be known."""
    merged = f'<mergeCells count="1"><mergeCell ref="{place}"/></mergeCells>'
    refusal = refused(raw_xlsx(tmp_path / "a", table(row(2, *ROWS[0]), row(3, *ROWS[1])) + merged))
    assert (refusal.code, place in refusal.en) == ("merged_cells", True)


def test_merged_cells_above_and_below_the_table_do_no_harm(tmp_path: Path):
    """Titles are merged as their writers like."""
    rows = row(1, "Lista"), row(2, *HEADER), row(3, *ROWS[0]), row(5, "Totale")
    merged = '<mergeCells><mergeCell ref="A1:F1"/><mergeCell ref="A5:C5"/></mergeCells>'
    sheet = f"<sheetData>{''.join(rows)}</sheetData>{merged}"
    assert len(read(raw_xlsx(tmp_path / "a", sheet))[1]) == 1


def test_two_columns_for_one_field_are_named(tmp_path: Path):
    """Which of the two is meant is not guessed; a synonym gives way to the name itself."""
    refusal = refused(
        files.xlsx(tmp_path / "a", (("Codice voucher", "Ragione sociale", "Voucher code"), ("a", "b", "c")))
    )
    assert (refusal.code, "A1, C1" in refusal.en) == ("two_columns", True)
    reading, _ = read(files.xlsx(tmp_path / "b", (("Code", "Company", "Voucher code"), ("a", "b", "c"))))
    assert reading.columns["voucher_code"] == 2


def test_two_headers_are_refused_with_their_rows(tmp_path: Path):
    """A second header under the first, in another language, or pasted in with a second list."""
    italian = ("Codice voucher", "Ragione sociale", "E-mail")
    twice = refused(files.xlsx(tmp_path / "a", (HEADER[:3], italian, *ROWS)))
    assert (twice.code, "1, 2" in twice.en) == ("two_headers", True)
    pasted = refused(files.xlsx(tmp_path / "b", (HEADER, *ROWS * 40, HEADER, *ROWS)))
    assert (pasted.code, "1, 82" in pasted.en) == ("two_headers", True)


def test_two_sheets_that_fit_are_named(tmp_path: Path):
    """Which of the two is meant is not guessed."""
    refusal = refused(files.sheets(tmp_path / "a", {"May": (HEADER, *ROWS), "June": (HEADER, *ROWS)}))
    assert (refusal.code, "May, June" in refusal.en) == ("two_sheets", True)


def test_no_header_and_missing_columns_say_what_is_needed(tmp_path: Path):
    """The columns that are missing are named as in the template of the language."""
    nothing = refused(files.xlsx(tmp_path / "a", (("x", "y"), ("1", "2"))))
    assert nothing.code == "no_header"
    assert "Voucher code, Company" in nothing.en
    assert "Codice voucher, Ragione sociale" in nothing.it
    partly = refused(files.xlsx(tmp_path / "b", (("Voucher code", "E-mail"), ("1", "2"))))
    assert partly.code == "missing_columns"
    assert "Company" in partly.en
    listed = refused_bytes(tmp_path / "c", b"RSI-26-7589670-J9KH\n")
    assert (listed.code, "Company" in listed.en) == ("missing_columns_of_list", True)


def test_a_header_without_rows_and_a_workbook_without_sheets(tmp_path: Path):
    """Nothing to do is told, not done."""
    assert refused(files.xlsx(tmp_path / "a", (HEADER,))).code == "no_rows"
    hidden = files.sheets(tmp_path / "b", {"Empty": (), "Dati": (HEADER, *ROWS)}, hidden=["Dati"])
    assert refused(hidden).code == "no_sheets"


def test_rows_columns_cells_and_characters_have_limits(tmp_path: Path):
    """Each is told with the number."""
    path = files.xlsx(tmp_path / "a", (HEADER, *ROWS * 10, ("x" * 101,)))
    assert refused(path, limits=Limits(rows=20)).code == "too_many_rows"
    assert refused(path, limits=Limits(columns=5)).code == "too_many_columns"
    assert refused(path, limits=Limits(cells=100)).code == "too_many_cells"
    long = refused(path, limits=Limits(cell_characters=100))
    assert (long.code, address(0, 22) in long.en) == ("cell_too_long", True)


def test_what_has_no_value_is_no_blank(tmp_path: Path):
    """Errors and formulas without a stored value are unreadable; a formula that came to nothing is blank."""
    cells = (
        text_cell("A2", "C-12345"),
        '<c r="B2" t="e"><v>#N/A</v></c>',
        '<c r="C2"><f>A1+1</f></c>',
        '<c r="D2" t="str"><f>""</f><v></v></c>',
        '<c r="E2"><f t="shared" si="0"/></c>',
        '<c r="F2"><f>1+1</f><v>2</v></c>',
        text_cell("G2", "#DIV/0!"),
    )
    only = row(3, '<c r="A3"><f>X()</f></c>')
    path = raw_xlsx(tmp_path / "a", table(row(2, *cells), only))
    _, lines = read(path)
    assert lines[0].cells == [
        "C-12345",
        {"unreadable": "#N/A"},
        {"unreadable": "=A1+1"},
        None,
        {"unreadable": "="},
        2,
        {"unreadable": "#DIV/0!"},
    ]
    assert lines[1].cells == [{"unreadable": "=X()"}]


def test_prefixed_xml_is_looked_at_too(tmp_path: Path):
    """Some programs write x:row and x:c."""
    sheet = "".join(
        (
            '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>',
            '<x:row r="1"><x:c r="A1" t="str"><x:v>Voucher code</x:v></x:c>',
            '<x:c r="B1" t="str"><x:v>Company</x:v></x:c></x:row>',
            '<x:row r="2" hidden="1"><x:c r="A2"><x:f>A1</x:f></x:c><x:c r="B2" t="str"><x:v>Rossi</x:v></x:c></x:row>',
            "</x:sheetData></x:worksheet>",
        )
    )
    reading, lines = read(raw_xlsx(tmp_path / "a", "", changed={"xl/worksheets/sheet1.xml": sheet}))
    assert lines[0].cells == [{"unreadable": "=A1"}, "Rossi"]
    assert reading.warnings[0]["cells"] == ["2"]


def test_hidden_rows_are_read_and_told(tmp_path: Path):
    """Of the table only, with their number and the first few."""
    rows = [row(n, f"C-{n:05}", "X", attributes=' hidden="1"' if n % 2 else ' hidden="0"') for n in range(2, 20)]
    reading, lines = read(raw_xlsx(tmp_path / "a", table(*rows)))
    assert len(lines) == 18
    (warning,) = reading.warnings
    assert (warning["code"], warning["count"], warning["cells"]) == ("hidden_rows", 9, ["3", "5", "7", "9", "11"])


def test_no_bad_character_reaches_the_database(tmp_path: Path):
    """NUL from an escape is a cell that cannot be read, with a mark that shows it."""
    path = raw_xlsx(tmp_path / "a", table(row(2, "C-1_x0000_2", "a_xD800_b", "x_x000D_y")))
    _, lines = read(path)
    assert lines[0].cells == [{"unreadable": "C-1␀2"}, "a_xD800_b", "x\ry"]
    assert lines[0].subject is None


def test_spreadsheet_numbers_without_value_are_unreadable(tmp_path: Path):
    """Not a number, or one beyond all bounds."""
    path = raw_xlsx(tmp_path / "a", table(row(2, "C-12345", '<c r="B2"><v>nan</v></c>', '<c r="C2"><v>1E999</v></c>')))
    _, lines = read(path)
    assert lines[0].cells == ["C-12345", {"unreadable": "nan"}, {"unreadable": "inf"}]


def test_cells_out_of_order_are_refused(tmp_path: Path):
    """Rows that jump back cannot be streamed; no known program writes them."""
    path = raw_xlsx(tmp_path / "a", table(row(5, *ROWS[0]), row(3, *ROWS[1])))
    assert refused(path).code == "corrupt"


def test_limits_are_those_that_are_published():
    """The defaults are the figures of the guide."""
    assert Limits() == replace(Limits(), file_bytes=200_000_000, rows=1_048_576, columns=256, cells=20_000_000)


def test_errors_are_no_blanks_in_other_formats_either(tmp_path: Path):
    """XLS, XLSB and ODS: the library shows error cells as blank."""
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("S")
    for r, cells in enumerate((HEADER, *ROWS)):
        for c, cell in enumerate(cells):
            sheet.write(r, c, cell)
    sheet.row(2).set_cell_error(6, 0x2A)
    sheet.row(1).hidden = True
    sheet.write_merge(8, 8, 0, 2, "Totale")
    book.save(str(tmp_path / "a"))
    reading, lines = read(tmp_path / "a")
    assert lines[1].cells[6] == {"unreadable": "#N/A"}
    assert [(w["code"], w["cells"]) for w in reading.warnings] == [("hidden_rows", ["2"]), ("total_left_out", ["A9"])]
    _, lines = read(files.xlsb(tmp_path / "b", (HEADER, (*ROWS[0], None), (None, "x"))))
    assert [line.cells[-1] for line in lines] == [{"unreadable": "#N/A"}, "x"]
    assert lines[1].cells[0] == {"unreadable": "#N/A"}


def ods_changed(path: Path, old: str, new: str) -> Path:
    """An ODS whose content is changed once."""
    files.ods(path, (HEADER, *ROWS))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    content = parts["content.xml"].decode()
    assert old in content
    calc = ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    parts["content.xml"] = content.replace(old, new, 1).replace(" office:version", calc + " office:version", 1).encode()
    path.write_bytes(files.packed(parts))
    return path


def test_errors_and_formulas_without_value_in_ods(tmp_path: Path):
    """As LibreOffice writes them."""
    cell = '<table:table-cell office:value-type="string"><text:p>Rossi S.p.A.</text:p>'
    error = (
        '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value="" '
        'calcext:value-type="error"><text:p>#N/A</text:p>'
    )
    _, lines = read(ods_changed(tmp_path / "a", cell, error))
    assert list(lines[0].cells[1]) == ["unreadable"]
    formula = '<table:table-cell table:formula="of:=[.A1]">'
    _, lines = read(ods_changed(tmp_path / "b", cell, formula))
    assert lines[0].cells[1] == {"unreadable": "of:=[.A1]"}


def test_merged_cells_and_hidden_rows_in_ods(tmp_path: Path):
    """Merged cells are named, hidden rows counted."""
    cell = '<table:table-cell office:value-type="string"><text:p>Rossi S.p.A.</text:p>'
    merged = cell.replace("<table:table-cell ", '<table:table-cell table:number-rows-spanned="2" ')
    refusal = refused(ods_changed(tmp_path / "a", cell, merged))
    assert (refusal.code, "B2:B3" in refusal.en) == ("merged_cells", True)
    first = '<table:table-row><table:table-cell office:value-type="string"><text:p>ABC-1234567-XY'
    hidden = first.replace("<table:table-row>", '<table:table-row table:visibility="filter">')
    reading, _ = read(ods_changed(tmp_path / "b", first, hidden))
    assert [(w["code"], w["cells"]) for w in reading.warnings] == [("hidden_rows", ["2"])]


def test_unusual_workbooks_are_read_or_refused_with_a_sentence(tmp_path: Path):
    """Strict OOXML, macros and absolute targets are read; backslashes in names and parts in UTF-16 are not."""
    plain = table(row(2, *ROWS[0]))
    assert len(read(raw_xlsx(tmp_path / "a", plain, main=files._STRICT))[1]) == 1
    path = raw_xlsx(tmp_path / "b", plain, changed={"xl/vbaProject.bin": b"x"})
    assert read(path)[0].format == "xlsm"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    relations = parts["xl/_rels/workbook.xml.rels"].replace(b'Target="worksheets', b'Target="/xl/worksheets')
    path.write_bytes(files.packed(parts | {"xl/_rels/workbook.xml.rels": relations}))
    assert len(read(path)[1]) == 1
    path.write_bytes(files.packed({name.replace("/", "\\"): part for name, part in parts.items()}))
    assert refused(path).code == "corrupt"
    for name in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        wide = ('<?xml version="1.0" encoding="UTF-16"?>' + parts[name].decode()).encode("utf-16")
        path.write_bytes(files.packed(parts | {name: wide}))
        assert refused(path).code == "corrupt"

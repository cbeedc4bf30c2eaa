"""Names of files under way, whether a file is whole, and paths that lead nowhere but into the tree."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.dropped import ends_with_block, fault_of, is_temporary, marked_by
from storage.sftp.door import BadPath, parts_of


@pytest.mark.parametrize(
    ("name", "temporary"),
    [
        (".list.csv", True),
        ("list.csv.part", True),
        ("list.PART", True),
        ("list.tmp", True),
        ("list.csv.filepart", True),
        ("list.incomplete", True),
        ("list.csv", False),
        ("part.csv", False),
        ("list.partial", False),
        ("tmp", False),
    ],
)
def test_names_of_files_under_way(name: str, temporary: bool) -> None:
    """They start with a dot or end as clients' temporary names do, in any case."""
    assert is_temporary(name) is temporary


def test_a_marker_names_its_file() -> None:
    """``list.csv.done`` is the marker of ``list.csv``; a name that is nothing but the suffix marks nothing."""
    assert (marked_by("list.csv.done"), marked_by("list.csv"), marked_by(".done")) == ("list.csv", None, None)


def workbook(comment: bytes = b"") -> bytes:
    """A small archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "<row/>" * 200)
        archive.writestr("inner.zip", b"PK\x05\x06" + bytes(18))
        archive.comment = comment
    return made.getvalue()


@given(st.data())
def test_no_part_of_a_workbook_is_whole(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Wherever a workbook is cut, that is seen, though another archive's end may lie within it."""
    whole = workbook(data.draw(st.binary(max_size=40)))
    path = tmp_path_factory.getbasetemp() / "book.xlsx"
    path.write_bytes(whole)
    assert fault_of(path) is None
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert fault_of(path) is not None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", "\n".encode("utf-16-le"), "\n".encode("utf-16-be")])
def test_a_table_is_whole_when_its_last_line_ends(end: bytes, tmp_path: Path) -> None:
    """In every encoding and with every line end; also beyond a full block, unless it came as one."""
    path = tmp_path / "list.csv"
    path.write_bytes(b"a;b" + end)
    assert fault_of(path) is None
    assert fault_of(path, at_block_end=True) is not None
    path.write_bytes(b"a;b" + end + b"c")
    assert fault_of(path) is not None


def test_sizes_at_which_an_upload_is_given_up() -> None:
    """Whole blocks of OpenSSH's client."""
    assert [ends_with_block(size) for size in (32_768, 65_536, 261_120, 32_769, 100)] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_an_old_workbook_is_not_a_table(tmp_path: Path) -> None:
    """An XLS needs no line end; its reader finds out whether it is whole."""
    path = tmp_path / "list.xls"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504))
    assert fault_of(path) is None


@given(st.lists(st.sampled_from(["..", ".", "", "a", "inbox", "ü", "...", " "]), max_size=12))
def test_no_path_leads_above_the_root(names: list[str]) -> None:
    """However often it goes up, what is left are plain names, and reading them again changes nothing."""
    parts = parts_of("/".join(names).encode())
    assert not {"", ".", ".."} & set(parts)
    assert parts_of(("/" + "/".join(parts)).encode()) == parts


@given(st.binary(max_size=60))
def test_any_bytes_are_a_plain_path_or_refused(path: bytes) -> None:
    """No byte sequence becomes anything but names without separators and control characters."""
    try:
        parts = parts_of(path)
    except BadPath:
        return
    for name in parts:
        assert name not in ("", ".", "..")
        assert not set(name) & set("/\\\0\n\r\x7f")

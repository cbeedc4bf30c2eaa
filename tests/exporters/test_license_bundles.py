"""ZIP archives of license files: any unpacker reads them, on any system."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.license_bundles import INDEX, bundle


def archive(files: list[tuple[str, bytes]]) -> zipfile.ZipFile:
    """What zipfile reads."""
    return zipfile.ZipFile(io.BytesIO(b"".join(bundle(files))))


def test_files_are_read_back() -> None:
    """Contents and names come back, whether they pack well or not at all; check sums are right."""
    files = [
        ("A/KML-1.lic", b"text " * 100),
        ("A/KML-2.lic", b"x"),
        ("B/KML-3.lic", b""),
        ("Società/é.lic", b"\x00\xff"),
    ]
    made = archive(files)
    assert made.testzip() is None
    assert [(name, made.read(name)) for name in made.namelist()[:-1]] == files


def test_the_index_lists_every_file() -> None:
    """index.csv is the last member: name, size and SHA-256 of each."""
    made = archive([("a.lic", b"one"), ('b;,".lic', b"two")])
    assert made.namelist()[-1] == INDEX
    rows = list(csv.reader(io.StringIO(made.read(INDEX).decode("utf-8-sig"))))
    assert rows == [
        ["name", "size", "sha256"],
        ["a.lic", "3", hashlib.sha256(b"one").hexdigest()],
        ["b;,_.lic", "3", hashlib.sha256(b"two").hexdigest()],
    ]


@given(st.lists(st.tuples(st.text(max_size=300), st.binary(max_size=20)), max_size=6))
def test_any_names_become_safe_and_different(files: list[tuple[str, bytes]]) -> None:
    """Whatever the names: none is lost, none leads out of the folder, none is forbidden on Windows, none twice."""
    made = archive(files)
    names = made.namelist()
    assert len({name.casefold() for name in names}) == len(names) == len(files) + 1
    assert [made.read(name) for name in names[:-1]] == [content for _, content in files]
    for name in names:
        path = PureWindowsPath(name)
        assert not path.is_absolute()
        assert not path.is_reserved()
        assert not path.drive
        assert ".." not in path.parts
        assert not set(name) & set('<>:"|?*\\')
        assert not any(part.endswith((".", " ")) for part in name.split("/"))


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("../../etc/passwd", "_/_/etc/passwd"),
        ("CON.lic", "_CON.lic"),
        ("a/b/../c.lic", "a/b/_/c.lic"),
        ("/abs.lic", "abs.lic"),
        ("a:b?.lic", "a_b_.lic"),
        ("name. ", "name"),
        ("index.csv", "index (2).csv"),
        ("Index.CSV", "Index (2).CSV"),
        ("", "_"),
    ],
)
def test_names_are_mended_as_little_as_possible(wanted: str, name: str) -> None:
    """What a system could not unpack is replaced; the rest of the name stays."""
    assert archive([(wanted, b"")]).namelist()[0] == name


def test_names_that_differ_by_case_are_both_kept() -> None:
    """Windows would unpack one over the other."""
    assert archive([("a.lic", b"1"), ("A.lic", b"2"), ("a.lic", b"3")]).namelist()[:3] == [
        "a.lic",
        "A (2).lic",
        "a (3).lic",
    ]


def test_the_same_files_make_the_same_bytes() -> None:
    """No clock in the archive: a repeated export has the same digest."""
    files = [("a.lic", b"x" * 100), ("b.lic", b"y")]
    assert list(bundle(files)) == list(bundle(files))


def test_more_than_65535_files_need_zip64() -> None:
    """The old end record counts to 65,535; the larger one stands beside it."""
    made = archive([(f"{number}.lic", b"x") for number in range(66_000)])
    assert len(made.namelist()) == 66_001
    assert made.read("65999.lic") == b"x"

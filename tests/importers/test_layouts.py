"""Lists as other systems write them, read without renaming a column."""

from __future__ import annotations

from pathlib import Path

import pytest

from importers.contracts import Wanted
from importers.layouts import LAYOUTS
from jobs.kinds.registry import KINDS
from licensing.field_catalogue import FIELDS
from tests.importers.files import read, refused
from tests.importers.foreign import FILES, Foreign


def given(kind: str) -> dict[str, str]:
    """Something for every required column, so that any list is read."""
    return {field.name: "x" for field in KINDS[kind].fields if field.required}


def wanted(kind: str) -> Wanted:
    """What a kind looks for."""
    return Wanted(KINDS[kind].fields, KINDS[kind].subject, KINDS[kind].domain, given(kind))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_layout_is_read_as_it_comes(file: Foreign, tmp_path: Path) -> None:
    """The layout is known by its header; each of our fields gets what the list has for it; nothing else is ours."""
    path = file.write(tmp_path / "list")
    reading, lines = read(path, wanted(file.kind))
    assert reading.layout == file.layout
    assert {name: lines[0].cells[column] for name, column in reading.columns.items()} == file.first
    assert reading.row_count == len(file.outcomes)


def test_every_layout_has_a_file() -> None:
    """A layout without a list that shows it is not one; kinds and fields of the table exist."""
    assert {layout.name for layout in LAYOUTS} == {file.layout for file in FILES}
    for layout in LAYOUTS:
        assert set(layout.kinds) <= set(KINDS)
        assert {name for name in layout.columns.values() if name} <= set(FIELDS)


XML = "<webregkeys><webregkey>{}</webregkey></webregkeys>"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "x">]>' + XML.format("&a;"), "has_entities"),
        (XML.format("WRK-1").removesuffix("</webregkeys>"), "truncated"),
        (XML.format("<a>WRK-1</b>"), "corrupt"),
        ("<webregkeys></webregkeys>", "empty_file"),
        (XML.format("x" * 40_000), "cell_too_long"),
        (XML.format("".join(f"<a{n}>1</a{n}>" for n in range(300))), "too_many_columns"),
        ("<webregkeyz><webregkey>WRK-1</webregkey></webregkeyz>", "no_header"),
        ('<?xml version="1.0"?><other/>', "not_a_spreadsheet"),
    ],
)
def test_a_bad_xml_file_is_refused_with_its_reason(content: str, code: str, tmp_path: Path) -> None:
    """Entities, a lost end, wrong nesting, nothing in it, too long, too wide, another document."""
    (tmp_path / "a").write_text(content)
    assert refused(tmp_path / "a", wanted("register-serials")).code == code

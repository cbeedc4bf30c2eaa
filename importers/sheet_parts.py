"""Which part of an XLSX or XLSB workbook holds which sheet: the small XML lists inside it."""

from __future__ import annotations

import posixpath
import zipfile
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from importers.refusals import refusal
from importers.sheet_xml import unpacked

_MOST_BYTES = 4_000_000  # a workbook of a thousand sheets has 100 kB
_Parts = dict[str, zipfile.ZipInfo]


class Workbook(NamedTuple):
    """The part that holds each sheet, by the sheet's name, and the system of its dates."""

    parts: _Parts
    counts_from_1904: bool


def of_xlsx(path: Path, parts: _Parts) -> Workbook:
    """What the list of sheets says of an XLSX workbook."""
    targets = relation_targets(path, parts, "xl/_rels/workbook.xml.rels")
    found, counts_from_1904 = {}, False
    for entry in _xml(path, parts, "xl/workbook.xml").iter():
        if _local(entry) == "workbookPr":
            counts_from_1904 = entry.get("date1904") in ("1", "true")
        if _local(entry) == "sheet":
            id_ = next((value for name, value in entry.attrib.items() if name.endswith("}id")), "")
            part = parts.get(targets.get(id_, ""))
            if part is not None:
                found[entry.get("name", "")] = part
    return Workbook(found, counts_from_1904)


def relation_targets(path: Path, parts: _Parts, name: str) -> dict[str, str]:
    """The names of the parts that a workbook refers to, by their ids."""
    return {
        entry.get("Id", ""): posixpath.normpath(posixpath.join("/xl", entry.get("Target", ""))).lstrip("/")
        for entry in _xml(path, parts, name).iter()
        if _local(entry) == "Relationship"
    }


def _local(entry: ElementTree.Element) -> str:
    return entry.tag.rpartition("}")[2]


def _xml(path: Path, parts: _Parts, name: str) -> ElementTree.Element:
    part = parts.get(name)
    if part is None:
        raise refusal("corrupt", detail=f"{name}?")
    if part.file_size > _MOST_BYTES:
        raise refusal("corrupt", detail=f"{name}: {part.file_size:,}")
    text = b"".join(unpacked(path, part))
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise refusal("has_entities", where=name)
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - small, and without entities
    except ElementTree.ParseError as error:
        raise refusal("corrupt", detail=name) from error

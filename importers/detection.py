"""The format of a file, from its content and never from its name; refuses what is no spreadsheet."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from importers import ole, zip_directory
from importers.contracts import Limits
from importers.refusals import refusal
from importers.sheet_xml import unpacked

FORMATS = ("xlsx", "xlsm", "xls", "xlsb", "ods", "xml", "csv")

# What people send by mistake, by how it begins: English and Italian names.
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF document", "un documento PDF"),
    (b"\x89PNG", "a picture", "un'immagine"),
    (b"\xff\xd8\xff", "a picture", "un'immagine"),
    (b"GIF8", "a picture", "un'immagine"),
    (b"\x1f\x8b", "a gzip archive", "un archivio gzip"),
    (b"7z\xbc\xaf", "a 7z archive", "un archivio 7z"),
    (b"Rar!", "a RAR archive", "un archivio RAR"),
    (b"\x7fELF", "a program", "un programma"),
    (b"MZ", "a program", "un programma"),
    (b"SQLite format 3", "a database", "un database"),
    (b"{\\rtf", "a text document (RTF)", "un documento di testo (RTF)"),
    (b"<!doctype html", "a web page", "una pagina web"),
    (b"<html", "a web page", "una pagina web"),
    (b"<table", "a web page", "una pagina web"),
    (b"<?xml", "an XML document", "un documento XML"),
)
_WEB_REGISTER_KEYS = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE.*)?<(?:\w+:)?webregkeys\b", re.I | re.S
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES = 65_536


def detect(path: Path, limits: Limits) -> str:
    """One of ``FORMATS``. Raises :class:`UnreadableFile`."""
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise refusal("file_too_large", n=size, most=limits.file_bytes)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip(b" \t\r\n\x00\xef\xbb\xbf\xff\xfe") and size <= _HEAD_BYTES:
        raise refusal("empty_file")
    if head.startswith(ole.SIGNATURE):
        return _of_container(path)
    if head.startswith(b"PK"):
        return _of_archive(path, limits)
    return _of_text(head)


def _of_container(path: Path) -> str:
    try:
        container = ole.read(path)
    except ole.BrokenContainer as error:
        raise refusal("corrupt", detail=f"OLE, {error}") from error
    if ole.needs_password(container):
        raise refusal("encrypted")
    if not container.streams & {"Workbook", "Book"}:
        raise _other("a document of another program", "un documento di un altro programma")
    return "xls"


def _of_archive(path: Path, limits: Limits) -> str:
    parts = zip_directory.check(path, limits)
    if "META-INF/manifest.xml" in parts and "content.xml" in parts:
        return _of_open_document(path, parts["META-INF/manifest.xml"])
    known = {name.replace("\\", "/").lower() for name in parts}
    if "xl/workbook.bin" in known:
        return "xlsb"
    if "xl/vbaproject.bin" in known:
        return "xlsm"
    if "xl/workbook.xml" in known or any(name.startswith("xl/worksheets/") for name in known):
        return "xlsx"
    if "word/document.xml" in known or "ppt/presentation.xml" in known:
        raise _other("a document of another office program", "un documento di un altro programma d'ufficio")
    raise _other("a ZIP archive", "un archivio ZIP")


def _of_open_document(path: Path, manifest_part: zipfile.ZipInfo) -> str:
    manifest = next(unpacked(path, manifest_part), b"")
    if b"encryption-data" in manifest:
        raise refusal("encrypted")
    if b"opendocument.spreadsheet" not in manifest:
        raise _other("a document of another office program", "un documento di un altro programma d'ufficio")
    return "ods"


def _of_text(head: bytes) -> str:
    if _WEB_REGISTER_KEYS.match(_decoded(head)):
        return "xml"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature, english, italian in _OTHERS:
        if start.startswith(signature.lower()):
            raise _other(english, italian)
    if head.startswith(_UTF16_MARKS) or looks_like_utf16(head):
        return "csv"
    odd = sum(byte < 0x20 and byte not in b"\t\n\r\x0c\x1a" for byte in head[:4096])
    if odd > len(head[:4096]) // 20 + 4:
        raise _other("binary data", "dati binari")
    return "csv"


def _decoded(head: bytes) -> str:
    """The beginning of a text, as far as it can be told what its characters are."""
    encoding = "utf-16" if head.startswith(_UTF16_MARKS) else "utf-8-sig"
    return head[:4096].decode(encoding, "replace")


def looks_like_utf16(head: bytes) -> str | None:
    """The byte order of UTF-16 without a mark (``utf-16-le`` or ``utf-16-be``): every other byte of Latin text is 0."""
    sample = head[:2048]
    half = len(sample) // 2
    if half < 4:
        return None
    for name, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        if sample[place::2].count(0) > half * 0.7 and sample[1 - place :: 2].count(0) == 0:
            return name
    return None


def _other(english: str, italian: str) -> Exception:
    return refusal("not_a_spreadsheet", it={"detail": italian}, detail=english)

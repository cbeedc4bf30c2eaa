"""Finds the license keys in whatever holds them: a license file, a ZIP of them, a result file or any other text."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile, ZipFile, ZipInfo, is_zipfile

from signing.license_files import BEGIN, END
from signing.verification import LONGEST_LICENSE

LONGEST_LINE = 1_048_576  # characters; a longer one is looked at in pieces
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # any JSON object in base64url begins like that

# What zipfile raises for damaged, encrypted or unknown content.
_BAD_ZIP = (BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError, zlib.error)


class Found(NamedTuple):
    """A text to verify, and where it was: the number of its line, or its name in a ZIP."""

    place: str
    text: str


def license_texts(file: BinaryIO) -> Iterator[Found]:
    """Every license key in an open file, which must be seekable; nothing where it holds none.

    What begins like a license file and is cut off or broken is given too, for ``verify`` to refuse.
    """
    if is_zipfile(file):
        yield from _in_zip(file)
        return
    file.seek(0)
    encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    file.seek(0)
    text = TextIOWrapper(file, encoding, errors="replace")
    try:
        yield from _in_lines(iter(lambda: text.readline(LONGEST_LINE), ""))
    finally:
        text.detach()


def _in_zip(file: BinaryIO) -> Iterator[Found]:
    try:
        with ZipFile(file) as archive:
            for entry in archive.infolist():
                if entry.filename.lower().endswith(".lic"):
                    yield Found(entry.filename, _unpacked(archive, entry))
    except _BAD_ZIP:
        yield Found("ZIP", "")


def _unpacked(archive: ZipFile, entry: ZipInfo) -> str:
    """The text of a license file in a ZIP, no longer than one may be; "" when it cannot be unpacked."""
    try:
        with archive.open(entry) as file:
            return file.read(LONGEST_LICENSE + 1).decode("utf-8", errors="replace")
    except _BAD_ZIP:
        return ""


def _in_lines(lines: Iterable[str]) -> Iterator[Found]:
    """License files as a whole, and keys that stand in lines outside of them."""
    block: list[str] = []
    place = ""
    for number, line in enumerate(lines, 1):
        if line.strip() == BEGIN:
            if block:
                yield Found(place, "".join(block))
            block, place = [line], str(number)
        elif block:
            block.append(line)
            if line.strip() == END:
                yield Found(place, "".join(block))
                block = []
        else:
            for token in _TOKEN.findall(line):
                yield Found(str(number), token)
    if block:
        yield Found(place, "".join(block))

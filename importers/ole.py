"""OLE containers (XLS, and every encrypted workbook): which streams they hold, and whether a password is needed."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END = 0xFFFFFFFA  # sector numbers from here on are marks
_ENTRY_BYTES = 128
_MOST_SECTORS = 500_000
_FILEPASS, _BOF, _WRITEPROT = 0x2F, 0x809, 0x86


class Container(NamedTuple):
    """Names of the streams, and the bytes of the workbook's stream (empty when there is none)."""

    streams: frozenset[str]
    workbook: bytes


class BrokenContainer(Exception):
    """The container's tables do not hang together."""


def read(path: Path) -> Container:
    """Look into a container. Raises :class:`BrokenContainer`."""
    data = path.read_bytes()
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError) as error:
        raise BrokenContainer(str(error)) from error


def _read(data: bytes) -> Container:
    size = 1 << struct.unpack_from("<H", data, 30)[0]
    if size not in (512, 4096):
        raise BrokenContainer("sector size")
    table = _sector_table(data, size)
    directory = _chain(data, table, struct.unpack_from("<I", data, 48)[0], size)
    names, workbook = set[str](), b""
    for start in range(0, len(directory) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        entry = directory[start : start + _ENTRY_BYTES]
        length = struct.unpack_from("<H", entry, 64)[0]
        name = entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        names.add(name)
        first, bytes_of_stream = struct.unpack_from("<I", entry, 116)[0], struct.unpack_from("<I", entry, 120)[0]
        if name in ("Workbook", "Book") and bytes_of_stream >= 4096:  # smaller ones hold no table worth a look
            workbook = _chain(data, table, first, size)[:bytes_of_stream]
    return Container(frozenset(names), workbook)


def _sector_table(data: bytes, size: int) -> list[int]:
    """Which sector follows which."""
    sectors = list(struct.unpack_from("<109I", data, 76))
    more, count = struct.unpack_from("<II", data, 68)
    per_sector = size // 4
    while more < _END and count and len(sectors) < _MOST_SECTORS:
        entries = struct.unpack_from(f"<{per_sector}I", data, (more + 1) * size)
        sectors += entries[:-1]
        more, count = entries[-1], count - 1
    table: list[int] = []
    for sector in sectors:
        if sector < _END:
            table += struct.unpack_from(f"<{per_sector}I", data, (sector + 1) * size)
    return table


def _chain(data: bytes, table: list[int], sector: int, size: int) -> bytes:
    found = []
    while sector < _END:
        found.append(data[(sector + 1) * size : (sector + 2) * size])
        if len(found) > len(table):
            raise BrokenContainer("circle of sectors")
        sector = table[sector]
    return b"".join(found)


def needs_password(container: Container) -> bool:
    """Whether the workbook is encrypted: a package in a wrapping, or the FILEPASS record of old XLS."""
    if container.streams & {"EncryptedPackage", "EncryptionInfo"}:
        return True
    position, data = 0, container.workbook
    for _ in range(4):
        if position + 4 > len(data):
            break
        record, length = struct.unpack_from("<HH", data, position)
        if record == _FILEPASS:
            return True
        if record not in (_BOF, _WRITEPROT):
            break
        position += 4 + length
    return False

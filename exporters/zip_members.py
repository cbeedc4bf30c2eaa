"""ZIP records for members that are packed already and whose sizes are known: what ``zipfile`` cannot write.

No data descriptors: every size stands in the member's own header, so that strict readers (and those that read a stream)
take the file. ZIP64 only where a size or a place needs it. All members have one date: equal content gives equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from isal import isal_zlib

_U32 = 0xFFFFFFFF
_U16 = 0xFFFF
_DATE = (1980 - 1980) << 9 | 1 << 5 | 1  # 1 January 1980, the first day that ZIP knows
_UTF8 = 0x800
STORED, DEFLATED = 0, 8
LONGEST_NAME = 240  # bytes


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive: ``size`` counts its packed bytes."""

    name: str
    crc32: int
    size: int
    plain_size: int
    method: int = DEFLATED


class Archive:
    """The directory of an archive that is being streamed: hands out the records to write around the members."""

    def __init__(self) -> None:
        self._place = 0
        self._count = 0
        self._directory = bytearray()  # some 80 bytes a member: small even for a million

    def member(self, member: Member, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """A member's header and its packed bytes."""
        name = member.name.encode()
        large = member.size >= _U32 or member.plain_size >= _U32
        extra = struct.pack("<HHQQ", 1, 16, member.plain_size, member.size) if large else b""
        sizes = (_U32, _U32) if large else (member.size, member.plain_size)
        common = struct.pack(
            "<HHHHHLLLHH",
            45 if large else 20, _UTF8, member.method, 0, _DATE, member.crc32, *sizes, len(name), len(extra),
        )  # fmt: skip
        yield b"PK\x03\x04" + common + name + extra
        yield from blocks
        self._enter(member, name)
        self._place += 30 + len(name) + len(extra) + member.size

    def _enter(self, member: Member, name: bytes) -> None:
        large = [value for value in (member.plain_size, member.size, self._place) if value >= _U32]
        extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        self._count += 1
        self._directory += struct.pack(
            "<4sHHHHHHLLLHHHHHLL",
            b"PK\x01\x02", 45, 45 if large else 20, _UTF8, member.method, 0, _DATE, member.crc32,
            min(member.size, _U32), min(member.plain_size, _U32), len(name), len(extra), 0, 0, 0, 0,
            min(self._place, _U32),
        )  # fmt: skip
        self._directory += name + extra

    def end(self) -> Iterator[bytes]:
        """The directory and the end records."""
        directory, start, count = bytes(self._directory), self._place, self._count
        yield directory
        size = len(directory)
        if start >= _U32 or size >= _U32 or count >= _U16:
            yield struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
            yield struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size, 1)
        shown = min(count, _U16)
        yield struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, shown, shown, min(size, _U32), min(start, _U32), 0)


def packed(name: str, content: bytes) -> tuple[Member, list[bytes]]:
    """A member out of its content, packed where that makes it smaller."""
    data = isal_zlib.compress(content, 1, -15)
    method = DEFLATED if len(data) < len(content) else STORED
    kept = data if method == DEFLATED else content
    return Member(name, isal_zlib.crc32(content), len(kept), len(content), method), [kept]

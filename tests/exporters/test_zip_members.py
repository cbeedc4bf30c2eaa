"""ZIP records, where numbers grow beyond 32 bits."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from exporters.zip_members import STORED, Archive, Member

CONTENT = b"the last one"


class _Sparse(io.RawIOBase):
    """A file whose first bytes are zeros that take no memory: zipfile reads the records behind 5 GiB of them."""

    def __init__(self, zeros: int, rest: bytes) -> None:
        self._zeros, self._rest, self._place = zeros, rest, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + (0, self._place, self._zeros + len(self._rest))[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        start = self._place
        end = self._zeros + len(self._rest) if size < 0 else start + size
        zeros = bytes(max(0, min(end, self._zeros) - start))
        found = zeros + self._rest[max(0, start - self._zeros) : max(0, end - self._zeros)]
        self._place += len(found)
        return found


def test_a_member_beyond_four_gigabytes_is_found() -> None:
    """A member of 5 GiB and one behind it: both places and sizes are right in the directory."""
    archive = Archive()
    large = Member("large", 0, 5 << 30, 5 << 30, STORED)
    first = b"".join(archive.member(large, []))  # its bytes are not made: they are the zeros of the sparse file
    rest = b"".join(archive.member(Member("small", zlib.crc32(CONTENT), 12, 12, STORED), [CONTENT]))
    rest += b"".join(archive.end())
    with zipfile.ZipFile(_Sparse(len(first) + (5 << 30), rest)) as read:
        assert [entry.file_size for entry in read.infolist()] == [5 << 30, 12]
        assert read.infolist()[1].header_offset == len(first) + (5 << 30)
        assert read.read("small") == CONTENT


def test_small_archives_have_no_zip64_records() -> None:
    """Readers that know only the old form take what fits into it."""
    archive = Archive()
    data = b"".join(archive.member(Member("a", zlib.crc32(CONTENT), 12, 12, STORED), [CONTENT]))
    data += b"".join(archive.end())
    assert b"PK\x06\x06" not in data
    assert struct.unpack_from("<H", data, 4) == (20,)
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert (read.namelist(), read.read("a")) == (["a"], CONTENT)

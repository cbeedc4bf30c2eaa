"""Cutting a stream into the parts of an upload, with the digests that the server's answer is compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

PART = 8 << 20  # bytes; S3 takes 10,000 parts, so 80 GB an object


class Digests:
    """What was sent: its size, its SHA-256, and the ETag that a server with MD5-style ETags gives it."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        """Take in the next part."""
        self.size += len(part)
        self._sha256.update(part)
        self._parts.append(hashlib.md5(part, usedforsecurity=False).digest())

    @property
    def sha256(self) -> str:
        """The digest of all parts, in hexadecimal."""
        return self._sha256.hexdigest()

    def etag(self, *, in_parts: bool) -> str:
        """The MD5 of an object that went up at once; else the MD5 of the parts' MD5s and how many there are."""
        if not in_parts:
            return self._parts[0].hex()
        return f"{hashlib.md5(b''.join(self._parts), usedforsecurity=False).hexdigest()}-{len(self._parts)}"


def parts(blocks: Iterable[bytes], digests: Digests) -> Iterator[bytes]:
    """Parts of ``PART`` bytes, the last one may be shorter; one that is empty when there is nothing."""
    waiting = bytearray()
    for block in blocks:
        waiting += block
        while len(waiting) > PART:
            part = bytes(memoryview(waiting)[:PART])
            del waiting[:PART]
            digests.add(part)
            yield part
    last = bytes(waiting)
    digests.add(last)
    yield last

"""Files that a client reads: fetched from the object store as far as they are asked for, or lying in the spool."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from storage.objects import StoreProblem
from storage.sftp.door import Offered


class Unreadable(Exception):
    """The store does not give the file, or gives other bytes than it should."""


class Reading(Protocol):
    """An open file. Its bytes may be asked for at any place, in any order."""

    size: int
    mtime: int

    async def read(self, offset: int, size: int) -> bytes:
        """Some bytes from a place on; none at the end. Raises :class:`Unreadable`."""

    def close(self) -> None:
        """Let go of it."""


class Fetched:
    """A file of the object store. What was fetched lies in a file without a name, so that a client may go back."""

    def __init__(self, offered: Offered) -> None:
        self.size, self.mtime = offered.size, offered.mtime
        self._offered = offered
        self._file = tempfile.TemporaryFile(prefix="keymill-")  # noqa: SIM115 - closed by close()
        self._blocks: Iterator[bytes] | None = None
        self._digest = hashlib.sha256()
        self._have = 0

    async def read(self, offset: int, size: int) -> bytes:
        """Some bytes, fetched first where they are not here yet; the last ones only if all of them were right."""
        if min(offset + size, self.size) > self._have or not self.size:
            await asyncio.to_thread(self._fetch, min(offset + size, self.size))
        return os.pread(self._file.fileno(), size, offset)

    def _fetch(self, until: int) -> None:
        try:
            if self._blocks is None:
                self._blocks = self._offered.blocks()
            while self._have < until:
                block = next(self._blocks, None)
                if block is None:
                    raise Unreadable("the stored file is too short")
                self._digest.update(block)
                self._file.write(block)
                self._have += len(block)
        except StoreProblem as problem:
            self._blocks = None
            raise Unreadable("the file cannot be read now, try again later") from problem
        self._file.flush()
        if self._have >= self.size and (self._have, self._digest.hexdigest()) != (self.size, self._offered.sha256):
            raise Unreadable("the stored file is damaged")

    def close(self) -> None:
        """Forget what was fetched."""
        self._file.close()


class Lying:
    """A file that lies in the spool."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        self.size, self.mtime = found.st_size, int(found.st_mtime)

    async def read(self, offset: int, size: int) -> bytes:
        """Some bytes."""
        return os.pread(self._descriptor, size, offset)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

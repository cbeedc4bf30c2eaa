"""What an object store can do, how it fails, and the door to the two that there are."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BLOCK = 1 << 20  # bytes that are read at a time
_SEGMENT = re.compile(r"[^\x00-\x1f\x7f/\\]+")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was stored. ``sha256`` is our own, computed from the bytes that we sent."""

    name: str
    size: int
    sha256: str


class StoreProblem(Exception):
    """Something is wrong with the store or what it holds; says so in English and Italian."""

    code = "store_problem"

    def __init__(self, en: str, it: str) -> None:
        super().__init__(en)
        self.en, self.it = en, it


class StoreUnavailable(StoreProblem):
    """The store does not answer, or not as it should: try again later."""

    code = "store_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The object store cannot be used now ({reason}). Try again later.",
            f"L'archivio dei file non è utilizzabile ora ({reason}). Riprovare più tardi.",
        )


class MissingObject(StoreProblem):
    """There is no object of this name."""

    code = "missing_object"

    def __init__(self, name: str) -> None:
        super().__init__(f"The object store has no {name}.", f"L'archivio dei file non contiene {name}.")


class WrongDigest(StoreProblem):
    """The bytes are not those that were expected; nothing was stored under the name."""

    code = "wrong_digest"

    def __init__(self, name: str, expected: str, got: str) -> None:
        super().__init__(
            f"The bytes of {name} have the SHA-256 digest {got} and not {expected}.",
            f"I byte di {name} hanno il digest SHA-256 {got} e non {expected}.",
        )


class BadName(ValueError):
    """A name that could lead out of the store: a mistake in the program, never a sender's fault."""


class ObjectStore(Protocol):
    """Objects by name. An object is there whole or not at all. Everything raises :class:`StoreUnavailable`."""

    def put(
        self,
        name: str,
        blocks: Iterable[bytes],
        *,
        media_type: str = "application/octet-stream",
        expected_sha256: str | None = None,
    ) -> Stored:
        """Store what the blocks say, replacing what was there. Raises :class:`WrongDigest`."""

    def put_file(
        self,
        name: str,
        path: Path,
        *,
        media_type: str = "application/octet-stream",
        expected_sha256: str | None = None,
    ) -> Stored:
        """Store a file."""

    def get(self, name: str) -> Iterator[bytes]:
        """The bytes, some at a time; the store is asked at the first step. Raises :class:`MissingObject`."""

    def fetch(self, name: str, path: Path, *, expected_sha256: str | None = None) -> Stored:
        """Bring an object into a file, which is there whole or not at all. Raises as :meth:`get` and :meth:`put`."""

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""

    def size(self, name: str) -> int:
        """How many bytes it has. Raises :class:`MissingObject`."""

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects one by one; one that is not there is no error."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """The names that start so, in order."""

    def link(self, name: str, seconds: int, filename: str) -> str | None:
        """A URL that gives the object to whoever has it, for so long (7 days at most), saved as ``filename``."""

    def check(self) -> None:
        """Write, read and delete a small object: for start-up."""


def checked_name(name: str) -> str:
    """A name made of plain segments; raises :class:`BadName` for one that could lead elsewhere."""
    segments = name.split("/")
    if len(name.encode()) > 900 or not all(
        _SEGMENT.fullmatch(segment) and segment not in (".", "..") and len(segment.encode()) <= 255
        for segment in segments
    ):
        raise BadName(f"not a name of an object: {name!r}")
    return name


def file_blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a block at a time."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def write_checked(name: str, blocks: Iterable[bytes], path: Path, expected_sha256: str | None) -> Stored:
    """Write blocks into a new file on disk for good; raises :class:`WrongDigest` if they are not as expected."""
    digest = hashlib.sha256()
    size = 0
    with path.open("xb") as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            size += len(block)
        file.flush()
        os.fsync(file.fileno())
    sha256 = digest.hexdigest()
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise WrongDigest(name, expected_sha256, sha256)
    return Stored(name, size, sha256)

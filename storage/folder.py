"""The object store in a local folder: written aside, synced, renamed, so an object is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.objects import (
    MissingObject,
    Stored,
    StoreUnavailable,
    checked_name,
    file_blocks,
    write_checked,
)

_ASIDE = ".partial"  # files that are being written; no object's name starts so
_STALE_SECONDS = 24 * 3600


@contextmanager
def _outages(name: str = "") -> Iterator[None]:
    """A disk that is full, gone or forbidden is an outage; a file that is not there is a missing object."""
    try:
        yield
    except FileNotFoundError as error:
        if name:
            raise MissingObject(name) from error
        raise StoreUnavailable(str(error)) from error
    except OSError as error:
        raise StoreUnavailable(str(error)) from error


class FolderStore:
    """Objects as files below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with _outages():
            (root / _ASIDE).mkdir(parents=True, exist_ok=True)

    def put(
        self,
        name: str,
        blocks: Iterable[bytes],
        *,
        media_type: str = "application/octet-stream",
        expected_sha256: str | None = None,
    ) -> Stored:
        """Store what the blocks say. An error of the blocks' own comes through as it is."""
        target = self._path(name)
        self._check_root()
        aside = self.root / _ASIDE / secrets.token_hex(16)
        try:
            stored = _written(name, blocks, aside, expected_sha256)
            with _outages():
                _make_folders(target.parent, self.root)
                aside.replace(target)
                _sync_folder(target.parent)
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
        return stored

    def put_file(
        self,
        name: str,
        path: Path,
        *,
        media_type: str = "application/octet-stream",
        expected_sha256: str | None = None,
    ) -> Stored:
        """Store a file."""
        return self.put(name, file_blocks(path), media_type=media_type, expected_sha256=expected_sha256)

    def get(self, name: str) -> Iterator[bytes]:
        """The bytes, some at a time."""
        path = self._path(name)
        self._check_root()
        with _outages(name):
            yield from file_blocks(path)

    def fetch(self, name: str, path: Path, *, expected_sha256: str | None = None) -> Stored:
        """Bring an object into a file."""
        aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
        try:
            stored = write_checked(name, self.get(name), aside, expected_sha256)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        return stored

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        self._check_root()
        with _outages():
            return self._path(name).is_file()

    def size(self, name: str) -> int:
        """How many bytes it has."""
        self._check_root()
        with _outages(name):
            return self._path(name).stat().st_size

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects one by one. Empty folders stay: taking them away could hit one that is being written to."""
        self._check_root()
        for name in names:
            with _outages():
                self._path(name).unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[str]:
        """The names that start so, in the order of their bytes."""
        self._check_root()
        start = self.root / prefix.rpartition("/")[0] if "/" in prefix else self.root
        if ".." in Path(prefix).parts:
            return
        found = []
        for folder, _, files in os.walk(start):
            found += [os.path.relpath(os.path.join(folder, file), self.root) for file in files]  # noqa: PTH118
        yield from sorted(
            (name for name in found if name.startswith(prefix) and not name.startswith(_ASIDE)), key=os.fsencode
        )

    def link(self, name: str, seconds: int, filename: str) -> str | None:
        """The file's own URL: good on this machine only, and for as long as the file is there."""
        return self._path(name).resolve().as_uri()

    def check(self) -> None:
        """Write, read and delete a small object, and clear away what killed writers left."""
        name = f"check/{secrets.token_hex(8)}"
        self.put(name, [b"keymill"])
        if b"".join(self.get(name)) != b"keymill":
            raise StoreUnavailable("a file read back is not what was written")
        self.delete([name])
        for aside in (self.root / _ASIDE).iterdir():
            with suppress(OSError):
                if time.time() - aside.stat().st_mtime > _STALE_SECONDS:
                    aside.unlink()

    def _path(self, name: str) -> Path:
        return self.root / checked_name(name)

    def _check_root(self) -> None:
        """A folder that is gone (a disk not mounted) is an outage, not a place where nothing is stored yet."""
        if not (self.root / _ASIDE).is_dir():
            raise StoreUnavailable(f"{self.root} is not there")


def _written(name: str, blocks: Iterable[bytes], aside: Path, expected_sha256: str | None) -> Stored:
    """Write aside; what the disk does wrong is an outage, what the blocks raise is theirs."""
    failed: list[BaseException] = []

    def watched() -> Iterator[bytes]:
        try:
            yield from blocks
        except BaseException as error:
            failed.append(error)
            raise

    try:
        return write_checked(name, watched(), aside, expected_sha256)
    except OSError as error:
        if failed:
            raise
        raise StoreUnavailable(str(error)) from error


def _make_folders(folder: Path, root: Path) -> None:
    """Make the folders of a name, each known to the disk before something is put into it."""
    missing = [parent for parent in (folder, *folder.parents) if parent.is_relative_to(root) and not parent.is_dir()]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        _sync_folder(parent.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Where files lie while they arrive: a folder an account, with what is uploaded, what is in hand, what was refused.

    ACCOUNT/inbox/KIND/NAME      what a client uploads or left unfinished
    ACCOUNT/taken/KIND/TIME-NAME on its way into the flow: it survives a crash here and is taken up again
    ACCOUNT/error/NAME           refused, with NAME.reason.txt beside it

No client can make a link or a folder in it. A file in use is locked, so that several processes may share a spool.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from storage.dropped import BLOCKS, CUT, HOLES, Fault, fault_of
from storage.sftp.door import ERROR, INBOX

TAKEN = "taken"
REASON = ".reason.txt"
_MOST_AHEAD = 1_000  # writes that have overtaken earlier ones
_LEAST_BLOCK = 4_096  # bytes; programs that write line by line write less at a time


class Busy(Exception):
    """Another session is at work on the file."""


class Full(Exception):
    """A limit of the spool is reached; the message says which."""


@dataclass(frozen=True, slots=True)
class Room:
    """The limits of an account's spool."""

    file_bytes: int
    bytes_: int
    files: int


@dataclass
class Upload:
    """A file of the inbox that is open for writing and locked."""

    spool: Spool
    descriptor: int
    path: Path
    appends: bool
    end: int  # up to here everything has arrived
    ahead: dict[int, int] = field(default_factory=dict)
    is_cut: bool = False
    longest: int = 0
    last: tuple[int, int] = (0, 0)  # where the write that reaches furthest begins, and its length
    writes: int = 0

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes at a place. Raises :class:`Full`."""
        if self.appends:
            offset = os.fstat(self.descriptor).st_size
        last = offset + len(data)
        self.spool.check_room(last, max(0, last - os.fstat(self.descriptor).st_size))
        written = 0
        while written < len(data):
            written += os.pwrite(self.descriptor, data[written:], offset + written)
        self.writes, self.longest = self.writes + 1, max(self.longest, len(data))
        self.last = max(self.last, (offset, len(data)))
        if offset > self.end:
            if len(self.ahead) >= _MOST_AHEAD:
                raise Full("too many parts of the file are missing")
            self.ahead[offset] = max(last, self.ahead.get(offset, 0))
            return
        self.end = max(self.end, last)
        while self.ahead and (first := min(self.ahead)) <= self.end:
            self.end = max(self.end, self.ahead.pop(first))

    def cut(self, size: int) -> None:
        """Shorten the file, as clients do that give an upload up; ``scp`` says the size that it has at its end."""
        now = os.fstat(self.descriptor).st_size
        if size > now:
            raise Full("a file grows by writing only")
        os.ftruncate(self.descriptor, size)
        self.is_cut = 0 < size < now
        self.end, self.ahead = min(self.end, size), {}
        if not size:
            self.writes, self.longest, self.last = 0, 0, (0, 0)

    def fault(self) -> Fault | None:
        """What says that it is not whole."""
        if self.is_cut:
            return CUT
        length = self.last[1]
        is_full = length in BLOCKS or (self.writes > 1 and length == self.longest >= _LEAST_BLOCK)
        return HOLES if self.ahead else fault_of(self.path, at_block_end=is_full)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class InHand:
    """A file that left the inbox and is on its way into the flow; locked until its descriptor is closed."""

    kind: str
    name: str
    path: Path
    descriptor: int


class Spool:
    """The spool of one account."""

    def __init__(self, root: Path, number: str, room: Room) -> None:
        self.number, self.room = number, room
        self.folder = root / number
        self._held = (0.0, 0, 0)

    def inbox(self, kind: str) -> Path:
        """The folder of a kind, made when it is not there."""
        return self._made(INBOX, kind)

    def error(self) -> Path:
        """The folder of what was refused."""
        return self._made(ERROR)

    def _made(self, *names: str) -> Path:
        folder = self.folder.joinpath(*names)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def check_room(self, file_bytes: int, more: int, files: int = 0) -> None:
        """Raises :class:`Full` when a file would be too large, or the account's files altogether."""
        if file_bytes > self.room.file_bytes:
            raise Full(f"a file has at most {self.room.file_bytes:,} bytes")
        looked, held, count = self._held
        if files or time.monotonic() - looked > 1:
            sizes = [path.lstat().st_size for path in self.files()]
            looked, held, count = time.monotonic(), sum(sizes), len(sizes)
        if held + more > self.room.bytes_:
            raise Full(f"the files that wait here have at most {self.room.bytes_:,} bytes altogether")
        if count + files > self.room.files:
            raise Full(f"at most {self.room.files:,} files wait here")
        self._held = (looked, held + more, count + files)

    def files(self) -> Iterator[Path]:
        """Every file that takes room, whoever is at work on it."""
        for folder, _, names in os.walk(self.folder):
            yield from (Path(folder, name) for name in names)

    def open(self, kind: str, name: str, *, create: bool, truncate: bool, exclusive: bool, appends: bool) -> Upload:
        """Open a file of the inbox for writing. Raises :class:`Busy`, :class:`Full`, ``OSError``."""
        path = self.inbox(kind) / name
        if not path.exists():
            self.check_room(0, 0, files=1)
        flags = os.O_RDWR | (os.O_CREAT if create else 0) | (os.O_EXCL if create and exclusive else 0)
        descriptor = open_locked(path, flags)
        try:
            if truncate:
                os.ftruncate(descriptor, 0)
            return Upload(self, descriptor, path, appends, os.fstat(descriptor).st_size)
        except BaseException:
            os.close(descriptor)
            raise

    def claim(self, kind: str, path: Path, name: str, descriptor: int | None = None) -> InHand:
        """Take a file out of the inbox, at once and for good. Raises :class:`Busy`, ``OSError``."""
        held = open_locked(path) if descriptor is None else descriptor
        try:
            os.fsync(held)
            target = self._made(TAKEN, kind) / f"{time.time_ns()}{secrets.token_hex(2)}-{name}"
            path.rename(target)
        except BaseException:
            if descriptor is None:
                os.close(held)
            raise
        return InHand(kind, name, target, held)

    def left_over(self) -> Iterator[InHand]:
        """What a crash or an outage left on its way, oldest first."""
        for path in sorted((self.folder / TAKEN).glob("*/*"), key=lambda one: one.name):
            try:
                descriptor = open_locked(path)
            except (Busy, FileNotFoundError):
                continue
            yield InHand(path.parent.name, path.name.partition("-")[2], path, descriptor)

    def refuse(self, path: Path, name: str, reason: str) -> None:
        """Put a file into the error folder with its reason; the latest of a name stays."""
        self.explain(name, reason)
        path.replace(self.error() / name)

    def explain(self, name: str, reason: str) -> None:
        """Write down why a file was not taken."""
        aside = self.error() / f".{secrets.token_hex(8)}"
        aside.write_text(f"{name}\n{reason}\n", encoding="utf-8")
        aside.replace(self.error() / f"{name}{REASON}")

    def forgive(self, name: str) -> None:
        """Take a reason away that no longer holds."""
        (self.folder / ERROR / f"{name}{REASON}").unlink(missing_ok=True)

    def forget_older_than(self, seconds: float) -> None:
        """Delete what nobody has come back to for so long: unfinished uploads and refused files."""
        for room in (INBOX, ERROR):
            for path in (self.folder / room).rglob("*"):
                if path.is_file() and time.time() - path.stat().st_ctime > seconds:
                    path.unlink(missing_ok=True)


def open_locked(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file and lock it; it must still be the one of its path. Raises :class:`Busy`, ``OSError``."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, there = os.fstat(descriptor), path.lstat()
        if (mine.st_ino, mine.st_dev) != (there.st_ino, there.st_dev):
            raise Busy
    except (BlockingIOError, FileNotFoundError) as error:
        os.close(descriptor)
        raise Busy from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor

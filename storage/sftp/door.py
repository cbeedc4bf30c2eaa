"""What the SFTP server asks of whoever runs it, and the paths that clients may name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from licensing.fields import Language

INBOX, OUTBOX, ARCHIVE, ERROR = "inbox", "outbox", "archive", "error"
ROOMS = (INBOX, OUTBOX, ARCHIVE, ERROR)
_NAME_BYTES = 200  # room is left for what is put before and after a name on disk
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f/\\]")

Parts = tuple[str, ...]


class BadPath(ValueError):
    """A path with a name that no file here can have."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who signed in: an account by its number, the kinds that it may send, its habit and its language."""

    number: str
    kinds: Sequence[str]
    waits_for_marker: bool
    language: Language


@dataclass(frozen=True, slots=True)
class Offered:
    """A file that an account may fetch: its bytes come in blocks and have a known size and SHA-256."""

    name: str
    size: int
    mtime: int
    sha256: str
    blocks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the outbox, and when the batch that it belongs to came to rest (seconds since 1970)."""

    name: str
    mtime: int


class Door(Protocol):
    """What is behind the server. Every method may block and is called in a thread; none sees another's account."""

    def sign_in(self, user: str, fingerprint: str) -> Sender | None:
        """The account that a user name and a key open; None when they open nothing (any more)."""

    def signed_in(self, sender: Sender, fingerprint: str, address: str) -> None:
        """Note that an account has signed in."""

    def turned_away(self, user: str, fingerprints: Sequence[str], address: str) -> None:
        """Note that somebody failed to sign in."""

    def take(self, number: str, kind: str, name: str, path: Path) -> str | None:
        """Take a whole file; None, or a sentence why it is refused for good. Raises when it should be tried again."""

    def outbox(self, sender: Sender) -> list[Folder]:
        """The folders of an account's outbox."""

    def results(self, sender: Sender, folder: str) -> list[Offered]:
        """The files of one of them; none when there is no such folder."""

    def archive(self, sender: Sender, name: str | None = None) -> list[Offered]:
        """The files that an account sent; or the one of a name."""

    def hide(self, sender: Sender, folder: str, names: Sequence[str]) -> None:
        """Take files of the outbox out of an account's sight."""


def parts_of(path: bytes) -> Parts:
    """The names that lead to a place from the account's own root, never above it. Raises :class:`BadPath`."""
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPath("not UTF-8") from error
    parts: list[str] = []
    for name in text.split("/"):
        if name == "..":
            del parts[-1:]
        elif name not in ("", "."):
            if _FORBIDDEN.search(name) or len(name.encode()) > _NAME_BYTES:
                raise BadPath("not a name")
            parts.append(name)
    return tuple(parts)

"""What ``keymill submit`` sends: the file, be it from a pipe, and a request key that survives a crash."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.output import Refused

STDIN = Path("-")


@contextmanager
def local_file(file: Path) -> Iterator[Path]:
    """The file to send, standard input brought into a file. Raises :class:`Refused`."""
    if file != STDIN:
        if not file.is_file():
            raise Refused("no_file", f"There is no file {file}.", f"Il file {file} non esiste.")
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="keymill-") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request's key, and the note on disk that keeps it until the sender has the answer (None: a given key)."""

    key: str
    note: Path | None = None

    def forget(self) -> None:
        """The answer is there: the next call is a new order."""
        if self.note is not None:
            self.note.unlink(missing_ok=True)


def kept_key(home: Path, path: Path, asked: Sequence[Any]) -> RequestKey:
    """A key that is on disk before the file is sent: a call that died and is made again finds the same one.

    A call is the same when the bytes are and what is ``asked`` of them, wherever the file lies. Raises
    :class:`Refused`.
    """
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    note = home / "requests" / hashlib.sha256(json.dumps([digest, *asked]).encode()).hexdigest()
    try:
        if not note.exists():
            _write(note, secrets.token_urlsafe(16))
        return RequestKey(note.read_text(), note)
    except OSError as problem:
        raise Refused(
            "home_not_writable",
            f"The request key cannot be kept in {note.parent}: {problem.strerror}. Set KEYMILL_HOME to a folder of "
            "your own, or give a key with --key.",
            f"La chiave di richiesta non si può tenere in {note.parent}: {problem.strerror}. Impostare KEYMILL_HOME su "
            "una propria cartella, oppure indicare una chiave con --key.",
        ) from problem


def _write(note: Path, key: str) -> None:
    """Write a note that is there whole or not at all, power cut or not; of two at once the first one counts."""
    note.parent.mkdir(parents=True, exist_ok=True)
    new = note.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with new.open("x") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, note)
    finally:
        new.unlink(missing_ok=True)

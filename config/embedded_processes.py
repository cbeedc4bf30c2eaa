"""Finding and ending the processes of an embedded server, whoever started them, and choosing a port."""

from __future__ import annotations

import random
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

# Below the range that outgoing connections draw from: a client that retries on a port of that range while the server
# is down can end up connected to itself and block the port.
PORTS = range(20_000, 32_000)


def processes_in(folder: Path, name: str) -> list[psutil.Process]:
    """The live processes of that name whose working folder is this one. A pid file may name a stranger; these can't."""
    import psutil

    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if str(process.info["name"]).startswith(name) and _is_at_work_in(process, folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def process_of(pid_file: Path, folder: Path) -> psutil.Process | None:
    """The process that a pid file names, if it lives and works in the folder."""
    import psutil

    try:
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        return process if _is_at_work_in(process, folder) else None
    except (OSError, ValueError, psutil.Error):
        return None


def _is_at_work_in(process: psutil.Process, folder: Path) -> bool:
    import psutil

    # A killed process whose parent has not looked yet is a zombie: dead for us.
    return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == folder


def kill(processes: Sequence[psutil.Process]) -> None:
    """End processes at once, and wait until they are gone."""
    import psutil

    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    for process in processes:
        wait_gone(process, 10)


def stop(process: psutil.Process, how: signal.Signals, seconds: float) -> None:
    """Ask a process to end; kill it when it has not within the time."""
    import psutil

    try:
        process.send_signal(how)
    except psutil.NoSuchProcess:
        return
    if not wait_gone(process, seconds):
        kill([process])


def wait_gone(process: psutil.Process, seconds: float) -> bool:
    """Whether a process ended within the time (a zombie has ended)."""
    import psutil

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of this machine's loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(wished: int | None) -> int:
    """The wished port when it is free (clients may still hold its URL), else another one."""
    if wished and is_free(wished):
        return wished
    return next(port for port in random.sample(PORTS, 200) if is_free(port))

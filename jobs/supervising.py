"""Worker and scheduler processes for one command: started, started again when they die, ended with it.

One process a supervised unit: a killed one costs only its own work. Ending is TERM, then KILL.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

log = structlog.get_logger("keymill.supervisor")
SHORTEST_LIFE_SECONDS = 2.0  # one that dies sooner is started again only after a pause


@dataclass(slots=True)
class Unit:
    """One supervised process: a role, its command line, and the process that runs it now."""

    role: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0


@dataclass
class Supervisor:
    """The processes of one command."""

    units: list[Unit]
    environment: Mapping[str, str]
    log_file: Path | None = None
    stop_seconds: float = 15.0
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start every unit, and a thread that looks after them."""
        for unit in self.units:
            self._launch(unit)
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def pids(self, role: str | None = None) -> list[int]:
        """The process ids of the units that run now."""
        with self._lock:
            return [
                unit.process.pid
                for unit in self.units
                if unit.process is not None and unit.process.poll() is None and role in (None, unit.role)
            ]

    def stop(self) -> None:
        """End every unit: TERM, then KILL for those that do not listen."""
        self._ended.set()
        with self._lock:
            running = [unit.process for unit in self.units if unit.process is not None]
            for process in running:
                if process.poll() is None:
                    process.terminate()
            limit = time.monotonic() + self.stop_seconds
            for process in running:
                try:
                    process.wait(timeout=max(0.1, limit - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _launch(self, unit: Unit) -> None:
        output = subprocess.DEVNULL if self.log_file is None else self.log_file.open("ab")
        try:
            unit.process = subprocess.Popen(
                unit.command,
                env=dict(os.environ) | dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            if not isinstance(output, int):
                output.close()
        unit.started = time.monotonic()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            with self._lock:
                for unit in self.units:
                    if unit.process is not None and unit.process.poll() is not None and not self._ended.is_set():
                        if time.monotonic() - unit.started < SHORTEST_LIFE_SECONDS:
                            self._ended.wait(SHORTEST_LIFE_SECONDS)
                        log.warning("restarting", role=unit.role, code=unit.process.returncode)
                        self._launch(unit)


@contextmanager
def supervised(
    units: Sequence[tuple[str, Sequence[str]]], environment: Mapping[str, str], log_file: Path | None = None
) -> Iterator[Supervisor]:
    """Processes that live as long as the block: (role, command line) each."""
    supervisor = Supervisor([Unit(role, command) for role, command in units], environment, log_file)
    try:
        supervisor.start()
        yield supervisor
    finally:
        supervisor.stop()

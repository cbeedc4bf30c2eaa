"""The faults: what is killed, stopped, emptied or cut off, and the care that no chunk is made to fail three times.

A chunk that fails three times is parked by design. So before a fault that costs a chunk an attempt, the victim is
stopped and the database is asked which chunk it holds: at the third attempt it is let go on.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
import redis

from config import embedded
from models.database import fetch, is_outage
from tests.crash.installations import Installation
from tests.crash.proxies import FAILURES

DECK = {
    "worker": 5, "reader": 3, "scheduler": 2, "postgres": 2, "flush": 2, "valkey": 1, "store": 3, "freeze": 2,
}  # fmt: skip
MEET_A_HOLDER = ("worker", "reader", "freeze")  # faults of a worker that works on a chunk
TRY_SECONDS = 4.0  # how long a victim is waited for
MOST_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Held:
    """The chunk that a worker works on, as the database knows it."""

    chunk: int
    attempts: int
    fence: int
    stage: str
    session: str


@dataclass
class Faults:
    """The faults of a run. Each returns whether it took place."""

    site: Installation
    lease_seconds: float
    applied: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DECK, 0))
    passed_over: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DECK, 0))
    frozen: dict[int, Held] = field(default_factory=dict)  # by process id
    doomed: list[tuple[int, int]] = field(default_factory=list)  # (transaction, chunk) of workers that lost the lease
    going_on: list[threading.Timer] = field(default_factory=list)

    def strike(self, name: str, rng: random.Random) -> bool:
        """Let a fault happen, if there is somebody to meet it."""
        strikes: dict[str, Callable[[random.Random], bool]] = {
            "worker": self._worker,
            "reader": self._reader,
            "scheduler": self._scheduler,
            "postgres": self._postgres,
            "flush": self._flush,
            "valkey": self._valkey,
            "store": self._store,
            "freeze": self._freeze,
        }
        try:
            done = strikes[name](rng)
        except Exception as error:  # the database is away just now
            if not is_outage(error):
                raise
            done = False
        (self.applied if done else self.passed_over)[name] += 1
        return done

    def calm(self) -> None:
        """Wait for what still goes on to end."""
        for timer in self.going_on:
            timer.join()

    def held_by(self, pid: int) -> Held | None:
        """The chunk that a worker holds a lease of."""
        with self.site.app.engine.connect() as connection:
            found = fetch(
                connection,
                "SELECT id, attempts, fence, stage, coalesce(session, '') FROM chunks WHERE state = 'leased'"
                " AND split_part(worker, ':', 2) = %(pid)s ORDER BY fence DESC LIMIT 1",
                {"pid": str(pid)},
            )
        return Held(*found[0]) if found else None

    def _later(self, seconds: float, function: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, function)
        timer.daemon = True
        timer.start()
        self.going_on.append(timer)

    def stopped_in_a_chunk(self, rng: random.Random, *, writing: bool = False) -> tuple[int, Held] | None:
        """A worker, stopped while it holds a chunk that may fail once more (and has written something of it)."""
        deadline = time.monotonic() + TRY_SECONDS
        while time.monotonic() < deadline:
            pids = [pid for pid in self.site.processes.pids("worker") if pid not in self.frozen]
            for pid in rng.sample(pids, len(pids)):
                if self.held_by(pid) is None or not _send(pid, signal.SIGSTOP):
                    continue
                time.sleep(0.02)  # what it had sent arrives
                held = self.held_by(pid)
                if held is not None and held.attempts < MOST_ATTEMPTS and (not writing or self.transaction_of(held)):
                    return pid, held
                _send(pid, signal.SIGCONT)
            time.sleep(0.03)
        return None

    def _worker(self, rng: random.Random) -> bool:
        found = self.stopped_in_a_chunk(rng)
        return found is not None and _send(found[0], signal.SIGKILL)

    def _scheduler(self, rng: random.Random) -> bool:
        return sum(_send(pid, signal.SIGKILL) for pid in self.site.processes.pids("scheduler")) > 0

    def _reader(self, rng: random.Random) -> bool:
        """Kill a child in which a worker reads or fills a spreadsheet."""
        deadline, delay = time.monotonic() + TRY_SECONDS, rng.uniform(0, 0.3)
        while time.monotonic() < deadline:
            for pid in self.site.processes.pids("worker"):
                for child in _children(pid):
                    time.sleep(delay)
                    held = self.held_by(pid)
                    if held is not None and held.attempts < MOST_ATTEMPTS and _send(child, signal.SIGKILL):
                        return True
            time.sleep(0.02)
        return False

    def _postgres(self, rng: random.Random) -> bool:
        with self.site.app.engine.connect() as connection:
            query = "SELECT coalesce(max(attempts), 0) FROM chunks WHERE state = 'leased'"
            if fetch(connection, query, {})[0][0] > MOST_ATTEMPTS:
                return False
        embedded.stop_postgres_now(self.site.home)
        time.sleep(rng.uniform(0, 1.5))
        embedded.ensure_running(self.site.home)
        return True

    def _flush(self, rng: random.Random) -> bool:
        try:
            with redis.Redis.from_url(self.site.app.settings.redis_url) as client:
                client.flushall()
        except redis.RedisError:
            return False
        return True

    def _valkey(self, rng: random.Random) -> bool:
        done = _send(embedded.pids(self.site.home).get("valkey", 0), signal.SIGKILL)
        time.sleep(rng.uniform(0, 1.5))
        embedded.ensure_running(self.site.home)
        return done

    def _store(self, rng: random.Random) -> bool:
        proxy = self.site.proxy
        how, seconds = rng.choice(FAILURES), rng.uniform(0.5, 4)
        if proxy is None or proxy.fails:
            return False
        proxy.fail(how)
        self._later(seconds, proxy.heal)
        return True

    def _freeze(self, rng: random.Random) -> bool:
        """Stop a worker for longer than its lease; then it goes on, and must not commit what it had written."""
        found = self.stopped_in_a_chunk(rng, writing=True)
        if found is None:
            return False
        pid, held = found
        self.frozen[pid] = held
        transaction = self.transaction_of(held)
        self._later(self.lease_seconds + rng.uniform(1, 3), lambda: self._thaw(pid, held, transaction))
        return True

    def transaction_of(self, held: Held) -> int | None:
        with self.site.app.engine.connect() as connection:
            found = fetch(
                connection,
                "SELECT backend_xid::text::bigint FROM pg_stat_activity"
                " WHERE pid || '@' || extract(epoch FROM backend_start) = %(session)s",
                {"session": held.session},
            )
        return found[0][0] if found else None

    def _thaw(self, pid: int, held: Held, transaction: int | None) -> None:
        lost = self._is_lost(held)
        if lost and transaction is not None:
            self.doomed.append((transaction, held.chunk))
        _send(pid, signal.SIGCONT)
        self.frozen.pop(pid, None)

    def _is_lost(self, held: Held) -> bool:
        """Whether a lease was given to somebody else, or back."""
        for _ in range(100):
            try:
                with self.site.app.engine.connect() as connection:
                    found = fetch(connection, "SELECT fence, state FROM chunks WHERE id = %(id)s", {"id": held.chunk})
                return found[0][0] != held.fence or found[0][1] == "waiting"
            except Exception as error:
                if not is_outage(error):
                    raise
                time.sleep(0.2)
        return False


def committed(site: Installation, doomed: list[tuple[int, int]]) -> list[str]:
    """Which transactions were committed although the lease was lost."""
    with site.app.engine.connect() as connection:
        return [
            f"a worker that was stopped for longer than its lease committed (chunk {chunk})"
            for transaction, chunk in doomed
            if fetch(connection, "SELECT pg_xact_status(%(x)s::text::xid8)", {"x": transaction})[0][0] == "committed"
        ]


def _send(pid: int, what: signal.Signals) -> bool:
    try:
        if pid:
            os.kill(pid, what)
    except ProcessLookupError:
        return False
    return bool(pid)


def _children(pid: int) -> list[int]:
    try:
        return [
            child.pid
            for child in psutil.Process(pid).children()
            if any(part.startswith("jobs.children.") for part in child.cmdline())
        ]
    except psutil.Error:
        return []

"""What all sessions of one server share: spools, files on their way into the flow, and who is kept out."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import structlog

from storage.dropped import MARKER, Fault, is_temporary, marked_by
from storage.sftp.door import Door, Sender
from storage.sftp.spool import Busy, InHand, Room, Spool, Upload

log = structlog.get_logger("keymill.sftp")
_WINDOW_SECONDS = 600.0
_FORGET_SECONDS = 3_600.0
_MOST_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server allows. ``failed_logins``: of an address in ten minutes, before it is kept out."""

    room: Room
    connections: int
    connections_an_account: int
    failed_logins: int
    keep_days: int


class House:
    """The server's memory. All methods run in the server's event loop."""

    def __init__(self, door: Door, root: Path, limits: Limits) -> None:
        self.door, self.root, self.limits = door, root, limits
        self.connections = 0
        self.signed_in: Counter[str] = Counter()
        self._forgot = -_FORGET_SECONDS
        self._failures: dict[str, list[float]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def spool(self, number: str) -> Spool:
        """The spool of an account."""
        return Spool(self.root, quote(number, safe="").replace(".", "%2E"), self.limits.room)

    def _spools(self) -> Iterator[Spool]:
        for folder in sorted(self.root.iterdir()):
            yield Spool(self.root, folder.name, self.limits.room)

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Let something be done beside the sessions."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for what is being done."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def uploaded(self, sender: Sender, kind: str, upload: Upload) -> bool:
        """A client closed its upload, and its connection outlived that. Whether the file was taken."""
        return self.arrived(sender, kind, upload.path.name, upload.descriptor, upload.fault())

    def arrived(self, sender: Sender, kind: str, name: str, descriptor: int, fault: Fault | None) -> bool:
        """A locked file of the inbox has got its final name or its last byte; it is let go of. Whether it was taken."""
        spool, marked = self.spool(sender.number), marked_by(name)
        path = spool.inbox(kind) / name
        try:
            if is_temporary(name):
                return False
            if marked is not None:
                path.unlink(missing_ok=True)
                if not is_temporary(marked):
                    self._marked(spool, kind, marked)
                return False
            if sender.waits_for_marker:
                return False
            if fault is not None:
                spool.explain(name, fault.it if sender.language == "it" else fault.en)
                return False
            held = spool.claim(kind, path, name, descriptor)
            descriptor = -1
            self.start(self._bring(spool, held))
            return True
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _marked(self, spool: Spool, kind: str, name: str) -> None:
        """A file was said to be whole by its marker, which is gone already; one without a file says nothing."""
        try:
            held = spool.claim(kind, spool.inbox(kind) / name, name)
        except (Busy, FileNotFoundError):
            log.info("a marker without a file", account=spool.number, name=name + MARKER)
            return
        self.start(self._bring(spool, held))

    async def _bring(self, spool: Spool, held: InHand) -> None:
        """Bring a file into the flow. What fails today is tried again by :meth:`take_up`."""
        number = unquote(spool.number)
        try:
            reason = await asyncio.to_thread(self.door.take, number, held.kind, held.name, held.path)
            if reason is None:
                held.path.unlink()
                spool.forgive(held.name)
            else:
                spool.refuse(held.path, held.name, reason)
            log.info("file taken" if reason is None else "file refused", account=number, kind=held.kind, name=held.name)
        except Exception as error:
            log.warning("a file waits", account=number, name=held.name, error=f"{type(error).__name__}: {error}"[:300])
        finally:
            os.close(held.descriptor)

    async def take_up(self) -> None:
        """Bring what an outage or a crash left on its way, one after the other; once an hour, forget what is old."""
        is_time = time.monotonic() - self._forgot >= _FORGET_SECONDS
        for spool in list(self._spools()):
            for held in spool.left_over():
                await self._bring(spool, held)
            if is_time:
                await asyncio.to_thread(spool.forget_older_than, self.limits.keep_days * 86_400)
        if is_time:
            self._forgot = time.monotonic()

    def is_kept_out(self, address: str) -> bool:
        """Whether an address has failed to sign in too often lately."""
        return len(self._recent(_network(address))) >= self.limits.failed_logins

    def failed(self, address: str) -> None:
        """Note that somebody at an address failed to sign in."""
        network = _network(address)
        recent = [*self._recent(network), time.monotonic()]
        self._failures.pop(network, None)
        self._failures[network] = recent  # the latest last
        if len(self._failures) > _MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]

    def _recent(self, network: str) -> list[float]:
        since = time.monotonic() - _WINDOW_SECONDS
        return [at for at in self._failures.get(network, ()) if at > since]


def _network(address: str) -> str:
    """The address, or the network that one customer has with IPv6."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)

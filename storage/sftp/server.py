"""The listening side: who may come in, by key only, how often and how many; SFTP and nothing else."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import asyncssh
import structlog
from asyncssh.rsa import RSAKey

from storage.sftp.door import Sender
from storage.sftp.house import House
from storage.sftp.session import Session

log = structlog.get_logger("keymill.sftp")
_KEYS_A_CONNECTION = 6
_LEAST_RSA_BITS = 2048
_THREADS = 12  # that wait for the database and the store
_TAKE_UP_SECONDS = 10.0
_LOGIN_SECONDS, _KEEPALIVE_SECONDS, _KEEPALIVES = 30, 15, 3


class Guard(asyncssh.SSHServer):
    """One connection until somebody has signed in. Everything but a public key is off, as is all but SFTP."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._address = ""
        self._tried: dict[str, None] = {}
        self._known: dict[str, tuple[Sender, str]] = {}  # by user name, which may change before the end
        self._user = ""
        self._sender: Sender | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody is there; an address that guesses, and one too many, are sent away unheard."""
        self._conn = conn
        self._address = str(conn.get_extra_info("peername")[0])
        self._house.connections += 1
        if self._house.connections > self._house.limits.connections or self._house.is_kept_out(self._address):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Somebody has left."""
        self._house.connections -= 1
        if self._sender is not None:
            self._house.signed_in[self._sender.number] -= 1
        elif self._tried:
            self._house.failed(self._address)
            away = partial(self._house.door.turned_away, self._user, list(self._tried), self._address)
            self._house.start(asyncio.to_thread(away))

    def begin_auth(self, username: str) -> bool:
        """Everybody has to show a key."""
        self._user = username
        return True

    def public_key_auth_supported(self) -> bool:
        """The only way in."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether a key opens an account. Asked once without proof and once with it."""
        fingerprint = key.get_fingerprint()
        self._tried[fingerprint] = None
        if len(self._tried) > _KEYS_A_CONNECTION:
            self._conn.abort()
            return False
        sender = await asyncio.to_thread(self._house.door.sign_in, username, fingerprint)
        if sender is None:
            return False
        if self._house.signed_in[sender.number] >= self._house.limits.connections_an_account:
            log.warning("too many connections", account=sender.number)
            return False
        self._known[username] = (sender, fingerprint)
        return True

    def auth_completed(self) -> None:
        """The account of the name that was proven is in."""
        user = str(self._conn.get_extra_info("username"))
        self._sender, fingerprint = self._known[user]
        self._house.signed_in[self._sender.number] += 1
        self._conn.set_extra_info(sender=self._sender, fingerprint=fingerprint)
        self._house.start(asyncio.to_thread(self._house.door.signed_in, self._sender, fingerprint, self._address))


def _session(house: House, chan: asyncssh.SSHServerChannel[bytes]) -> Session:
    connection = chan.get_connection()
    return Session(chan, house, connection.get_extra_info("sender"), connection.get_extra_info("fingerprint"))


async def serve(
    house: House, host: str, port: int, host_key: bytes, ended: threading.Event, started: Callable[[int], None]
) -> None:
    """Serve until ``ended`` is set; ``started`` is told the port. ``host_key``: OpenSSH's form. Raises ``OSError``."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "sftp"))
    asyncssh.set_log_level("WARNING")
    house.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    acceptor = await asyncssh.listen(
        host,
        port,
        server_factory=lambda: Guard(house),
        server_host_keys=[asyncssh.import_private_key(host_key)],
        server_version="Keymill",
        sftp_factory=partial(_session, house),
        sftp_version=3,
        allow_scp=False,
        allow_pty=False,
        agent_forwarding=False,
        x11_forwarding=False,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        compression_algs=None,
        login_timeout=_LOGIN_SECONDS,
        keepalive_interval=_KEEPALIVE_SECONDS,
        keepalive_count_max=_KEEPALIVES,
    )
    stopped = asyncio.create_task(asyncio.to_thread(ended.wait))
    try:
        started(acceptor.get_port())
        while not stopped.done():
            await _take_up(house)
            await asyncio.wait([stopped], timeout=_TAKE_UP_SECONDS)
    finally:
        acceptor.close()
        await acceptor.wait_closed()
        await house.finish()


async def _take_up(house: House) -> None:
    try:
        await house.take_up()
    except OSError as error:
        log.warning("the spool cannot be read", error=os.strerror(error.errno or 0))


def fingerprint_of(public_key: str) -> tuple[str, str, str]:
    """(key without comment, fingerprint, comment) of a public key in OpenSSH's form. Raises ``ValueError``."""
    if "PRIVATE" in public_key:  # the library would find the public half in it
        raise ValueError("a private key")
    try:
        key = asyncssh.import_public_key(public_key)
    except asyncssh.KeyImportError as error:
        raise ValueError(str(error)) from error
    if isinstance(key, RSAKey) and getattr(key.pyca_key, "key_size", 0) < _LEAST_RSA_BITS:
        raise ValueError("too short")
    comment = key.get_comment() or ""
    key.set_comment(None)
    return key.export_public_key().decode().strip(), key.get_fingerprint(), comment

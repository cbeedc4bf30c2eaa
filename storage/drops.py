"""Drops on someone else's SFTP server: the few things a poller does there, each safe to be cut off and done again.

Plain rename fails where a file of the new name is, and ``posix-rename`` replaces it; not every server has both.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

_BLOCK = 4 << 20  # bytes asked for at a time, in parallel requests
_CONNECT_SECONDS, _KEEPALIVE_SECONDS, _KEEPALIVES = 20, 10, 3
T = TypeVar("T")


class DropProblem(Exception):
    """What is wrong with a drop, and how to mend it, in English and Italian."""

    def __init__(self, code: str, en: str, it: str) -> None:
        super().__init__(en)
        self.code, self.en, self.it = code, en, it


class Grown(Exception):
    """The file has another size than it had: its sender is still at work on it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a drop is and how to get in. ``host_key``: algorithm and key, as OpenSSH writes it."""

    host: str
    port: int
    login: str
    host_key: str
    key_file: Path


@dataclass(frozen=True, slots=True)
class Found:
    """A file in a folder: its time in seconds since 1970."""

    name: str
    size: int
    mtime: int


class Remote:
    """A connection to a drop. Every method raises :class:`DropProblem` when the server does not do it."""

    def __init__(self, runner: asyncio.Runner, target: Target, client: asyncssh.SFTPClient) -> None:
        self._runner, self._target, self._client = runner, target, client

    def files(self, folder: str) -> list[Found]:
        """The regular files of a folder, however many."""

        async def read() -> list[Found]:
            return [
                Found(str(entry.filename), entry.attrs.size or 0, int(entry.attrs.mtime or 0))
                async for entry in self._client.scandir(folder)
                if stat.S_ISREG(entry.attrs.permissions or stat.S_IFREG)
                and entry.attrs.type in (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN)
            ]

        return self._run(read(), folder)

    def has_folder(self, folder: str) -> bool:
        """Whether there is such a folder."""
        return self._run(self._client.isdir(folder), folder)

    def make_folder(self, folder: str) -> None:
        """Make a folder where it is not."""

        async def make() -> None:
            if not await self._client.isdir(folder):
                with suppress(asyncssh.SFTPFailure):  # another poller made it at this moment
                    await self._client.mkdir(folder)
                await self._client.stat(folder)

        self._run(make(), folder)

    def claim(self, source: str, target: str) -> bool:
        """Rename a file that only one of many can get; whether it was this one."""

        async def rename() -> bool:
            try:
                await self._client.rename(source, target)
            except asyncssh.SFTPNoSuchFile:
                return False
            except asyncssh.SFTPFailure:
                if await self._client.exists(source) and not await self._client.exists(target):
                    raise
                return False
            return True

        return self._run(rename(), source)

    def replace(self, source: str, target: str) -> None:
        """Rename a file in place of what is there."""

        async def rename() -> None:
            try:
                await self._client.posix_rename(source, target)
            except (asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied, asyncssh.SFTPFailure):
                with suppress(asyncssh.SFTPNoSuchFile):
                    await self._client.remove(target)
                await self._client.rename(source, target)

        self._run(rename(), target)

    def fetch(self, path: str, local: Path, size: int) -> None:
        """Bring a file here, going on where an earlier try ended. Raises :class:`Grown` when it has another size."""

        async def read() -> None:
            with local.open("ab") as file:
                if file.tell() > size:
                    file.truncate(0)
                at = os.fstat(file.fileno()).st_size
                async with self._client.open(path, "rb") as remote:
                    while at < size and (block := await remote.read(min(_BLOCK, size - at), at)):
                        assert isinstance(block, bytes)  # as the file was opened
                        file.write(block)
                        at += len(block)
                    now = (await remote.stat()).size
            if at != size or now != size:
                local.unlink()
                raise Grown

        self._run(read(), path)

    def write(self, path: str, text: str) -> None:
        """Write a small text."""

        async def write() -> None:
            async with self._client.open(path, "wb") as remote:
                await remote.write(text.encode())

        self._run(write(), path)

    def remove(self, path: str) -> None:
        """Delete a file; one that is not there is no error."""

        async def remove() -> None:
            with suppress(asyncssh.SFTPNoSuchFile):
                await self._client.remove(path)

        self._run(remove(), path)

    def try_out(self, folder: str, into: str) -> None:
        """Write, rename and delete a small file."""
        name = f".keymill-{secrets.token_hex(6)}"
        self.write(f"{folder}/{name}", "check\n")
        self.replace(f"{folder}/{name}", f"{into}/{name}")
        self.remove(f"{into}/{name}")

    def _run(self, work: Coroutine[Any, Any, T], path: str) -> T:
        try:
            return self._runner.run(work)
        except (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise _broken(self._target) from error
        except asyncssh.SFTPError as error:
            raise DropProblem(
                "drop_refuses",
                f"The server {self._target.host} refuses work on {path}: {error.reason}. Check that the folder exists "
                f"and that {self._target.login} may list, read, write, rename and delete there.",
                f"Il server {self._target.host} rifiuta di operare su {path}: {error.reason}. Controllare che la "
                f"cartella esista e che {self._target.login} vi possa elencare, leggere, scrivere, rinominare, "
                "eliminare.",
            ) from error
        except (OSError, asyncssh.Error) as error:
            raise _broken(self._target) from error


@contextmanager
def connected(target: Target) -> Iterator[Remote]:
    """A connection to a drop's server, which must show the host key that is pinned. Raises :class:`DropProblem`."""
    key, pinned = _private_key(target.key_file), asyncssh.import_public_key(target.host_key)
    with asyncio.Runner() as runner:
        connection = runner.run(_connect(target, key, pinned))
        try:
            client = runner.run(_start(connection, target))
            yield Remote(runner, target, client)
        finally:
            connection.close()
            runner.run(connection.wait_closed())


def _private_key(path: Path) -> asyncssh.SSHKey:
    try:
        return asyncssh.read_private_key(path)
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DropProblem(
            "key_file_unusable",
            f"The private key {path} cannot be used ({reason}). It must be a key in OpenSSH's form without a "
            "passphrase, readable for the scheduler.",
            f"La chiave privata {path} non è utilizzabile ({reason}). Deve essere una chiave nel formato OpenSSH "
            "senza passphrase, leggibile per lo scheduler.",
        ) from error


async def _connect(target: Target, key: asyncssh.SSHKey, pinned: asyncssh.SSHKey) -> asyncssh.SSHClientConnection:
    try:
        return await asyncssh.connect(
            target.host,
            target.port,
            username=target.login,
            client_keys=[key],
            known_hosts=([pinned], [], []),
            config=None,
            agent_path=None,
            preferred_auth="publickey",
            connect_timeout=_CONNECT_SECONDS,
            login_timeout=_CONNECT_SECONDS,
            keepalive_interval=_KEEPALIVE_SECONDS,
            keepalive_count_max=_KEEPALIVES,
        )
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        raise DropProblem(
            "host_key_changed",
            f"The server {target.host} does not show the host key that is pinned; nothing was read. Ask its operator "
            "whether the key was changed; if so, remove the drop and add it again.",
            f"Il server {target.host} non mostra la chiave host registrata; nulla è stato letto. Chiedere al gestore "
            "se la chiave è stata cambiata; in tal caso eliminare il drop e aggiungerlo di nuovo.",
        ) from error
    except asyncssh.PermissionDenied as error:
        raise DropProblem(
            "login_refused",
            f"The server {target.host} does not let {target.login} in with the key {target.key_file}. Give its "
            "operator the public key.",
            f"Il server {target.host} non accetta {target.login} con la chiave {target.key_file}. Comunicare al "
            "gestore la chiave pubblica.",
        ) from error
    except (OSError, asyncssh.Error) as error:
        raise _unreachable(target.host, target.port, error) from error


async def _start(connection: asyncssh.SSHClientConnection, target: Target) -> asyncssh.SFTPClient:
    try:
        return await connection.start_sftp_client()
    except (OSError, asyncssh.Error) as error:
        raise _broken(target) from error


def pinnable_host_key(host: str, port: int) -> tuple[str, str]:
    """(host key, fingerprint) that a server shows now, for a person to compare. Raises :class:`DropProblem`."""

    async def ask() -> asyncssh.SSHKey | None:
        return await asyncio.wait_for(asyncssh.get_server_host_key(host, port, config=None), _CONNECT_SECONDS)

    try:
        key = asyncio.run(ask())
    except (OSError, asyncssh.Error) as error:
        raise _unreachable(host, port, error) from error
    assert key is not None
    return key.export_public_key().decode().strip(), key.get_fingerprint()


def _unreachable(host: str, port: int, error: Exception) -> DropProblem:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DropProblem(
        "drop_unreachable",
        f"No SFTP connection to {host}, port {port}: {reason}. Check the host, the port and the firewalls between.",
        f"Nessuna connessione SFTP a {host}, porta {port}: {reason}. Controllare host, porta e firewall.",
    )


def _broken(target: Target) -> DropProblem:
    return DropProblem(
        "connection_broken",
        f"The connection to {target.host} broke. The next poll goes on where this one ended.",
        f"La connessione a {target.host} si è interrotta. Il prossimo controllo riprende da dove si è fermato.",
    )

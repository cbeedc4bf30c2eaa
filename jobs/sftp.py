"""The SFTP server's process, and its door into the flow: who may come in, and what becomes of a file."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from config.wiring import App
from jobs import dropping, host_keys, outbox
from jobs.refusals import Refused
from jobs.working import Heartbeat
from models import accounts, audit, drop_boxes, ssh_keys
from models.accounts import Account
from models.database import transaction
from storage.sftp.door import Folder, Offered, Sender
from storage.sftp.house import House, Limits
from storage.sftp.server import serve as serve_sftp
from storage.sftp.spool import Room

log = structlog.get_logger("keymill.sftp")


class AccountDoor:
    """The door of every account: signs in by its SSH keys, hands files to the flow, offers results."""

    def __init__(self, app: App) -> None:
        self._app = app

    def sign_in(self, user: str, fingerprint: str) -> Sender | None:
        """The active account of a name, if the key is one of its own and not revoked."""
        with self._app.engine.connect() as connection:
            account = accounts.by_number(connection, user)
            if account is None or account.state != "active" or not ssh_keys.opens(connection, account.id, fingerprint):
                return None
            waits = drop_boxes.waits_for_marker(connection, account.id)
        language = dropping.language_of(account, self._app.settings)
        return Sender(account.number, dropping.kinds_of(account), waits, language)

    def signed_in(self, sender: Sender, fingerprint: str, address: str) -> None:
        """Note it with the key and in the audit log."""
        with transaction(self._app.engine) as connection:
            ssh_keys.touch(connection, fingerprint)
            audit.record(connection, sender.number, "login.accepted", "sftp", fingerprint=fingerprint, address=address)

    def turned_away(self, user: str, fingerprints: Sequence[str], address: str) -> None:
        """Note it in the audit log."""
        with transaction(self._app.engine) as connection:
            audit.record(
                connection, user[:200], "login.refused", "sftp", fingerprints=list(fingerprints), address=address
            )

    def take(self, number: str, kind: str, name: str, path: Path) -> str | None:
        """Make a batch of a file. Its time and size tell it from another one of its name."""
        account, found = self._account(number), path.stat()
        try:
            identity = f"{kind}/{name}:{found.st_mtime_ns}:{found.st_size}"
            dropping.take(self._app, account, kind, name, path, identity)
        except Refused as refused:
            if refused.code in dropping.PASSING:
                raise
            return refused.sentence(dropping.language_of(account, self._app.settings))
        return None

    def outbox(self, sender: Sender) -> list[Folder]:
        """A folder for each batch that is at rest."""
        account = self._account(sender.number)
        with self._app.engine.connect() as connection:
            return outbox.folders(connection, account.id, self._app.settings.sftp_days)

    def results(self, sender: Sender, folder: str) -> list[Offered]:
        """Results, a summary or a reason."""
        return outbox.files(self._app, self._account(sender.number).id, folder, sender.language)

    def archive(self, sender: Sender, name: str | None = None) -> list[Offered]:
        """What was sent."""
        return outbox.archive(self._app, self._account(sender.number).id, name)

    def hide(self, sender: Sender, folder: str, names: Sequence[str]) -> None:
        """Out of sight; the store keeps it."""
        account = self._account(sender.number)
        with transaction(self._app.engine) as connection:
            outbox.hide(connection, account.id, self._app.settings.sftp_days, folder, list(names))

    def _account(self, number: str) -> Account:
        with self._app.engine.connect() as connection:
            account = accounts.by_number(connection, number)
        assert account is not None
        return account


def serve(app: App, ended: threading.Event, *, started: Callable[[int], None] = lambda port: None) -> None:
    """Serve SFTP until ``ended`` is set; ``started`` is told the port. Raises :class:`Refused`."""
    host_key = host_keys.load(app.engine, app.kek)
    name, pid = socket.gethostname(), os.getpid()
    heartbeat = Heartbeat(app, f"{name}:{pid}:{secrets.token_hex(3)}", "sftp", name, pid)
    settings = app.settings

    def listening(port: int) -> None:
        heartbeat.start()
        log.info("SFTP server started", port=port)
        started(port)

    try:
        asyncio.run(serve_sftp(_house(app), settings.sftp_host, settings.sftp_port, host_key, ended, listening))
    except OSError as problem:
        raise Refused(
            "sftp_not_started",
            f"The SFTP server cannot start: {problem.strerror}. Check KEYMILL_SFTP_HOST, KEYMILL_SFTP_PORT and "
            "KEYMILL_SFTP_FOLDER.",
            f"Il server SFTP non può partire: {problem.strerror}. Controllare KEYMILL_SFTP_HOST, KEYMILL_SFTP_PORT e "
            "KEYMILL_SFTP_FOLDER.",
        ) from problem
    heartbeat.stop()


def _house(app: App) -> House:
    settings = app.settings
    room = Room(settings.limits.file_bytes, settings.sftp_quota_bytes, settings.sftp_quota_files)
    limits = Limits(
        room,
        settings.sftp_connections,
        settings.sftp_connections_an_account,
        settings.sftp_failed_logins,
        settings.sftp_days,
    )
    return House(AccountDoor(app), settings.sftp_folder or settings.home / "sftp", limits)

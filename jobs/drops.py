"""Drops as operations see them: added, listed, paused, removed, tried out; every change is audited."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from config.wiring import App
from jobs import dropping, polling
from jobs.control import find_account
from jobs.refusals import Refused
from models import audit, drops
from models.database import transaction
from models.drops import Drop
from storage.drops import DropProblem, connected, pinnable_host_key
from storage.sftp.server import fingerprint_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
MOST_PORT = 65_535


def folders_of(texts: Iterable[str]) -> dict[str, str]:
    """Kind by folder, of texts ``FOLDER=KIND``. Raises :class:`Refused`."""
    found = {}
    for text in texts:
        folder, _, kind = text.rpartition("=")
        if not folder or not kind:
            raise Refused(
                "bad_folder",
                f"{text} is not FOLDER=KIND. Example: upload/vouchers=redeem-vouchers",
                f"{text} non è CARTELLA=TIPO. Esempio: upload/voucher=redeem-vouchers",
            )
        found[folder.rstrip("/") or "/"] = kind
    return found


def key_file(app: App, name: str) -> str:
    """Where a private key lies that somebody names who is not on the machine. Raises :class:`Refused`.

    A portal's user names a file of one folder only: the machine has other keys, which are not theirs to use.
    """
    folder = key_folder(app)
    if not NAME.fullmatch(name):
        raise Refused(
            "bad_key_name",
            f"{name!r} is not the name of a key file. Put the private key into {folder} on every machine with a "
            "scheduler, and give its name only.",
            f"{name!r} non è il nome di un file di chiave. Mettere la chiave privata in {folder} su ogni macchina con "
            "uno scheduler e indicarne solo il nome.",
        )
    return str(folder / name)


def key_folder(app: App) -> Path:
    """Where the private keys lie that are named in the portal."""
    return (app.settings.drop_keys or app.settings.home / "drop-keys").absolute()


def prepared(app: App, drop: Drop) -> tuple[Drop, str]:
    """A drop as it would be recorded, and its host key's fingerprint, for a person to compare before it is added.

    Where no host key is given, the server is asked for it. Raises :class:`Refused`, ``DropProblem``.
    """
    if not NAME.fullmatch(drop.name):
        raise Refused(
            "bad_name",
            f"{drop.name!r} cannot be the name of a drop. Use up to 60 letters, digits, dots, hyphens, underscores.",
            f"{drop.name!r} non può essere il nome di un drop. Usare fino a 60 lettere, cifre, punti, trattini, "
            "trattini bassi.",
        )
    if not (drop.host and drop.login and drop.folders and 1 <= drop.port <= MOST_PORT and drop.settle_seconds >= 0):
        raise Refused(
            "drop_incomplete",
            "A drop needs a host, a port (1 to 65535), a user name and at least one folder.",
            "Un drop richiede host, porta (da 1 a 65535), nome utente e almeno una cartella.",
        )
    with app.engine.connect() as connection:
        account, is_taken = find_account(connection, drop.account), drops.by_name(connection, drop.name) is not None
    if is_taken:
        raise _exists(drop.name)
    allowed = dropping.kinds_of(account)
    for kind in drop.folders.values():
        if kind not in allowed:
            raise Refused(
                "wrong_sender",
                f"{account.number} may not send {kind}. It may send: {', '.join(allowed)}.",
                f"{account.number} non può inviare {kind}. Può inviare: {', '.join(allowed)}.",
            )
    if drop.host_key:
        try:
            key, fingerprint, _ = fingerprint_of(drop.host_key)
        except ValueError as problem:
            raise Refused(
                "bad_host_key",
                "The host key must be a public key as OpenSSH writes it: ssh-ed25519 AAAA...",
                "La chiave host deve essere una chiave pubblica nel formato OpenSSH: ssh-ed25519 AAAA...",
            ) from problem
    else:
        key, fingerprint = pinnable_host_key(drop.host, drop.port)
    return replace(drop, host_key=key, account=account.number), fingerprint


def add(app: App, drop: Drop, *, actor: str) -> tuple[Drop, str]:
    """Record a drop; with the fingerprint of its host key. Raises as :func:`prepared` does."""
    pinned, fingerprint = prepared(app, drop)
    with transaction(app.engine) as connection:
        if not drops.add(connection, find_account(connection, pinned.account).id, pinned):
            raise _exists(drop.name)
        audit.record(connection, actor, "drop.add", f"drop {drop.name}", host=drop.host, fingerprint=fingerprint)
    return pinned, fingerprint


def _exists(name: str) -> Refused:
    return Refused(
        "drop_exists",
        f"There is a drop {name} already. Give another name, or remove that one first.",
        f"Esiste già un drop {name}. Indicare un altro nome, oppure eliminarlo prima.",
    )


def find(app: App, name: str) -> Drop:
    """A drop by its name. Raises :class:`Refused`."""
    with app.engine.connect() as connection:
        drop = drops.by_name(connection, name)
    if drop is None:
        raise Refused(
            "unknown_drop",
            f"There is no drop {name}. See: keymill drops list",
            f"Non esiste il drop {name}. Vedere: keymill drops list",
        )
    return drop


def every(app: App) -> list[Drop]:
    """All drops by name."""
    with app.engine.connect() as connection:
        return drops.every(connection)


def latest_files(app: App, name: str, limit: int = 20) -> list[dict[str, Any]]:
    """The files seen last in a drop. Raises :class:`Refused`."""
    drop = find(app, name)
    with app.engine.connect() as connection:
        return drops.latest_files(connection, drop.id, limit)


def set_state(app: App, name: str, state: str, *, actor: str) -> None:
    """Pause a drop (``paused``) or let it go on (``active``). Raises :class:`Refused`."""
    find(app, name)
    with transaction(app.engine) as connection:
        drops.set_state(connection, name, state)
        audit.record(connection, actor, f"drop.{state}", f"drop {name}")


def remove(app: App, name: str, *, actor: str, force: bool = False) -> list[str]:
    """Forget a drop; files there and batches here stay. What it has in hand there is handed back: the paths.

    ``force``: even where the server cannot be asked for that. Raises :class:`Refused`.
    """
    drop = find(app, name)
    handed_back = []
    with drops.only_poller(app.engine, drop.id) as mine:
        if not mine:
            raise Refused(
                "drop_busy",
                f"The drop {name} is just being looked into. Try again in a moment.",
                f"Il drop {name} è in fase di controllo. Riprovare tra un momento.",
            )
        try:
            handed_back = polling.hand_back(app, drop)
        except DropProblem as problem:
            if not force:
                raise Refused(
                    problem.code,
                    f"{problem.en} What the drop has in hand there cannot be handed back. Mend that, or remove the "
                    "drop all the same (--force).",
                    f"{problem.it} I file che il drop ha in lavorazione non possono essere restituiti. Rimediare, "
                    "oppure eliminare comunque il drop (--force).",
                ) from problem
        with transaction(app.engine) as connection:
            drops.remove(connection, name)
            audit.record(connection, actor, "drop.remove", f"drop {name}", handed_back=handed_back)
    return handed_back


def try_out(app: App, name: str) -> dict[str, int]:
    """Do in each folder of a drop what a poll does there, with a file of our own; how many files lie in each.

    Raises :class:`Refused` or ``DropProblem``, which says what to mend.
    """
    drop = find(app, name)
    counts = {}
    with connected(polling.target_of(drop)) as remote:
        for folder in drop.folders:
            counts[folder] = len(remote.files(folder))
            for room in polling.ROOMS:
                remote.make_folder(f"{folder}/{room}")
                remote.try_out(folder, f"{folder}/{room}")
    return counts

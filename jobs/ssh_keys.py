"""The SSH keys that accounts sign in with: added, listed, revoked; every change is audited."""

from __future__ import annotations

from config.wiring import App
from jobs.control import find_account
from jobs.refusals import Refused
from models import audit, drop_boxes, ssh_keys
from models.database import transaction
from models.ssh_keys import SshKey
from storage.sftp.server import fingerprint_of


def add(app: App, number: str, public_key: str, *, actor: str, comment: str | None = None) -> SshKey:
    """Let an account sign in with a key, given as OpenSSH writes public keys. Raises :class:`Refused`."""
    try:
        key, fingerprint, told = fingerprint_of(public_key)
    except ValueError as problem:
        raise Refused(
            "bad_ssh_key",
            "That is not a public key as OpenSSH writes it (ssh-ed25519 AAAA... or ssh-rsa of at least 2048 bits). "
            "Give the file that ends in .pub.",
            "Questa non è una chiave pubblica nel formato OpenSSH (ssh-ed25519 AAAA... oppure ssh-rsa di almeno 2048 "
            "bit). Indicare il file che termina in .pub.",
        ) from problem
    with transaction(app.engine) as connection:
        account = find_account(connection, number)
        if not ssh_keys.add(connection, account.id, key, fingerprint, told if comment is None else comment):
            raise Refused(
                "known_ssh_key",
                f"The key {fingerprint} was added before. A key belongs to one account, and a revoked one stays so: "
                "use a new key.",
                f"La chiave {fingerprint} è già stata aggiunta. Una chiave appartiene a un solo account e, revocata, "
                "resta revocata: usare una nuova chiave.",
            )
        audit.record(connection, actor, "ssh_key.add", f"account {account.number}", fingerprint=fingerprint)
        found = ssh_keys.by_fingerprint(connection, fingerprint)
        assert found is not None
        return found


def list_keys(app: App, number: str | None) -> list[SshKey]:
    """The keys of an account, or of all. Raises :class:`Refused` for an unknown account."""
    with app.engine.connect() as connection:
        account_id = None if number is None else find_account(connection, number).id
        return ssh_keys.of_account(connection, account_id)


def revoke(app: App, fingerprint: str, *, actor: str) -> None:
    """Revoke a key for good; who is signed in with it can do nothing more. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        found = ssh_keys.by_fingerprint(connection, fingerprint)
        if found is None:
            raise Refused(
                "unknown_ssh_key",
                f"There is no key {fingerprint}. See: keymill ssh-keys list",
                f"Non esiste la chiave {fingerprint}. Vedere: keymill ssh-keys list",
            )
        if ssh_keys.revoke(connection, fingerprint):
            audit.record(connection, actor, "ssh_key.revoke", f"account {found.account}", fingerprint=fingerprint)


def set_marker(app: App, number: str, waits: bool, *, actor: str) -> None:
    """Say whether files of an account are taken only once their marker is there. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        account = find_account(connection, number)
        drop_boxes.set_marker(connection, account.id, waits)
        audit.record(connection, actor, "drop_box.marker", f"account {account.number}", waits=waits)

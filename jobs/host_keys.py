"""The host key of our SFTP server: made once, shown by every process of it, wrapped like the signing keys."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from models import audit, signing_keys, ssh_keys
from models.database import transaction
from models.ssh_keys import HostKey
from signing import host_keys, key_store
from signing.key_store import StoredKey, WrongKeyEncryptionKey


class LostHostKey(Exception):
    """The key-encryption key does not open the host key."""

    code = "lost_host_key"
    en = (
        "The key-encryption key does not open the SFTP server's host key. Give the one that was set when the host key "
        "was made; if it is lost, make a new host key (every client has to accept it): keymill sftp --new-host-key"
    )
    it = (
        "La chiave di cifratura non apre la chiave host del server SFTP. Indicare quella in uso quando questa è "
        "stata creata; se è perduta, creare una nuova chiave host (ogni client dovrà accettarla): "
        "keymill sftp --new-host-key"
    )


def load(engine: Engine, kek: bytes, *, renew: bool = False, actor: str = "system") -> bytes:
    """The host key in OpenSSH's form, made where there is none or ``renew``; of many callers at once one makes it.

    Raises :class:`LostHostKey`.
    """
    with transaction(engine) as connection:
        signing_keys.lock(connection)
        keys = ssh_keys.host_keys(connection)
        if renew or not keys:
            made = host_keys.generate(kek)
            ssh_keys.add_host_key(connection, HostKey(*made))
            audit.record(connection, actor, "ssh_host_key.add", f"SSH host key {made.kid}")
            return host_keys.openssh_text(made, kek)
    try:
        return host_keys.openssh_text(StoredKey(*keys[-1]), kek)
    except WrongKeyEncryptionKey as problem:
        raise LostHostKey(LostHostKey.en) from problem


def rewrap(connection: Connection, old_kek: bytes, new_kek: bytes, actor: str) -> tuple[list[str], list[str]]:
    """Wrap host keys under another key-encryption key: (those wrapped anew, those that nothing opens)."""
    done, lost = [], []
    for key in ssh_keys.host_keys(connection):
        try:
            changed = key_store.rewrapped(StoredKey(*key), old_kek, new_kek)
        except WrongKeyEncryptionKey:
            lost.append(key.kid)
            continue
        if changed is not None:
            ssh_keys.rewrap_host_key(connection, key.kid, changed.wrapped)
            audit.record(connection, actor, "ssh_host_key.rewrap", f"SSH host key {key.kid}")
            done.append(key.kid)
    return done, lost

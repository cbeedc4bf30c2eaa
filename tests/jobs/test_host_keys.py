"""The SFTP server's host key: made once, encrypted, changed with the key-encryption key, replaced on request."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import asyncssh
import pytest

from config.wiring import App
from jobs import host_keys, keys
from models import ssh_keys
from signing import key_store
from signing.host_keys import openssh_text
from signing.key_store import StoredKey, WrongKeyEncryptionKey


def shown(app: App, kek: bytes) -> str:
    """The fingerprint of the key that a server shows."""
    return asyncssh.import_private_key(host_keys.load(app.engine, kek)).get_fingerprint()


def test_of_many_first_starts_one_makes_the_key(app: App) -> None:
    """All of them show the same key, in OpenSSH's form; it is not a signing key."""
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: shown(app, app.kek), range(4)))
    assert len(found) == 1
    assert keys.list_keys(app.engine) == []


def test_it_is_wrapped_with_the_key_encryption_key(app: App) -> None:
    """Another one does not open it and says what to do; after rewrapping only the new one does."""
    first, new = shown(app, app.kek), secrets.token_bytes(32)
    with pytest.raises(host_keys.LostHostKey) as lost:
        host_keys.load(app.engine, new)
    assert "--new-host-key" in lost.value.en and "--new-host-key" in lost.value.it
    assert len(keys.rewrap_all(app.engine, app.kek, new).done) == 1
    assert keys.rewrap_all(app.engine, app.kek, new).done == ()
    assert shown(app, new) == first
    with pytest.raises(host_keys.LostHostKey):
        host_keys.load(app.engine, app.kek)
    assert len(keys.rewrap_all(app.engine, app.kek, secrets.token_bytes(32)).lost) == 1


def test_a_new_one_is_made_on_request(app: App) -> None:
    """It is another key, and the one that is shown from then on."""
    first = shown(app, app.kek)
    host_keys.load(app.engine, app.kek, renew=True)
    second = shown(app, app.kek)
    assert second != first
    assert shown(app, app.kek) == second


def test_a_signing_key_cannot_stand_in_for_it(app: App) -> None:
    """The name is bound to what is wrapped."""
    made = key_store.generate(app.kek)
    with pytest.raises(WrongKeyEncryptionKey):
        openssh_text(StoredKey(f"ssh:{made.kid}", made.public_key, made.wrapped), app.kek)
    host_keys.load(app.engine, app.kek)
    with app.engine.connect() as connection:
        (stored,) = ssh_keys.host_keys(connection)
    assert b"PRIVATE" not in stored.wrapped

"""The signing keys of an installation: made, loaded for signing, rotated and wrapped anew; every change is audited."""

from __future__ import annotations

import time
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from jobs import host_keys
from models import audit, signing_keys
from models.database import transaction
from models.signing_keys import SigningKey
from signing import key_store
from signing.key_sets import decoded_base64url, key_set_text, public_jwk
from signing.key_store import StoredKey, WrongKeyEncryptionKey
from signing.tokens import Signer

RECHECK_SECONDS = 2.0  # how long a worker may go on with the key that was the newest


class Rewrapped(NamedTuple):
    """What a change of the key-encryption key did: the keys wrapped anew, and old ones that nothing opens any more."""

    done: tuple[str, ...]
    lost: tuple[str, ...]


class _Loaded(NamedTuple):
    signer: Signer
    issuer: str
    checked_at: float


_loaded: WeakKeyDictionary[Engine, _Loaded] = WeakKeyDictionary()


def ensure_signing_key(engine: Engine, kek: bytes, *, actor: str = "system") -> str:
    """Make the first signing key where there is none; of many callers at once one makes it. The signing key's kid."""
    with transaction(engine) as connection:
        if found := signing_keys.newest_kid(connection):
            return found
        signing_keys.lock(connection)
        return signing_keys.newest_kid(connection) or _add_key(connection, kek, actor)


def rotate(engine: Engine, kek: bytes, *, actor: str = "system", lost: bool = False) -> str:
    """Make a new key, which signs from now on; what older ones signed stays valid. The new kid.

    The key-encryption key must open the present key, lest a mistaken one locks the workers out. ``lost`` says that the
    right one is gone. Raises :class:`WrongKeyEncryptionKey`.
    """
    with transaction(engine) as connection:
        signing_keys.lock(connection)
        keys = signing_keys.oldest_to_newest(connection)
        if keys and not lost:
            key_store.unwrap(keys[-1].wrapped, keys[-1].kid, kek)
        return _add_key(connection, kek, actor)


def rewrap_all(engine: Engine, old_kek: bytes, new_kek: bytes, *, actor: str = "system") -> Rewrapped:
    """Wrap every key (the SFTP server's too) under another key-encryption key, all or none. Repeatable.

    Raises :class:`WrongKeyEncryptionKey` when neither opens the key that signs; older ones only verify and are told.
    """
    with transaction(engine) as connection:
        signing_keys.lock(connection)
        keys = signing_keys.oldest_to_newest(connection)
        done, lost = [], []
        for key in map(_stored, keys):
            try:
                changed = key_store.rewrapped(key, old_kek, new_kek)
            except WrongKeyEncryptionKey:
                if key.kid == keys[-1].kid:
                    raise
                lost.append(key.kid)
                continue
            if changed is not None:
                signing_keys.rewrap(connection, key.kid, changed.wrapped)
                audit.record(connection, actor, "signing_key.rewrap", f"signing key {key.kid}")
                done.append(key.kid)
        host_done, host_lost = host_keys.rewrap(connection, old_kek, new_kek, actor)
        return Rewrapped((*done, *host_done), (*lost, *host_lost))


def load_signer(engine: Engine, kek: bytes, issuer: str) -> Signer:
    """The signer of the newest key, kept in this process; a rotation is noticed within :data:`RECHECK_SECONDS`.

    Makes the first key where there is none. Raises :class:`WrongKeyEncryptionKey`.
    """
    loaded, now = _loaded.get(engine), time.monotonic()
    if loaded is None or loaded.issuer != issuer or now - loaded.checked_at >= RECHECK_SECONDS:
        newest = ensure_signing_key(engine, kek)
        if loaded is not None and loaded.issuer == issuer and loaded.signer.kid == newest:
            loaded = loaded._replace(checked_at=now)
        else:
            stored = [_stored(key) for key in list_keys(engine)]
            loaded = _Loaded(key_store.newest_signer(stored, kek, issuer), issuer, now)
        _loaded[engine] = loaded
    return loaded.signer


def list_keys(engine: Engine) -> list[SigningKey]:
    """Every key, oldest to newest: the last one signs, all of them verify."""
    with transaction(engine) as connection:
        return signing_keys.oldest_to_newest(connection)


def public_key_set(engine: Engine) -> str:
    """The public keys as a JWK set, oldest to newest: what anyone needs to check a license key."""
    return key_set_text(_stored(key).public_key for key in list_keys(engine))


def _add_key(connection: Connection, kek: bytes, actor: str) -> str:
    made = key_store.generate(kek)
    signing_keys.add(connection, made.kid, public_jwk(made.public_key), made.wrapped)
    audit.record(connection, actor, "signing_key.add", f"signing key {made.kid}")
    return made.kid


def _stored(key: SigningKey) -> StoredKey:
    return StoredKey(key.kid, decoded_base64url(key.jwk["x"]), key.wrapped)

"""Private keys at rest: made, wrapped with AES-256-GCM, unwrapped for signing, wrapped again under a new key.

Keys are listed oldest to newest: the newest signs, all of them verify. A wrapped key is a nonce of 12 bytes, then the
encrypted seed and its tag; its ``kid`` is the associated data, so a wrapped key cannot stand in for another one.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signing.key_sets import thumbprint
from signing.tokens import Signer

KEK_BYTES = 32
_NONCE_BYTES = 12


class BadKeyEncryptionKey(ValueError):
    """A key-encryption key that is not 32 bytes; its message says how to make one."""

    code = "bad_key_encryption_key"
    en = "The key-encryption key must be 32 random bytes in base64. Make one with: openssl rand -base64 32"
    it = "La chiave di cifratura deve essere di 32 byte casuali in base64. Crearne una con: openssl rand -base64 32"

    def __init__(self) -> None:
        super().__init__(self.en)


class WrongKeyEncryptionKey(Exception):
    """The key-encryption key is not the one that wrapped this signing key (or the stored bytes were changed)."""

    code = "wrong_key_encryption_key"

    def __init__(self, kid: str) -> None:
        self.en = (
            f"The key-encryption key does not open the signing key {kid}. Give the one that was set when the key was "
            "made or last wrapped; if it is lost, go on with a new signing key: keymill keys rotate --lost"
        )
        self.it = (
            f"La chiave di cifratura non apre la chiave di firma {kid}. Indicare quella in uso quando la chiave è "
            "stata creata o cifrata l'ultima volta; se è perduta, passare a una nuova chiave di firma: "
            "keymill keys rotate --lost"
        )
        super().__init__(self.en)


class StoredKey(NamedTuple):
    """A signing key as it is stored: the 32-byte public key in clear, the private key wrapped."""

    kid: str
    public_key: bytes
    wrapped: bytes


def key_encryption_key(material: str | bytes) -> bytes:
    """The 32 bytes out of a setting or a file: base64 (either alphabet), or the bytes themselves.

    Raises :class:`BadKeyEncryptionKey`.
    """
    if isinstance(material, bytes) and len(material) == KEK_BYTES:
        return material
    try:
        text = material.decode("ascii") if isinstance(material, bytes) else material
        standard = text.strip().translate(str.maketrans("-_", "+/"))
        key = b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEK_BYTES:
        raise BadKeyEncryptionKey
    return key


def wrap(private_key: bytes, kid: str, kek: bytes) -> bytes:
    """The 32-byte private key encrypted under ``kek`` and bound to its ``kid``."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(kek).encrypt(nonce, private_key, kid.encode())


def unwrap(wrapped: bytes, kid: str, kek: bytes) -> bytes:
    """The private key that :func:`wrap` encrypted. Raises :class:`WrongKeyEncryptionKey`."""
    try:
        return AESGCM(kek).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], kid.encode())
    except (InvalidTag, ValueError) as problem:
        raise WrongKeyEncryptionKey(kid) from problem


def rewrap(stored: StoredKey, old_kek: bytes, new_kek: bytes) -> StoredKey:
    """The same key wrapped under another key-encryption key. Raises :class:`WrongKeyEncryptionKey`."""
    return stored._replace(wrapped=wrap(unwrap(stored.wrapped, stored.kid, old_kek), stored.kid, new_kek))


def rewrapped(stored: StoredKey, old_kek: bytes, new_kek: bytes) -> StoredKey | None:
    """The key under the new key-encryption key; None when it is so already. Raises :class:`WrongKeyEncryptionKey`."""
    try:
        unwrap(stored.wrapped, stored.kid, new_kek)
    except WrongKeyEncryptionKey:
        return rewrap(stored, old_kek, new_kek)
    return None


def generate(kek: bytes) -> StoredKey:
    """A new signing key, already wrapped."""
    key = Ed25519PrivateKey.generate()
    public_key = key.public_key().public_bytes_raw()
    kid = thumbprint(public_key)
    return StoredKey(kid, public_key, wrap(key.private_bytes_raw(), kid, kek))


def newest_signer(keys: Sequence[StoredKey], kek: bytes, issuer: str) -> Signer:
    """The signer of the newest of the keys, which are listed oldest to newest.

    Raises :class:`WrongKeyEncryptionKey`, or ``IndexError`` when there is no key.
    """
    newest = keys[-1]
    return Signer(newest.kid, unwrap(newest.wrapped, newest.kid, kek), issuer)

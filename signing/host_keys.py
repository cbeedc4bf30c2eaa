"""The host key of our SFTP server at rest: an Ed25519 key, wrapped like a signing key but never one.

Its ``kid`` starts with ``ssh:``, so what is wrapped here cannot be unwrapped as a signing key, nor the other way round.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signing.key_sets import thumbprint
from signing.key_store import StoredKey, unwrap, wrap


def generate(kek: bytes) -> StoredKey:
    """A new host key, already wrapped."""
    key = Ed25519PrivateKey.generate()
    public_key = key.public_key().public_bytes_raw()
    kid = f"ssh:{thumbprint(public_key)}"
    return StoredKey(kid, public_key, wrap(key.private_bytes_raw(), kid, kek))


def openssh_text(stored: StoredKey, kek: bytes) -> bytes:
    """The key as OpenSSH writes private keys, for the server that shows it. Raises ``WrongKeyEncryptionKey``."""
    key = Ed25519PrivateKey.from_private_bytes(unwrap(stored.wrapped, stored.kid, kek))
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())

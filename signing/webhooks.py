"""Secrets of webhooks: made, kept like private keys, and used to sign what is sent (Standard Webhooks, symmetric).

A secret is 32 random bytes; its owner sees it as ``whsec_`` and base64. The signed text is the message id, the time in
seconds and the body, joined by dots.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple

from signing import key_store
from signing.key_store import WrongKeyEncryptionKey

SECRET_BYTES = 32
SHOWN_PREFIX = "whsec_"


class UnopenedSecret(Exception):
    """The key-encryption key is not the one that wrapped this secret (or the stored bytes were changed)."""

    code = "wrong_key_encryption_key"
    en = (
        "The key-encryption key does not open the secret of this webhook. Give the one that was set when the secret "
        "was made or last wrapped; if it is lost, make a new secret: keymill webhooks rotate"
    )
    it = (
        "La chiave di cifratura non apre il segreto di questo webhook. Indicare quella in uso quando il segreto è "
        "stato creato o cifrato l'ultima volta; se è perduta, creare un nuovo segreto: keymill webhooks rotate"
    )

    def __init__(self) -> None:
        super().__init__(self.en)


class NewSecret(NamedTuple):
    """A secret that was just made: its name, what is stored of it, and what its owner is shown, once."""

    name: str
    wrapped: bytes
    shown: str


def generate(kek: bytes) -> NewSecret:
    """A new secret, already wrapped."""
    name, secret = secrets.token_hex(8), secrets.token_bytes(SECRET_BYTES)
    return NewSecret(name, wrap(secret, name, kek), SHOWN_PREFIX + b64encode(secret).decode())


def wrap(secret: bytes, name: str, kek: bytes) -> bytes:
    """A secret encrypted under ``kek`` and bound to its name."""
    return key_store.wrap(secret, f"webhook {name}", kek)


def unwrap(wrapped: bytes, name: str, kek: bytes) -> bytes:
    """The secret that :func:`wrap` encrypted. Raises :class:`UnopenedSecret`."""
    try:
        return key_store.unwrap(wrapped, f"webhook {name}", kek)
    except WrongKeyEncryptionKey as problem:
        raise UnopenedSecret from problem


def headers(valid: Iterable[bytes], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of a message sent at a time (seconds), with a signature for each of the valid secrets."""
    signed = f"{message_id}.{at}.".encode() + body
    signatures = (b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in valid)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }

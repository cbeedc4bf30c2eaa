"""Public keys as a JWK set (RFC 7517, RFC 8037): what anyone needs to check a license key, and nothing more."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signing.tokens import ALGORITHM, base64url

KeySet = Mapping[str, Ed25519PublicKey]


class BadKeySet(ValueError):
    """A text that is not a set of public keys, and why."""

    code = "bad_key_set"

    def __init__(self, en: str, it: str) -> None:
        super().__init__(en)
        self.en, self.it = en, it


def decoded_base64url(text: str) -> bytes:
    """The octets of strict base64url: no padding, no foreign character, no stray bits. Raises ``ValueError``."""
    octets = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if base64url(octets).decode() != text:
        raise ValueError("not canonical base64url")
    return octets


def thumbprint(public_key: bytes) -> str:
    """The RFC 7638 thumbprint of a 32-byte Ed25519 public key; it is our ``kid``."""
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url(public_key).decode()}"}}'
    return base64url(sha256(members.encode()).digest()).decode()


def public_jwk(public_key: bytes) -> dict[str, str]:
    """The JWK of a 32-byte Ed25519 public key."""
    x = base64url(public_key).decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": thumbprint(public_key), "alg": ALGORITHM, "use": "sig"}


def key_set_text(public_keys: Iterable[bytes]) -> str:
    """The JWK set of public keys as JSON, in the order given, retired ones too: what they signed stays valid."""
    return json.dumps({"keys": [public_jwk(key) for key in public_keys]}, indent=2) + "\n"


def parse_key_set(text: str | bytes) -> KeySet:
    """The Ed25519 keys of a JWK set by ``kid``; keys for other uses are passed over. Raises :class:`BadKeySet`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise BadKeySet("The key set is not JSON.", "L'insieme di chiavi non è JSON.") from problem
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise BadKeySet(
            'A key set is an object with a list named "keys".',
            'Un insieme di chiavi è un oggetto con un elenco di nome "keys".',
        )
    keys: dict[str, Ed25519PublicKey] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") != "OKP" or entry.get("crv") != "Ed25519":
            continue
        if entry.get("use", "sig") == "sig":
            kid, key = _parsed_key(entry)
            if kid in keys and keys[kid] != key:
                raise BadKeySet(f"Two different keys are called {kid}.", f"Due chiavi diverse si chiamano {kid}.")
            keys[kid] = key
    return keys


def _parsed_key(entry: Mapping[str, Any]) -> tuple[str, Ed25519PublicKey]:
    """The name and key of one Ed25519 JWK; a key without ``kid`` is called by its thumbprint."""
    if "d" in entry:
        raise BadKeySet(
            "The key set holds a private key: keep it secret and give the public key set.",
            "L'insieme di chiavi contiene una chiave privata: tenerla segreta e indicare quello pubblico.",
        )
    x = entry.get("x")
    try:
        octets = decoded_base64url(x) if isinstance(x, str) else b""
        key = Ed25519PublicKey.from_public_bytes(octets)
    except ValueError as problem:
        raise BadKeySet(
            "A key's x is not 32 bytes of base64url.", "L'x di una chiave non è 32 byte in base64url."
        ) from problem
    kid = entry.get("kid", thumbprint(octets))
    if not isinstance(kid, str):
        raise BadKeySet("A key's kid is not text.", "Il kid di una chiave non è un testo.")
    return kid, key

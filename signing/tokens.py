"""License keys as JWS compact tokens (RFC 7515, EdDSA of RFC 8037), signed in bulk.

The payload is written by hand: a JSON encoder alone would take longer than all that is done here besides signing.
libsodium signs 1.6 times as fast as OpenSSL does, and both give the same bytes (docs/decisions/0005-codes-and-keys.md).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Iterable
from datetime import date
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_seed_keypair

ALGORITHM = "EdDSA"
TYPE = "license+jwt"

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class LicenseClaims(NamedTuple):
    """What a license key says. Times are seconds since 1970; ``expires_at`` is None when the license is perpetual."""

    customer_number: str
    license_number: str
    issued_at: int
    expires_at: int | None
    sku: str
    version: str
    quantity: int
    host: str | None = None
    maintained_until: date | None = None


def base64url(octets: bytes) -> bytes:
    """Base64 with the URL-safe alphabet and without padding, as JOSE writes it."""
    return b2a_base64(octets, newline=False).translate(_URL_SAFE).rstrip(b"=")


class Signer:
    """Signs license keys with one private key. Shows its ``kid`` and never the key."""

    __slots__ = ("_header", "_issuer", "_secret", "issuer", "kid")

    def __init__(self, kid: str, private_key: bytes, issuer: str) -> None:
        """``private_key`` is the 32-byte Ed25519 seed. Raises ``ValueError`` on another length."""
        self.kid, self.issuer = kid, issuer
        self._secret: bytes = crypto_sign_seed_keypair(private_key)[1]
        self._header = self._header_for(TYPE)
        self._issuer = '{"iss":' + quoted(issuer) + ',"sub":'

    def __repr__(self) -> str:
        return f"Signer({self.kid!r})"

    def _header_for(self, type_: str) -> bytes:
        header = json.dumps({"alg": ALGORITHM, "typ": type_, "kid": self.kid}, separators=(",", ":"))
        return base64url(header.encode()) + b"."

    def sign(self, type_: str, pieces: Iterable[bytes]) -> bytearray:
        """One token of another type than a license; its payload may be large and comes in pieces.

        Signed by OpenSSL, which does not copy the message.
        """
        token, rest = bytearray(self._header_for(type_)), b""
        for piece in pieces:
            rest += piece
            cut = len(rest) // 3 * 3
            token += base64url(rest[:cut])
            rest = rest[cut:]
        token += base64url(rest)
        signature = Ed25519PrivateKey.from_private_bytes(self._secret[:32]).sign(token)
        token += b"." + base64url(signature)
        return token

    def sign_many(self, claims: Iterable[LicenseClaims]) -> list[str]:
        """One token for each license, in order."""
        header, issuer, secret = self._header, self._issuer, self._secret
        rights: dict[tuple[str, str, int], str] = {}
        tokens = []
        for customer, number, issued_at, expires_at, sku, version, quantity, host, maintained_until in claims:
            right = rights.get((sku, version, quantity))
            if right is None:
                right = f',"lic":{{"sku":{quoted(sku)},"version":{quoted(version)},"qty":{quantity:d}'
                rights[sku, version, quantity] = right
            expiry = "" if expires_at is None else f',"exp":{expires_at:d}'
            tail = "}}" if host is None else f',"host":{quoted(host)}}}}}'
            if maintained_until is not None:
                tail = f',"maintained_until":"{maintained_until}"{tail}'
            payload = f'{issuer}{quoted(customer)},"jti":{quoted(number)},"iat":{issued_at:d}{expiry}{right}{tail}'
            signed = header + base64url(payload.encode())
            signature = crypto_sign(signed, secret)[:crypto_sign_BYTES]
            tokens.append((signed + b"." + base64url(signature)).decode())
        return tokens


def claims_of(token: str) -> LicenseClaims:
    """What a token that we signed says, for showing; nothing is checked."""
    payload = token.split(".")[1]
    said = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    right = said["lic"]
    until = right.get("maintained_until")
    return LicenseClaims(
        said["sub"], said["jti"], said["iat"], said.get("exp"), right["sku"], right["version"], right["qty"],
        right.get("host"), None if until is None else date.fromisoformat(until),
    )  # fmt: skip


def bare_signatures(private_key: bytes, messages: Iterable[bytes]) -> list[bytes]:
    """The Ed25519 signatures of messages and nothing around them: what signing costs at the least (benchmarks)."""
    secret: bytes = crypto_sign_seed_keypair(private_key)[1]
    return [crypto_sign(message, secret)[:crypto_sign_BYTES] for message in messages]

"""Checks a license key offline: its signature against a set of public keys, then what it says.

``alg`` and ``typ`` are pinned; keys, certificates and addresses that a token names itself (``jwk``, ``x5c``, ``jku``,
``x5u``) are never looked at. Any text at all gets a verdict; nothing here raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from licensing.fields import Language
from licensing.parsing import printable
from signing.jws import BadToken, signed_claims
from signing.key_sets import KeySet
from signing.license_files import BEGIN, NotALicenseFile, read_license_file, shown_last_day
from signing.revocations import RevocationList
from signing.tokens import TYPE

LONGEST_LICENSE = 65_536  # characters, of a token or file that is looked at

_SENTENCES: dict[str, tuple[str, str]] = {
    "valid": ("The license is valid.", "La licenza è valida."),
    "not_a_license": (
        "This is not a license key. Give the whole .lic file or the whole key.",
        "Questa non è una chiave di licenza. Indicare l'intero file .lic o l'intera chiave.",
    ),
    "wrong_algorithm": (
        "The key names the signature algorithm {detail}; license keys use EdDSA only. It is not one of ours.",
        "La chiave indica l'algoritmo di firma {detail}; le licenze usano solo EdDSA. Non è una delle nostre.",
    ),
    "wrong_type": (
        "This is a signed token, but of the type {detail} and not a license.",
        "Questo è un token firmato, ma del tipo {detail} e non una licenza.",
    ),
    "unknown_key": (
        "The license is signed with the key {detail}, which is not in the key set. Get the vendor's current key set.",
        "La licenza è firmata con la chiave {detail}, che non è nell'insieme di chiavi. Procurarsi quello attuale del "
        "fornitore.",
    ),
    "bad_signature": (
        "The signature does not fit: the license was changed or cut off. Get the original again.",
        "La firma non corrisponde: la licenza è stata modificata o troncata. Procurarsi di nuovo l'originale.",
    ),
    "expired": (
        "The license was valid until {detail} and has expired.",
        "La licenza era valida fino al {detail} ed è scaduta.",
    ),
    "revoked": ("The license was revoked on {detail}.", "La licenza è stata revocata il {detail}."),
    "rehosted": (
        "The license was moved to another host on {detail}; the key for that host replaces it.",
        "La licenza è stata spostata su un altro host il {detail}; la sostituisce la chiave per quell'host.",
    ),
    "superseded": (
        "The license was upgraded on {detail}; the key of the new version replaces it.",
        "La licenza è stata aggiornata il {detail}; la sostituisce la chiave della nuova versione.",
    ),
}

CODES = tuple(_SENTENCES)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: a stable code, what its sentence adds, and the claims once the signature was found good."""

    code: str
    detail: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether the license may be used."""
        return self.code == "valid"

    def sentence(self, language: Language = "en") -> str:
        """The verdict for a person."""
        return _SENTENCES[self.code][1 if language == "it" else 0].replace("{detail}", self.detail)


class _Refused(Exception):
    """Carries a verdict out of the checks; never leaves this file."""

    def __init__(self, code: str, detail: object = "") -> None:
        self.verdict = Verdict(code, printable(f"{detail}"[:80]))


def verify(license_text: str, keys: KeySet, *, now: float, ended: RevocationList | None = None) -> Verdict:
    """The verdict on a token or ``.lic`` text; ``now`` in seconds since 1970, ``ended`` a revocation list."""
    try:
        claims = _license_claims(_token(license_text), keys)
    except _Refused as refused:
        return refused.verdict
    if ended is not None and (end := ended.end_of(claims["jti"])):
        return Verdict(end.state, end.day, claims)
    expires_at = claims.get("exp")
    if expires_at is not None and now >= expires_at:
        return Verdict("expired", shown_last_day(expires_at), claims)
    return Verdict("valid", "", claims)


def _token(text: str) -> str:
    if len(text) > LONGEST_LICENSE:
        raise _Refused("not_a_license")
    if BEGIN not in text:
        return text.removeprefix("\ufeff").strip()
    try:
        return read_license_file(text)
    except NotALicenseFile:
        raise _Refused("not_a_license") from None


def _license_claims(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a license that one of the keys signed."""
    try:
        claims = signed_claims(token, keys, TYPE)
    except BadToken as bad:
        raise _Refused("not_a_license" if bad.code == "malformed" else bad.code, bad.detail) from None
    right = claims.get("lic")
    if not isinstance(right, dict):
        raise _Refused("not_a_license")
    texts = (claims.get("iss"), claims.get("sub"), claims.get("jti"), right.get("sku"), right.get("version"))
    optional = (right.get("host", ""), right.get("maintained_until", ""))
    numbers = (claims.get("iat"), claims.get("exp", 0), right.get("qty"))
    if not all(isinstance(text, str) for text in (*texts, *optional)) or any(type(n) is not int for n in numbers):
        raise _Refused("not_a_license")
    return claims

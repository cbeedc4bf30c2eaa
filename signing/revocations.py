"""The revocation list: a signed token that names the licenses that were revoked, or that others replaced, with the day.

Form: JWS compact, EdDSA, ``typ`` ``revocation-list+jwt``; claims ``iss``, ``iat`` and ``licenses``, by state a member
each: license numbers with the day (UTC, ISO 8601) on which they ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from licensing.fields import Language
from licensing.parsing import printable
from signing.jws import BadToken, signed_claims
from signing.key_sets import KeySet
from signing.tokens import Signer

TYPE = "revocation-list+jwt"
STATES = ("revoked", "superseded", "rehosted")
_PIECE_BYTES = 3 << 20
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

_SENTENCES: dict[str, tuple[str, str]] = {
    "malformed": (
        "This is no revocation list. Get the vendor's current list.",
        "Questo non è un elenco di revoche. Procurarsi quello attuale del fornitore.",
    ),
    "wrong_algorithm": (
        "The revocation list names the signature algorithm {detail}; ours use EdDSA only.",
        "L'elenco di revoche indica l'algoritmo di firma {detail}; i nostri usano solo EdDSA.",
    ),
    "wrong_type": (
        "This is a signed token of the type {detail} and no revocation list.",
        "Questo è un token firmato di tipo {detail} e non un elenco di revoche.",
    ),
    "unknown_key": (
        "The revocation list is signed with the key {detail}, which is not in the key set.",
        "L'elenco di revoche è firmato con la chiave {detail}, che non è nell'insieme di chiavi.",
    ),
    "bad_signature": (
        "The signature does not fit: the revocation list was changed or cut off. Get it again.",
        "La firma non corrisponde: l'elenco di revoche è stato modificato o troncato. Procurarselo di nuovo.",
    ),
}


class BadRevocationList(Exception):
    """A list that is not used: says why in English and Italian."""

    def __init__(self, code: str, detail: object = "") -> None:
        self.code = "bad_revocation_list"
        shown = printable(f"{detail}"[:80])
        self.en, self.it = (sentence.replace("{detail}", shown) for sentence in _SENTENCES[code])
        super().__init__(self.en)

    def sentence(self, language: Language = "en") -> str:
        """Why, for a person."""
        return self.it if language == "it" else self.en


class End(NamedTuple):
    """What became of a license (one of ``STATES``), and on which day (``YYYY-MM-DD``, UTC)."""

    state: str
    day: str


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What a list says. ``issued_at`` in seconds since 1970: of licenses that ended later it knows nothing."""

    issuer: str
    issued_at: int
    licenses: Mapping[str, Mapping[str, str]]

    def end_of(self, number: str) -> End | None:
        """What became of a license; None if the list does not name it."""
        for state in STATES:
            if day := self.licenses.get(state, {}).get(number):
                return End(state, day)
        return None

    @property
    def counts(self) -> dict[str, int]:
        """How many licenses it names, by state."""
        return {state: len(self.licenses.get(state, ())) for state in STATES}


def sign_list(signer: Signer, issued_at: int, members: Iterable[tuple[str, str]]) -> bytearray:
    """A list of ended licenses: states with texts of JSON members, ``"NUMBER":"DAY","NUMBER":"DAY"``."""
    return signer.sign(TYPE, _payload(signer.issuer, issued_at, members))


def _payload(issuer: str, issued_at: int, members: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """The claims as JSON, in pieces: a worker's memory is small, and there may be millions."""
    licenses = {state: bytearray() for state in STATES}
    for state, text in members:
        licenses[state] += text.encode() + b","
    yield f'{{"iss":{quoted(issuer)},"iat":{issued_at:d},"licenses":{{'.encode()
    for number, state in enumerate(STATES):
        days = licenses.pop(state)
        yield f'{"," if number else ""}"{state}":{{'.encode()
        for start in range(0, len(days) - 1, _PIECE_BYTES):
            yield bytes(days[start : min(start + _PIECE_BYTES, len(days) - 1)])
        yield b"}"
    yield b"}}"


def member(number: str, day: str) -> str:
    """What a list says of one license."""
    return f"{quoted(number)}:{quoted(day)}"


def read_list(text: str, keys: KeySet) -> RevocationList:
    """The list in a text, if one of the keys signed it. Raises :class:`BadRevocationList`."""
    try:
        claims = signed_claims(text.strip(), keys, TYPE)
    except BadToken as bad:
        raise BadRevocationList(bad.code, bad.detail) from None
    issuer, issued_at, licenses = claims.get("iss"), claims.get("iat"), claims.get("licenses")
    if not isinstance(issuer, str) or type(issued_at) is not int or not isinstance(licenses, dict):
        raise BadRevocationList("malformed")
    if not all(_are_days(licenses.get(state, {})) for state in STATES):
        raise BadRevocationList("malformed")
    return RevocationList(issuer, issued_at, licenses)


def _are_days(days: Any) -> bool:
    if not isinstance(days, dict) or not all(isinstance(day, str) for day in days.values()):
        return False
    return all(_DAY.fullmatch(day) for day in set(days.values()))

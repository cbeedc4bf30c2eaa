"""The revocation list: what is signed is read again, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from licensing.fields import LANGUAGES
from signing import revocations
from signing.key_sets import public_jwk
from signing.revocations import STATES, TYPE, BadRevocationList, End, member, read_list, sign_list
from signing.tokens import Signer
from tests.signing.samples import NOW, PLAIN
from tests.signing.test_verification import HEADER, KEYS, KID, PUBLIC, SEED, signed

SIGNER = Signer(KID, SEED, "iss")
ENDED = [("KML-1", "revoked", "2026-11-25"), ("KML-2", "superseded", "2026-11-24"), ("KML-3", "rehosted", "2026-11-23")]
MEMBERS = [(state, member(number, day)) for number, state, day in ENDED]
TEXT = sign_list(SIGNER, NOW, MEMBERS).decode()
LIST_HEADER = HEADER | {"typ": TYPE}
CLAIMS: dict[str, Any] = {"iss": "iss", "iat": NOW, "licenses": {"revoked": {"KML-1": "2026-11-25"}}}
DAYS = st.dates().map(str)


def refusal(text: str) -> str:
    """The sentence that a list is refused with; it comes in every language."""
    with pytest.raises(BadRevocationList) as caught:
        read_list(text, KEYS)
    assert all(caught.value.sentence(language) for language in LANGUAGES)
    return caught.value.en


@given(st.dictionaries(st.text(), st.tuples(st.sampled_from(STATES), DAYS)), st.integers(0, 2**40))
def test_what_is_signed_is_read(ended: dict[str, tuple[str, str]], issued_at: int) -> None:
    """Every license with its state and day, the moment, the counts; a number that is not on it has no end."""
    members = [(state, member(number, day)) for number, (state, day) in ended.items()]
    found = read_list(sign_list(SIGNER, issued_at, members).decode(), KEYS)
    assert (found.issuer, found.issued_at) == ("iss", issued_at)
    assert {number: found.end_of(number) for number in ended} == {number: End(*end) for number, end in ended.items()}
    assert sum(found.counts.values()) == len(ended)
    assert found.end_of("\0 not a number") is None


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("abcXYZ019-_.="))
def test_any_change_is_refused(place: int, char: str) -> None:
    """No character can be another one."""
    changed = TEXT[:place] + char + TEXT[place + 1 :]
    if changed == TEXT:
        assert read_list(changed, KEYS).counts == dict.fromkeys(STATES, 1)
    else:
        assert refusal(changed)


def test_another_library_verifies_the_list() -> None:
    """A library finds the signature good, and header and claims as they were."""
    token = JWS()
    token.deserialize(TEXT, JWK(**public_jwk(PUBLIC)))
    assert json.loads(token.payload)["licenses"]["rehosted"] == {"KML-3": "2026-11-23"}
    assert token.jose_header == {"alg": "EdDSA", "typ": TYPE, "kid": KID}


def test_a_license_key_is_no_list() -> None:
    """A token that we signed for another purpose is refused by its type, and so is a list taken for a license."""
    assert "no revocation list" in refusal(SIGNER.sign_many([PLAIN])[0])
    assert "HS256" in refusal(signed(LIST_HEADER | {"alg": "HS256"}, CLAIMS))


def test_a_stranger_signs_no_list() -> None:
    """A key that is not in the set, or one that claims to be."""
    stranger = Signer("stranger", bytes(32), "iss")
    assert "stranger" in refusal(sign_list(stranger, NOW, MEMBERS).decode())
    assert "changed or cut off" in refusal(signed(LIST_HEADER, CLAIMS, Ed25519PrivateKey.from_private_bytes(bytes(32))))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": 1},
        {"iat": "now"},
        {"iat": True},
        {"licenses": ["KML-1"]},
        {"licenses": {"revoked": ["KML-1"]}},
        {"licenses": {"rehosted": {"KML-1": 5}}},
        {"licenses": {"rehosted": {"KML-1": []}}},
        {"licenses": {"superseded": {"KML-1": "yesterday"}}},
    ],
)
def test_a_list_says_what_a_list_says(claims: dict[str, Any]) -> None:
    """Claims of another form are refused, signature or not."""
    assert read_list(signed(LIST_HEADER, CLAIMS), KEYS).counts["revoked"] == 1
    assert "no revocation list" in refusal(signed(LIST_HEADER, CLAIMS | claims))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 1000])
def test_a_list_in_pieces_is_one_list(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the payload is cut, the token is that of the whole."""
    members = [("rehosted", member(f"KML-{number}", "2026-11-25")) for number in range(length)]
    whole = sign_list(SIGNER, NOW, members)
    for piece in (1, 2, 7):
        monkeypatch.setattr(revocations, "_PIECE_BYTES", piece)
        assert sign_list(SIGNER, NOW, members) == whole
    assert read_list(whole.decode(), KEYS).counts["rehosted"] == length

"""Key sets: what is published, and what is read of the sets of others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from signing.key_sets import BadKeySet, decoded_base64url, key_set_text, parse_key_set, public_jwk, thumbprint
from signing.key_store import StoredKey, generate
from signing.tokens import base64url
from tests.signing.samples import KEK

# The example of RFC 8037, appendix A.
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
ED25519 = {"kty": "OKP", "crv": "Ed25519"}
RFC_8037_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_kid_is_the_thumbprint_of_the_rfc() -> None:
    """RFC 8037 gives a key and its thumbprint; ours is the same, and so is joserfc's."""
    assert thumbprint(decoded_base64url(RFC_8037_X)) == RFC_8037_KID
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X})
    assert key.thumbprint() == RFC_8037_KID


def test_a_published_set_holds_public_keys_only_in_the_order_given() -> None:
    """Every key is there with its use and algorithm, and no member could be private."""
    stored = [generate(KEK) for _ in range(3)]
    published = json.loads(key_set_text(key.public_key for key in stored))
    assert [key["kid"] for key in published["keys"]] == [key.kid for key in stored]
    assert all(set(key) == {"kty", "crv", "x", "kid", "alg", "use"} for key in published["keys"])


def test_a_published_set_is_read_back(stored_key: StoredKey) -> None:
    """What we publish, we read."""
    keys = parse_key_set(key_set_text([stored_key.public_key]))
    assert {kid: key.public_bytes_raw() for kid, key in keys.items()} == {stored_key.kid: stored_key.public_key}
    assert parse_key_set(key_set_text([])) == {}


def test_keys_for_other_uses_are_passed_over(stored_key: StoredKey) -> None:
    """A set may hold RSA, elliptic-curve and encryption keys beside ours."""
    ours = public_jwk(stored_key.public_key)
    others: list[Any] = [
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r"},
        {"kty": "OKP", "crv": "X25519", "x": RFC_8037_X},
        {"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X, "use": "enc"},
        "text",
        None,
    ]
    assert set(parse_key_set(json.dumps({"keys": [*others, ours]}))) == {stored_key.kid}


def test_a_key_without_name_is_called_by_its_thumbprint() -> None:
    """Sets of other systems may leave ``kid`` out."""
    assert set(parse_key_set(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X}]}))) == {
        RFC_8037_KID
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        (b"\xff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "keys"),
        ('{"keys": {}}', "keys"),
        ("{}", "keys"),
        (json.dumps({"keys": [ED25519]}), "32 bytes"),
        (json.dumps({"keys": [ED25519 | {"x": 5}]}), "32 bytes"),
        (json.dumps({"keys": [ED25519 | {"x": RFC_8037_X[:-1]}]}), "32 bytes"),
        (json.dumps({"keys": [ED25519 | {"x": RFC_8037_X + "="}]}), "32 bytes"),
        (json.dumps({"keys": [ED25519 | {"x": RFC_8037_X[:-1] + "p"}]}), "32 bytes"),
        (json.dumps({"keys": [ED25519 | {"x": "é"}]}), "32 bytes"),
        (json.dumps({"keys": [ED25519 | {"x": RFC_8037_X, "kid": 5}]}), "kid"),
        (json.dumps({"keys": [ED25519 | {"x": RFC_8037_X, "d": RFC_8037_X}]}), "private key"),
        (
            json.dumps({"keys": [ED25519 | {"x": RFC_8037_X, "kid": "a"}, ED25519 | {"x": "A" * 43, "kid": "a"}]}),
            "Two different keys",
        ),
    ],
)
def test_a_set_that_cannot_be_trusted_is_refused_with_its_reason(text: str | bytes, reason: str) -> None:
    """No JSON, no list, a bad key, a private key, one name for two keys: the reason is told."""
    with pytest.raises(BadKeySet, match=reason) as refused:
        parse_key_set(text)
    assert refused.value.it not in ("", refused.value.en)


@given(st.binary())
def test_base64url_is_read_back_and_has_one_writing(octets: bytes) -> None:
    """Octets survive, and a padded writing of them is refused."""
    text = base64url(octets).decode()
    assert decoded_base64url(text) == octets
    with pytest.raises(ValueError, match=r"."):
        decoded_base64url(text + "=")


@given(st.text())
def test_only_canonical_base64url_is_decoded(text: str) -> None:
    """Any text is either the one writing of its octets or refused."""
    try:
        octets = decoded_base64url(text)
    except ValueError:
        return
    assert base64url(octets).decode() == text

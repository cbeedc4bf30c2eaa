"""Verification: every way of forging, changing or breaking a license key, and texts that are none at all."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from licensing.fields import LANGUAGES
from signing.key_sets import KeySet, decoded_base64url, key_set_text, parse_key_set, public_jwk
from signing.license_files import BEGIN, END
from signing.revocations import STATES, RevocationList
from signing.tokens import Signer, base64url
from signing.verification import CODES, LONGEST_LICENSE, Verdict, verify
from tests.signing.samples import CLAIMS, DAY, NOW, PLAIN

SEED = bytes(range(32))
PRIVATE = Ed25519PrivateKey.from_private_bytes(SEED)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
KEYS: KeySet = parse_key_set(key_set_text([PUBLIC]))
KID = public_jwk(PUBLIC)["kid"]
HEADER = {"alg": "EdDSA", "typ": "license+jwt", "kid": KID}
TOKEN = Signer(KID, SEED, "iss").sign_many([PLAIN])[0]
HEAD, BODY, MARK = TOKEN.split(".")
PAYLOAD: dict[str, Any] = json.loads(decoded_base64url(BODY))
OTHER_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))


def encoded(part: Mapping[str, Any] | str | bytes) -> str:
    """A part of a token."""
    octets = part if isinstance(part, bytes) else (part if isinstance(part, str) else json.dumps(part)).encode()
    return base64url(octets).decode()


def signed(
    header: Mapping[str, Any] | str | bytes, body: Mapping[str, Any] | str | bytes, key: Ed25519PrivateKey = PRIVATE
) -> str:
    """A token with any header and body, under a good signature."""
    start = f"{encoded(header)}.{encoded(body)}"
    return f"{start}.{encoded(key.sign(start.encode()))}"


def code_of(text: str) -> str:
    """The code of the verdict on a text; a refused one never carries claims."""
    verdict = verify(text, KEYS, now=NOW)
    assert verdict.code in CODES
    assert bool(verdict.claims) is (verdict.code in ("valid", "expired"))
    return verdict.code


def test_what_we_sign_is_valid_and_says_what_was_signed(signer: Signer, keys: KeySet) -> None:
    """Every license that we sign is valid under the published keys."""
    for claims, token in zip(CLAIMS, signer.sign_many(CLAIMS), strict=True):
        verdict = verify(token, keys, now=NOW)
        assert verdict.valid
        assert verdict.claims["jti"] == claims.license_number
        assert verdict.claims["lic"]["sku"] == claims.sku


def test_the_helper_of_these_tests_signs_good_tokens() -> None:
    """A token put together here is valid, so what is refused below is refused for its change."""
    assert code_of(signed(HEADER, PAYLOAD)) == "valid"


def test_space_around_a_token_does_not_matter() -> None:
    """Copied with line breaks, spaces or a byte order mark around it, a key is still a key."""
    assert code_of(f"\ufeff \r\n{TOKEN}\r\n") == "valid"


def test_a_license_expires_with_the_moment_it_names() -> None:
    """Valid before ``exp``, not at it; the verdict still says what the license was and its last day."""
    assert verify(TOKEN, KEYS, now=NOW + DAY - 1).valid
    expired = verify(TOKEN, KEYS, now=NOW + DAY)
    assert (expired.code, expired.claims["jti"]) == ("expired", "KML-1")
    midnight = signed(HEADER, PAYLOAD | {"exp": 1_795_651_200})
    assert (
        verify(midnight, KEYS, now=1_795_651_200).sentence()
        == "The license was valid until 2026-11-25 and has expired."
    )


@pytest.mark.parametrize("exp", [-(10**30), 10**30])
def test_moments_beyond_the_calendar_are_judged(exp: int) -> None:
    """An expiry that no calendar holds is compared and shown as a number."""
    assert verify(signed(HEADER, PAYLOAD | {"exp": exp}), KEYS, now=NOW).detail == (str(exp) if exp < 0 else "")


@pytest.mark.parametrize("state", STATES)
def test_a_license_that_ended_is_told(state: str) -> None:
    """A license whose number is on the list is not valid, whatever its signature; what it was and the day are told."""
    ended = RevocationList("iss", NOW, {state: {"KML-1": "2026-11-25"}})
    verdict = verify(TOKEN, KEYS, now=NOW, ended=ended)
    assert (verdict.code, verdict.detail, verdict.valid) == (state, "2026-11-25", False)
    assert verdict.claims["jti"] == "KML-1"
    assert verify(TOKEN, KEYS, now=NOW, ended=RevocationList("iss", NOW, {state: {"KML-2": "2026-11-25"}})).valid


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "ES256", "RS256", "Ed25519", "eddsa", "", None, 5, ["EdDSA"]])
def test_only_one_algorithm_is_known(alg: Any) -> None:
    """The algorithm is pinned: a token that names another one is refused, signature or not."""
    start = f"{encoded(HEADER | {'alg': alg})}.{BODY}"
    assert code_of(f"{start}.") == "wrong_algorithm"
    assert code_of(signed(HEADER | {"alg": alg}, PAYLOAD)) == "wrong_algorithm"


def test_the_public_key_is_no_shared_secret() -> None:
    """An HMAC made with the public key, in any of the forms it is published in, is refused."""
    start = f"{encoded(HEADER | {'alg': 'HS256'})}.{BODY}"
    for secret in (PUBLIC, encoded(PUBLIC).encode(), json.dumps(public_jwk(PUBLIC)).encode()):
        mark = hmac.new(secret, start.encode(), sha256).digest()
        assert code_of(f"{start}.{encoded(mark)}") == "wrong_algorithm"
        honest = f"{HEAD}.{BODY}"
        assert code_of(f"{honest}.{encoded(hmac.new(secret, honest.encode(), sha256).digest())}") == "bad_signature"


@pytest.mark.parametrize("typ", ["JWT", "license", "LICENSE+JWT", "application/license+jwt", "", None, 1, {}])
def test_only_one_type_is_a_license(typ: Any) -> None:
    """A token that we signed for another purpose is no license."""
    assert code_of(signed(HEADER | {"typ": typ}, PAYLOAD)) == "wrong_type"


@pytest.mark.parametrize("name", ["alg", "typ", "kid"])
def test_each_header_member_is_needed(name: str) -> None:
    """A header without algorithm, type or key is refused."""
    header = {member: value for member, value in HEADER.items() if member != name}
    code = {"alg": "wrong_algorithm", "typ": "wrong_type", "kid": "unknown_key"}[name]
    assert code_of(signed(header, PAYLOAD)) == code


@pytest.mark.parametrize("kid", ["", "other", "../../key", "' OR 1=1", KID.lower(), None, 1, [KID], {"kid": KID}])
def test_an_unknown_key_is_told(kid: Any) -> None:
    """A ``kid`` that the key set does not hold is refused; nothing is fetched or guessed for it."""
    assert code_of(signed(HEADER | {"kid": kid}, PAYLOAD)) == "unknown_key"


def test_keys_that_a_token_brings_along_are_ignored() -> None:
    """``jwk``, ``jku``, ``x5u`` and ``x5c`` neither help a forged token nor harm a good one."""
    own = OTHER_PRIVATE.public_key().public_bytes_raw()
    address = "http://127.0.0.1:9/keys.json"
    brought = {"jwk": public_jwk(own), "jku": address, "x5u": address, "x5c": ["MIIB"], "x5t": "AA"}
    assert code_of(signed(HEADER | brought, PAYLOAD)) == "valid"
    assert code_of(signed(HEADER | brought, PAYLOAD, OTHER_PRIVATE)) == "bad_signature"
    assert code_of(signed(HEADER | brought | {"kid": public_jwk(own)["kid"]}, PAYLOAD, OTHER_PRIVATE)) == "unknown_key"


def test_critical_extensions_are_refused() -> None:
    """We know no extension, so a token that insists on one is refused (RFC 7515, section 4.1.11)."""
    assert code_of(signed(HEADER | {"crit": ["b64"], "b64": False}, PAYLOAD)) == "not_a_license"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (json.dumps(HEADER)[:-1] + ', "alg": "EdDSA"}', PAYLOAD),
        (json.dumps(HEADER)[:-1] + ', "alg": "none"}', PAYLOAD),
        (json.dumps(HEADER)[:-1] + ', "\\u0061lg": "EdDSA"}', PAYLOAD),
        (HEADER, json.dumps(PAYLOAD)[:-1] + ', "jti": "KML-9"}'),
        (HEADER, json.dumps(PAYLOAD).replace('"qty": 1', '"qty": 1, "qty": 900')),
    ],
)
def test_a_member_named_twice_is_refused(header: Any, body: Any) -> None:
    """Two readers could read such a token differently, so none may."""
    assert code_of(signed(header, body)) == "not_a_license"


BAD_JSON = [b"", b"[]", b"null", b'"x"', b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 40_000, b'{"a": NaN}', b"{} {}"]


@pytest.mark.parametrize("octets", BAD_JSON, ids=lambda octets: repr(octets[:8]))
def test_parts_that_are_no_json_object_are_refused(octets: bytes) -> None:
    """A header or body that is no JSON object makes the text no license, however well it is signed."""
    assert code_of(signed(octets, PAYLOAD)) == "not_a_license"
    assert code_of(signed(HEADER, octets)) == "not_a_license"


@pytest.mark.parametrize("name", ["iss", "sub", "jti", "iat", "lic"])
@pytest.mark.parametrize("value", [None, [], {}, True, 1.5, "absent"])
def test_signed_claims_that_are_none_of_a_license_are_refused(name: str, value: Any) -> None:
    """Each claim is needed and has its type; a float or a truth value is no number of seconds."""
    body = {member: content for member, content in PAYLOAD.items() if member != name or value != "absent"}
    if value != "absent":
        body[name] = value
    assert code_of(signed(HEADER, body)) == "not_a_license"


@pytest.mark.parametrize("changed", [{"sku": 5}, {"version": None}, {"qty": "1"}, {"qty": True}, {"host": None}])
def test_the_right_has_its_types_too(changed: dict[str, Any]) -> None:
    """What is licensed is checked as the other claims are."""
    assert code_of(signed(HEADER, PAYLOAD | {"lic": PAYLOAD["lic"] | changed})) == "not_a_license"
    assert code_of(signed(HEADER, PAYLOAD | {"exp": "2026"})) == "not_a_license"


def test_every_changed_character_of_a_token_is_noticed() -> None:
    """No single character of a key can be another one: the encoding has no stray bits to play with."""
    for place in range(len(TOKEN)):
        for other in ("A", "z", "-", "=", "."):
            if TOKEN[place] != other:
                assert code_of(TOKEN[:place] + other + TOKEN[place + 1 :]) != "valid", place


@pytest.mark.parametrize(
    "text",
    [
        TOKEN + "=",
        TOKEN + "==",
        f"{HEAD}=.{BODY}.{MARK}",
        f"{HEAD}.{BODY}.{MARK[:-1]}{chr(ord(MARK[-1]) + 1)}",
        f"{HEAD}.{BODY}\n.{MARK}",
        f"{HEAD}. {BODY}.{MARK}",
        f"{HEAD}.{BODY}.{MARK[:20]}\u200b{MARK[20:]}",
        f"{HEAD}.{BODY}.{MARK}".replace("-", "+").replace("_", "/") + "+",
        f"{HEAD}.{BODY}.{MARK}.",
        f"{HEAD}.{BODY}",
        f"{HEAD}.{BODY}.{MARK[:-2]}",
        f"{HEAD}.{BODY}.",
        f"{HEAD}..{MARK}",
        "..",
    ],
)
def test_only_the_canonical_writing_is_a_token(text: str) -> None:
    """Padding, line breaks, the other alphabet, stray bits, missing or further parts are refused."""
    assert code_of(text) in ("not_a_license", "bad_signature")


def test_the_json_serialization_is_no_license_key() -> None:
    """Only the compact form is a license key (RFC 7515 knows a JSON one)."""
    form = {"protected": HEAD, "payload": BODY, "signature": MARK}
    assert code_of(json.dumps(form)) == "not_a_license"


def test_oversized_texts_are_not_looked_at() -> None:
    """A text over the limit is refused, even a well signed one; at the limit it is looked at."""
    long = signed(HEADER, PAYLOAD | {"note": "x" * LONGEST_LICENSE})
    assert len(long) > LONGEST_LICENSE
    assert code_of(long) == "not_a_license"
    assert code_of(TOKEN + " " * (LONGEST_LICENSE - len(TOKEN))) == "valid"
    assert code_of(TOKEN + " " * (LONGEST_LICENSE - len(TOKEN) + 1)) == "not_a_license"


PIECES = st.sampled_from(["", ".", BEGIN, END, "\n", HEAD, BODY, MARK, TOKEN, "=", "\x00", "\ud800", "\ufeff", "é"])


@given(st.text() | st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join))
def test_any_text_gets_a_verdict(text: str) -> None:
    """Nothing that is given to verify raises, and every verdict can be told and printed in both languages."""
    verdict = verify(text, KEYS, now=NOW)
    for language in LANGUAGES:
        assert verdict.sentence(language).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["alg", "typ", "kid", "crit", "iss", "sub", "jti", "iat", "exp", "lic", "x"])


@given(st.dictionaries(NAMES, JSON, max_size=3), st.dictionaries(NAMES, JSON, max_size=3))
def test_any_signed_content_gets_a_verdict(header: dict[str, Any], body: dict[str, Any]) -> None:
    """Whatever JSON stands behind a good signature, verify answers."""
    verdict = verify(signed(HEADER | header, PAYLOAD | body), KEYS, now=NOW)
    assert verdict.sentence("it").encode()


@pytest.mark.parametrize("code", CODES)
def test_every_verdict_has_a_sentence_in_both_languages(code: str) -> None:
    """No placeholder is left, and the two languages differ."""
    english, italian = (Verdict(code, "<4711>").sentence(language) for language in LANGUAGES)
    assert english != italian
    assert "{" not in english + italian
    assert ("<4711>" in english) is ("<4711>" in italian)


def test_no_key_set_knows_no_license() -> None:
    """With an empty key set every license is of an unknown key."""
    verdict = verify(TOKEN, {}, now=NOW)
    assert (verdict.code, verdict.detail) == ("unknown_key", KID)

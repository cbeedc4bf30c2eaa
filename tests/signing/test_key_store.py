"""Private keys at rest: only the right key-encryption key opens them, and only as the key they are."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from signing import key_store
from signing.key_sets import thumbprint
from signing.key_store import BadKeyEncryptionKey, StoredKey, WrongKeyEncryptionKey, key_encryption_key
from tests.signing.samples import KEK, PLAIN

OTHER_KEK = bytes(32)


def test_a_new_key_is_wrapped_and_named_by_its_public_half() -> None:
    """What is stored opens to the private half of the public key that stands beside it."""
    made = key_store.generate(KEK)
    seed = key_store.unwrap(made.wrapped, made.kid, KEK)
    assert Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() == made.public_key
    assert made.kid == thumbprint(made.public_key)
    assert seed not in made.wrapped
    assert key_store.generate(KEK).public_key != made.public_key


def test_the_same_key_is_wrapped_differently_every_time() -> None:
    """Every wrapping has a nonce of its own."""
    assert len({key_store.wrap(bytes(32), "kid", KEK) for _ in range(50)}) == 50


def test_every_changed_bit_is_noticed(stored_key: StoredKey) -> None:
    """A wrapped key with any bit turned, cut short or made longer does not open."""
    wrapped = stored_key.wrapped
    changed = [
        wrapped[:place] + bytes([wrapped[place] ^ 1 << bit]) + wrapped[place + 1 :]
        for place in range(len(wrapped))
        for bit in range(8)
    ]
    for broken in [*changed, *(wrapped[:length] for length in range(len(wrapped))), wrapped + b"\0"]:
        with pytest.raises(WrongKeyEncryptionKey):
            key_store.unwrap(broken, stored_key.kid, KEK)


def test_another_key_or_name_does_not_open_it(stored_key: StoredKey) -> None:
    """Another key-encryption key, one of another length, or another kid: refused with a sentence that helps."""
    for kid, kek in ((stored_key.kid, OTHER_KEK), (stored_key.kid, KEK[:16]), (stored_key.kid, b""), ("other", KEK)):
        with pytest.raises(WrongKeyEncryptionKey, match="keymill keys rotate --lost"):
            key_store.unwrap(stored_key.wrapped, kid, kek)


def test_rewrapping_changes_the_lock_and_not_the_key(stored_key: StoredKey) -> None:
    """Under the new key-encryption key the same key opens; the old one is of no use any more."""
    moved = key_store.rewrap(stored_key, KEK, OTHER_KEK)
    assert (moved.kid, moved.public_key) == (stored_key.kid, stored_key.public_key)
    opened = key_store.unwrap(moved.wrapped, moved.kid, OTHER_KEK)
    assert opened == key_store.unwrap(stored_key.wrapped, stored_key.kid, KEK)
    with pytest.raises(WrongKeyEncryptionKey):
        key_store.unwrap(moved.wrapped, moved.kid, KEK)
    with pytest.raises(WrongKeyEncryptionKey):
        key_store.rewrap(stored_key, OTHER_KEK, KEK)


def test_the_newest_key_signs() -> None:
    """Of keys listed oldest to newest the last one signs; without any there is no signer."""
    keys = [key_store.generate(KEK) for _ in range(3)]
    signer = key_store.newest_signer(keys, KEK, "iss")
    assert signer.kid == keys[-1].kid
    token = signer.sign_many([PLAIN])[0]
    assert token == key_store.newest_signer(keys[2:], KEK, "iss").sign_many([PLAIN])[0]
    with pytest.raises(IndexError):
        key_store.newest_signer([], KEK, "iss")


@given(st.binary(min_size=32, max_size=32))
def test_a_key_encryption_key_is_read_in_every_usual_writing(key: bytes) -> None:
    """The bytes themselves, base64 with either alphabet, padded or not, with the line end of a file."""
    for encoded in (b64encode(key), urlsafe_b64encode(key), b64encode(key).rstrip(b"=")):
        assert key_encryption_key(encoded) == key_encryption_key(encoded.decode()) == key
        assert key_encryption_key(encoded + b"\r\n") == key
    assert key_encryption_key(key) == key


@pytest.mark.parametrize(
    "material",
    ["", "secret", "hunter2" * 8, "é" * 43, b64encode(bytes(range(31))).decode(), b"\xff" * 31, b"", "0" * 64],
)
def test_anything_else_is_refused_with_the_way_to_make_one(material: str | bytes) -> None:
    """A password, another length or a hexadecimal text is no key-encryption key."""
    with pytest.raises(BadKeyEncryptionKey, match="openssl rand -base64 32"):
        key_encryption_key(material)

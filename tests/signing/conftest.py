"""Keys that the signing tests share."""

from __future__ import annotations

import pytest

from signing.key_sets import KeySet, key_set_text, parse_key_set
from signing.key_store import StoredKey, generate, newest_signer
from signing.tokens import Signer
from tests.signing.samples import KEK


@pytest.fixture(scope="session")
def stored_key() -> StoredKey:
    """A signing key as the database holds it."""
    return generate(KEK)


@pytest.fixture(scope="session")
def signer(stored_key: StoredKey) -> Signer:
    """A signer with that key."""
    return newest_signer([stored_key], KEK, "Keymill tests")


@pytest.fixture(scope="session")
def keys(stored_key: StoredKey) -> KeySet:
    """The public keys that check what the signer signs."""
    return parse_key_set(key_set_text([stored_key.public_key]))

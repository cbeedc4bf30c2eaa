"""The signing keys of an installation, in a real database: first key, rotation, change of the key-encryption key."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Engine, text

from jobs import keys
from models import audit, webhooks
from models.database import connect, scalar, transaction
from signing import webhooks as webhook_secrets
from signing.key_sets import parse_key_set
from signing.key_store import WrongKeyEncryptionKey
from signing.verification import verify
from signing.webhooks import UnopenedSecret
from tests.signing.samples import KEK, NOW, PLAIN

NEW_KEK = bytes(32)


def audited(engine: Engine) -> list[tuple[str, str, str]]:
    """(actor, action, subject) of every audit entry, oldest first."""
    with transaction(engine) as connection:
        return [(row[1], row[2], row[3]) for row in reversed(audit.latest(connection, 100))]


@pytest.fixture
def recheck(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Until it is called no signer looks for a rotation, however slow the machine; from then on each one does."""
    monkeypatch.setattr(keys, "RECHECK_SECONDS", 3600.0)
    return lambda: monkeypatch.setattr(keys, "RECHECK_SECONDS", 0.0)


def test_the_first_key_is_made_once(engine: Engine) -> None:
    """The first call makes a key, later ones find it, and the audit log has one entry."""
    kid = keys.ensure_signing_key(engine, KEK, actor="cli")
    assert keys.ensure_signing_key(engine, KEK) == kid
    assert [key.kid for key in keys.list_keys(engine)] == [kid]
    assert audited(engine) == [("cli", "signing_key.add", f"signing key {kid}")]


def test_of_many_callers_at_once_one_makes_the_first_key(database_url: str) -> None:
    """Eight workers that start together on an empty database sign with the same key."""
    engine, start = connect(database_url, pool_size=8), Barrier(8)

    def make(_: int) -> str:
        start.wait()
        return keys.ensure_signing_key(engine, KEK)

    with ThreadPoolExecutor(8) as callers:
        kids = set(callers.map(make, range(8)))
    assert kids == {key.kid for key in keys.list_keys(engine)}
    assert len(kids) == 1
    engine.dispose()


@pytest.mark.usefixtures("recheck")
def test_a_signer_is_kept_and_signs_what_the_published_keys_verify(engine: Engine) -> None:
    """Loading makes the first key, the next load gives the same signer, and its keys are valid by the published set."""
    signer = keys.load_signer(engine, KEK, "Keymill tests")
    assert keys.load_signer(engine, KEK, "Keymill tests") is signer
    published = parse_key_set(keys.public_key_set(engine))
    verdict = verify(signer.sign_many([PLAIN])[0], published, now=NOW)
    assert verdict.valid
    assert verdict.claims["iss"] == "Keymill tests"


def test_a_change_of_issuer_is_heeded_at_once(engine: Engine) -> None:
    """The signer of another issuer is another one, with the same key."""
    first, second = keys.load_signer(engine, KEK, "one"), keys.load_signer(engine, KEK, "two")
    assert first is not second
    assert first.kid == second.kid


def test_a_kept_signer_asks_the_database_only_now_and_then(engine: Engine, recheck: Callable[[], None]) -> None:
    """Until the wait is over a rotation is not looked for; then the new key signs, and it is kept in turn."""
    first = keys.load_signer(engine, KEK, "iss")
    rotated = keys.rotate(engine, KEK)
    assert keys.load_signer(engine, KEK, "iss") is first
    recheck()
    second = keys.load_signer(engine, KEK, "iss")
    assert second.kid == rotated != first.kid
    assert keys.load_signer(engine, KEK, "iss") is second


def test_what_older_keys_signed_stays_valid(engine: Engine) -> None:
    """After two rotations every key verifies, the set lists them oldest to newest, and the newest signs."""
    tokens, kids = [], []
    for _ in range(3):
        kids.append(keys.rotate(engine, KEK, actor="cli"))
        tokens.append(keys.load_signer(engine, KEK, f"issuer {kids[-1]}").sign_many([PLAIN])[0])
    published = keys.public_key_set(engine)
    assert [key["kid"] for key in json.loads(published)["keys"]] == kids
    assert [verify(token, parse_key_set(published), now=NOW).code for token in tokens] == ["valid"] * 3
    assert audited(engine) == [("cli", "signing_key.add", f"signing key {kid}") for kid in kids]


def test_a_new_key_signs_even_when_the_clock_went_back(engine: Engine) -> None:
    """The newest key is the one that was added last, whatever the server's clock said."""
    keys.rotate(engine, KEK)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE signing_keys SET created_at = now() + interval '1 year'"))
    rotated = keys.rotate(engine, KEK)
    assert keys.list_keys(engine)[-1].kid == rotated


def test_the_database_holds_no_private_key_in_clear(engine: Engine) -> None:
    """What a database dump shows of a key is public or encrypted."""
    keys.ensure_signing_key(engine, KEK)
    (stored,) = keys.list_keys(engine)
    assert set(stored.jwk) == {"kty", "crv", "x", "kid", "alg", "use"}
    assert stored.jwk["kid"] == stored.kid
    assert len(stored.wrapped) == 12 + 32 + 16


def test_a_mistaken_key_encryption_key_rotates_nothing(engine: Engine) -> None:
    """Rotating with another key-encryption key is refused and leaves no trace, unless the right one is said lost."""
    first = keys.ensure_signing_key(engine, KEK)
    with pytest.raises(WrongKeyEncryptionKey, match="--lost"):
        keys.rotate(engine, NEW_KEK)
    assert [key.kid for key in keys.list_keys(engine)] == [first]
    second = keys.rotate(engine, NEW_KEK, lost=True)
    assert keys.load_signer(engine, NEW_KEK, "iss").kid == second
    assert set(parse_key_set(keys.public_key_set(engine))) == {first, second}


def test_signing_keys_move_to_another_key_encryption_key(engine: Engine, recheck: Callable[[], None]) -> None:
    """All keys are wrapped anew while a worker signs on with the one it holds; a second run finds nothing to do."""
    kids = tuple(keys.rotate(engine, KEK) for _ in range(2))
    signer = keys.load_signer(engine, KEK, "iss")
    assert keys.rewrap_all(engine, KEK, NEW_KEK, actor="cli") == keys.Rewrapped(kids, ())
    recheck()
    assert keys.load_signer(engine, KEK, "iss") is signer
    assert keys.load_signer(engine, NEW_KEK, "other issuer").kid == kids[-1]
    with pytest.raises(WrongKeyEncryptionKey):
        keys.load_signer(engine, KEK, "third issuer")
    assert keys.rewrap_all(engine, KEK, NEW_KEK) == keys.Rewrapped((), ())
    rewrapped = [("cli", "signing_key.rewrap", f"signing key {kid}") for kid in kids]
    assert audited(engine)[2:] == rewrapped


def test_a_wrong_old_key_encryption_key_moves_nothing(engine: Engine) -> None:
    """All keys or none: when the signing key does not open, nothing is changed."""
    keys.rotate(engine, KEK)
    before = keys.list_keys(engine)
    with pytest.raises(WrongKeyEncryptionKey):
        keys.rewrap_all(engine, bytes([1]) * 32, NEW_KEK)
    assert keys.list_keys(engine) == before


def test_old_keys_that_nothing_opens_are_told_and_left(engine: Engine) -> None:
    """Keys from before a lost key-encryption key only verify; they are named and do not stop the change."""
    lost = keys.rotate(engine, bytes([1]) * 32)
    kept = keys.rotate(engine, KEK, lost=True)
    assert keys.rewrap_all(engine, KEK, NEW_KEK) == keys.Rewrapped((kept,), (lost,))
    assert keys.load_signer(engine, NEW_KEK, "iss").kid == kept


def test_nothing_to_rewrap_is_no_error(engine: Engine) -> None:
    """An installation without keys has none to move."""
    assert keys.rewrap_all(engine, KEK, NEW_KEK) == keys.Rewrapped((), ())
    assert parse_key_set(keys.public_key_set(engine)) == {}


def test_secrets_of_webhooks_are_wrapped_with_the_keys(engine: Engine) -> None:
    """They open under the new key only, once however often it is run; one that nothing opens is counted and left."""
    keys.ensure_signing_key(engine, KEK)
    made = [webhook_secrets.generate(KEK), webhook_secrets.generate(bytes(31) + b"x")]
    with transaction(engine) as connection:
        vendor = scalar(connection, "SELECT id FROM accounts WHERE number = 'VENDOR'")
        endpoint = webhooks.add(connection, vendor, "https://example.com/", None)
        assert endpoint is not None
        for one in made:
            webhooks.add_secret(connection, endpoint, webhooks.Secret(one.name, one.wrapped))
    assert keys.rewrap_all(engine, KEK, NEW_KEK)[2:] == (1, 1)
    assert keys.rewrap_all(engine, KEK, NEW_KEK)[2:] == (0, 1)
    with transaction(engine) as connection:
        stored = {secret.name: secret.wrapped for secret in webhooks.all_secrets(connection)}
    assert stored[made[1].name] == made[1].wrapped
    opened = webhook_secrets.unwrap(stored[made[0].name], made[0].name, NEW_KEK)
    assert opened == webhook_secrets.unwrap(made[0].wrapped, made[0].name, KEK)
    with pytest.raises(UnopenedSecret):
        webhook_secrets.unwrap(stored[made[0].name], made[0].name, KEK)

"""Secrets and signatures of webhooks, against the specification's example and its own library."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from signing import webhooks
from signing.webhooks import SHOWN_PREFIX, UnopenedSecret

KEK = secrets.token_bytes(32)


def test_the_signature_of_the_specification_s_example():
    """Known secret, id, time and body give the known signature."""
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = webhooks.headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_valid_secret_verifies_and_no_other():
    """While two secrets are valid the receiver may have either; one with a third secret, or another body, refuses."""
    made = [webhooks.generate(KEK) for _ in range(3)]
    opened = [webhooks.unwrap(secret.wrapped, secret.name, KEK) for secret in made]
    body = json.dumps({"type": "batch.ended", "data": {"file": "però.csv"}}).encode()
    signed = webhooks.headers(opened[:2], "msg_1", int(datetime.now(UTC).timestamp()), body)
    for secret in made[:2]:
        assert Webhook(secret.shown).verify(body, signed) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(made[2].shown).verify(body, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(made[0].shown).verify(body + b" ", signed)


def test_a_secret_is_kept_like_a_private_key():
    """What is stored does not hold the secret, opens with its own key and under its own name only."""
    made = webhooks.generate(KEK)
    secret = b64decode(made.shown.removeprefix(SHOWN_PREFIX))
    assert len(secret) == webhooks.SECRET_BYTES
    assert secret not in made.wrapped
    assert webhooks.unwrap(made.wrapped, made.name, KEK) == secret
    for wrapped, name, kek in (
        (made.wrapped, made.name, secrets.token_bytes(32)),
        (made.wrapped, "other", KEK),
        (made.wrapped[:-1], made.name, KEK),
    ):
        with pytest.raises(UnopenedSecret, match="keymill webhooks rotate"):
            webhooks.unwrap(wrapped, name, kek)

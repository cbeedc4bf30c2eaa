"""API tokens: told apart from a typo without a look-up, kept as hashes, good until they expire or are revoked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.wiring import App
from jobs import api_tokens
from jobs.refusals import Refused
from models.database import fetch, transaction
from tests.apps import account, one


def test_a_token_is_shown_once_and_kept_as_a_hash(app: App):
    """Nothing in the database is the token, and its list has only the start of it."""
    made = api_tokens.create(app, "VENDOR", "ci", "read", actor="test")
    secret = made["secret"]
    assert secret.startswith("km_") and len(secret) == 45
    assert one(app, "SELECT count(*) FROM api_tokens t WHERE position(%(s)s IN t::text) > 0", s=secret) == 0
    [listed] = api_tokens.listed(app, "VENDOR")
    assert listed["start"] == secret[:10] and "secret" not in listed
    assert listed["last_used"] is None


def test_its_bearer_is_known_and_the_last_use_is_noted(app: App):
    """Account, permission and kinds come back; when and from where stands in the list."""
    account(app, "OEM")
    secret = api_tokens.create(app, "oem", "ci", "submit", actor="test", kinds=["redeem-vouchers"])["secret"]
    found = api_tokens.bearer(app, secret, "192.0.2.7")
    assert found is not None
    assert (found.account_number, found.permission, found.kinds) == ("OEM", "submit", ["redeem-vouchers"])
    [listed] = api_tokens.listed(app, "OEM")
    first = listed["last_used"]
    assert first is not None and listed["last_used_from"] == "192.0.2.7"
    api_tokens.bearer(app, secret, "192.0.2.8")  # within the same minute: not written again
    assert api_tokens.listed(app, "OEM")[0]["last_used"] == first


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now()"])
def test_a_token_that_is_over_is_none(app: App, change: str):
    """Revoked or expired, it lets nobody in."""
    secret = api_tokens.create(app, "VENDOR", "ci", "read", actor="test")["secret"]
    assert api_tokens.bearer(app, secret, "") is not None
    with transaction(app.engine) as connection:
        connection.exec_driver_sql(f"UPDATE api_tokens SET {change}")
    assert api_tokens.bearer(app, secret, "") is None


def test_revoking(app: App):
    """It works twice, not for another account's token, and is audited."""
    account(app, "OEM")
    token = api_tokens.create(app, "VENDOR", "ci", "read", actor="test")["token"]
    with pytest.raises(Refused, match="no token"):
        api_tokens.revoke(app, token, actor="test", account_number="OEM")
    for _ in range(2):
        api_tokens.revoke(app, token, actor="test")
    assert api_tokens.listed(app, None)[0]["state"] == "revoked"
    with transaction(app.engine) as connection:
        actions = [row[0] for row in fetch(connection, "SELECT action FROM audit_log ORDER BY id", {})]
    assert actions == ["token.created", "token.revoked", "token.revoked"]


@given(place=st.integers(0, 44), symbol=st.sampled_from("0123456789ABCDEFabcdef-_ é"))
def test_a_typo_is_known_without_a_look_up(place: int, symbol: str):
    """One changed symbol anywhere breaks the form or the checksum."""
    secret = api_tokens._mint()
    assert api_tokens.is_well_formed(secret)
    changed = secret[:place] + symbol + secret[place + 1 :]
    assert api_tokens.is_well_formed(changed) == (changed == secret)


@pytest.mark.parametrize(
    ("name", "permission", "kinds", "days", "code"),
    [
        ("", "read", None, 1, "bad_name"),
        ("x" * 101, "read", None, 1, "bad_name"),
        ("x", "rule", None, 1, "bad_permission"),
        ("x", "read", None, 0, "bad_days"),
        ("x", "read", None, 732, "bad_days"),
        ("x", "read", ["nonsense"], 1, "unknown_kind"),
    ],
)
def test_what_is_no_token(app: App, name: str, permission: str, kinds: list[str] | None, days: int, code: str):
    """A bad name, permission, kind or term is refused in both languages."""
    with pytest.raises(Refused) as refused:
        api_tokens.create(app, "VENDOR", name, permission, actor="test", kinds=kinds, days=days)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert refused.value.en != refused.value.it

"""Users: added, let in by a password, remembered by a session, suspended."""

from __future__ import annotations

import pytest

from config.wiring import App
from jobs import passwords, users
from jobs.refusals import Refused
from models.database import transaction
from tests.apps import account, one

PASSWORD = "a sentence of mine"


@pytest.fixture
def ada(app: App) -> str:
    """A user of OEM; her e-mail address."""
    account(app, "OEM")
    users.add(app, "OEM", "Ada@example.com", "Ada", "submit", actor="test", password=PASSWORD)
    return "ada@example.com"


def enter(app: App, email: str, password: str = PASSWORD) -> users.Entry:
    """Sign in."""
    return users.sign_in(app, email, password, user_agent="test", address="192.0.2.7")


def test_a_session(app: App, ada: str):
    """The password opens one, in any case of the address; its token is kept as a hash; signing out ends it."""
    entry = enter(app, ada)
    found = users.signed_in(app, entry.token)
    assert found is not None and (found.name, found.permission) == ("Ada", "submit")
    assert users.signed_in(app, entry.token + "x") is None
    assert one(app, "SELECT count(*) FROM sessions s WHERE position(%(t)s IN s::text) > 0", t=entry.token) == 0
    assert one(app, "SELECT count(*) FROM users u WHERE position(%(t)s IN u::text) > 0", t=PASSWORD) == 0
    users.sign_out(app, entry.token)
    assert users.signed_in(app, entry.token) is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sessions SET expires_at = now()",
        "UPDATE users SET state = 'suspended'",
        "UPDATE accounts SET state = 'suspended'",
    ],
)
def test_a_session_ends_with_what_it_stands_on(app: App, ada: str, change: str):
    """Expired, or the user or the account suspended: nobody is signed in."""
    token = enter(app, ada).token
    assert users.signed_in(app, token) is not None
    with transaction(app.engine) as connection:
        connection.exec_driver_sql(change)
    assert users.signed_in(app, token) is None


def test_nobody_learns_what_was_wrong(app: App, ada: str):
    """A wrong password, an unknown user, one without a password and a suspended one are refused with the same words."""
    users.add(app, "OEM", "new@example.com", "New", "read", actor="test")
    users.add(app, "OEM", "out@example.com", "Out", "read", actor="test", password=PASSWORD)
    users.suspend(app, "out@example.com", actor="test")
    told = set()
    for email, password in ((ada, "wrong"), (ada, "x" * 10_000), ("who@example.com", PASSWORD),
                            ("new@example.com", PASSWORD), ("new@example.com", "nobody"),
                            ("out@example.com", PASSWORD)):  # fmt: skip
        with pytest.raises(Refused) as refused:
            enter(app, email, password)
        told.add((refused.value.code, refused.value.en))
    assert len(told) == 1
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'session.refused'") == 6


def test_a_new_password_ends_old_sessions(app: App, ada: str):
    """Whoever was signed in with the old one is signed out."""
    token = enter(app, ada).token
    users.set_password(app, ada, "another sentence", actor="test")
    assert users.signed_in(app, token) is None
    assert enter(app, ada, "another sentence").user.email == "Ada@example.com"


def test_what_is_no_user(app: App, ada: str):
    """An address that is taken or is none, a short password, an unknown account: refused."""
    for email, password, account_number, code in (
        ("ADA@example.com", PASSWORD, "OEM", "user_exists"),
        ("nonsense", PASSWORD, "OEM", "bad_email"),
        ("b@example.com", "short", "OEM", "bad_password"),
        ("b@example.com", PASSWORD, "NONE", "unknown_account"),
    ):
        with pytest.raises(Refused) as refused:
            users.add(app, account_number, email, "B", "read", actor="test", password=password)
        assert refused.value.code == code
    with pytest.raises(Refused, match="no user"):
        users.suspend(app, "who@example.com", actor="test")
    assert [one["email"] for one in users.listed(app, "OEM")] == ["Ada@example.com"]


def test_hashes_are_argon2id_and_made_anew_when_weaker(app: App, ada: str):
    """The parameters stand in the hash; one of weaker parameters is replaced when its owner signs in."""
    from argon2 import PasswordHasher

    assert passwords.hashed(PASSWORD).startswith("$argon2id$")
    assert not PasswordHasher().check_needs_rehash(passwords.NOBODY)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE users SET password_hash = %(h)s", {"h": weak})
    enter(app, ada)
    assert one(app, "SELECT password_hash FROM users") != weak

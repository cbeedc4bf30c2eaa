"""Retention of what doors leave behind: messages, sessions, tokens, uploads; and that an audit misses nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from config.wiring import App
from jobs import api_tokens, endpoints, uploads, users
from models import outbox
from models.database import run, transaction
from models.uploads import Upload
from scheduler import schedules
from storage.objects import StoreUnavailable
from tests.apps import account, one
from tests.tenants import id_of


@pytest.fixture
def app(app: App) -> App:
    """An app with an account and a schedule that keeps everything for 30 days."""
    account(app, "OEM")
    given = {"days": "30", "messages": "30", "sessions": "30", "tokens": "30"}
    schedules.add(
        app, "old", job="retention", expression="0 4 * * 0", time_zone="UTC", missed=None, given=given, actor="me"
    )
    return app


def retain(app: App) -> dict[str, int]:
    """Run the schedule now; what it deleted."""
    told = schedules.run_now(app, "old", actor="me", language="en", ended=threading.Event())
    assert told["state"] == "done", told
    return {name: count for name, count in told["counts"].items() if count}


def change(app: App, query: str, **values: Any) -> None:
    """Let something have happened long ago."""
    with transaction(app.engine) as connection:
        run(connection, query, values)


def test_sessions_that_are_over_go_but_for_the_last_one_of_each_user(app: App):
    """When somebody was seen last stays to be seen; who signed in when stands in the audit log."""
    users.add(app, "OEM", "ann@oem.example", "Ann", "manage", actor="test", password="a long password")
    for _ in range(3):
        users.sign_in(app, "ann@oem.example", "a long password", user_agent="x", address="127.0.0.1")
    assert retain(app) == {}
    change(app, "UPDATE sessions SET expires_at = now() - interval '31 days'")
    seen = users.listed(app, "OEM")[0]["last_seen"]
    assert retain(app) == {"sessions": 2}
    assert users.listed(app, "OEM")[0]["last_seen"] == seen
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'session.started'") == 3


def test_a_session_that_goes_on_stays_however_old(app: App):
    """One that was ended goes by the day of its end."""
    users.add(app, "OEM", "ann@oem.example", "Ann", "manage", actor="test", password="a long password")
    old = users.sign_in(app, "ann@oem.example", "a long password", user_agent="x", address="127.0.0.1")
    users.sign_in(app, "ann@oem.example", "a long password", user_agent="x", address="127.0.0.1")
    change(app, "UPDATE sessions SET created_at = now() - interval '99 days'")
    assert retain(app) == {}
    users.sign_out(app, old.token)
    assert retain(app) == {}
    change(app, "UPDATE sessions SET ended_at = now() - interval '31 days' WHERE ended_at IS NOT NULL")
    assert retain(app) == {"sessions": 1}


def test_messages_go_with_their_deliveries_unless_one_waits(app: App):
    """What waits for a paused webhook is still to be sent, however old."""
    webhook = endpoints.add(app, "OEM", "https://hook.example/", None, actor="test").id
    with transaction(app.engine) as connection:
        for number in range(3):
            outbox.add(connection, id_of(app, "OEM"), "batch.ended", f"batch {number}", {}, mails=False)
    change(app, "UPDATE events SET at = now() - interval '31 days' WHERE subject <> 'batch 2'")
    change(
        app, "UPDATE deliveries SET state = 'delivered' FROM events e WHERE e.id = event_id AND subject <> 'batch 1'"
    )
    assert retain(app) == {"messages": 1}
    left = endpoints.deliveries(app, endpoint_id=webhook, state=None, before=None, limit=9)
    assert [found["subject"] for found in left] == ["batch 2", "batch 1"]


def test_a_token_that_is_deleted_is_remembered_in_the_audit_log(app: App):
    """Entries name tokens by their numbers; whose it was, what it was for and its last use are kept."""
    revoked = api_tokens.create(app, "OEM", "order desk", "submit", actor="ann")
    api_tokens.bearer(app, revoked["secret"], "10.0.0.1")
    for name in ("expired", "fresh"):
        api_tokens.create(app, "OEM", name, "submit", actor="ann")
    api_tokens.revoke(app, revoked["token"], actor="ann")
    assert retain(app) == {}
    change(app, "UPDATE api_tokens SET revoked_at = now() - interval '31 days' WHERE revoked_at IS NOT NULL")
    change(app, "UPDATE api_tokens SET expires_at = now() - interval '31 days' WHERE name = 'expired'")
    assert retain(app) == {"tokens": 2}
    assert [found["name"] for found in api_tokens.listed(app, "OEM")] == ["fresh"]
    kept = one(
        app,
        "SELECT detail FROM audit_log WHERE action = 'token.forgotten' AND subject = %(subject)s",
        subject=f"token {revoked['token']}",
    )
    assert (kept["account"], kept["name"], kept["created_by"]) == ("OEM", "order desk", "ann")
    assert kept["last_used_from"] == "10.0.0.1" and revoked["secret"].startswith(kept["start"])


def announced(app: App, tmp_path: Path) -> Upload:
    """An upload with one piece of two, and one that broke off before it was noted."""
    upload = uploads.start(app, id_of(app, "OEM"), "a.csv", 3 << 20, "0" * 64)
    piece = tmp_path / "piece"
    piece.write_bytes(b"x" * (1 << 20))
    uploads.extend(app, upload, 0, piece)
    app.store.put_file(f"pieces/{upload.id}/{2 << 20}", piece)
    return upload


def test_an_upload_that_was_given_up_goes_with_all_of_its_pieces(app: App, tmp_path: Path):
    """As soon as it has expired; one that goes on stays."""
    for _ in range(11):  # more than are cleared away at once
        announced(app, tmp_path)
    kept = announced(app, tmp_path)
    change(app, "UPDATE uploads SET expires_at = now() - interval '1 second' WHERE id <> %(kept)s", kept=kept.id)
    assert retain(app) == {"uploads": 11}
    assert sorted(app.store.list("pieces/")) == [f"pieces/{kept.id}/{end << 20}" for end in (1, 2)]
    assert uploads.find(app, kept.id).offset == 1 << 20


def test_pieces_that_the_store_keeps_are_not_forgotten(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Where the store is away when another upload is announced, the upload stays on the list and the new one begins."""
    announced(app, tmp_path)
    change(app, "UPDATE uploads SET expires_at = now() - interval '1 second'")

    def away(_names: object) -> None:
        raise StoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(app.store, "delete", away)
        announced(app, tmp_path)
    assert one(app, "SELECT count(*) FROM uploads") == 2
    assert retain(app) == {"uploads": 1}

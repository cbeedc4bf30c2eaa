"""``keymill webhooks`` and ``keymill mails`` on a real database, a real receiver and a real mail server."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner, Result

from cli.main import app as commands
from config.wiring import App
from models.database import run, transaction
from tests.apps import account, one
from tests.receivers import MailServer, Receiver, status
from tests.telling import add_event, deliver_all, receivers, with_settings

Keymill = Callable[..., Result]


@pytest.fixture
def keymill(app: App, monkeypatch: pytest.MonkeyPatch) -> Keymill:
    """A function that runs a command on the app's database, in a laboratory with an OEM."""
    account(app, "OEM")
    for name, value in app.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KEYMILL_KEY_ENCRYPTION_KEY", b64encode(app.kek).decode())
    monkeypatch.setenv("KEYMILL_WEBHOOKS_PRIVATE", "true")
    monkeypatch.setenv("KEYMILL_LANGUAGE", "en")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("KEYMILL_DEBUG", raising=False)
    return lambda *words: CliRunner().invoke(commands, [*map(str, words)])


def document(result: Result) -> Any:
    """The JSON document of a command."""
    return json.loads(result.stdout)


def test_from_adding_to_removing(app: App, keymill: Keymill, receiver: Receiver):
    """Add, test, list, pause, resume, remove; the secret is shown once and verifies."""
    added = document(keymill("webhooks", "add", "OEM", receiver.url, "--type", "batch.ended", "--json"))
    number = added["webhook"]
    assert document(keymill("webhooks", "test", number, "--json")) == {"webhook": number, "status": 204}
    Webhook(added["secret"]).verify(receiver.received[0].body, receiver.received[0].headers)
    [listed] = document(keymill("webhooks", "list", "--account", "OEM", "--json"))["webhooks"]
    assert (listed["url"], listed["types"], listed["state"]) == (receiver.url, ["batch.ended"], "active")
    assert added["secret"] not in keymill("webhooks", "list", "--json").stdout
    for word, state in (("pause", "paused"), ("resume", "active"), ("remove", "removed")):
        assert document(keymill("webhooks", word, number, "--json")) == {"webhook": number, "state": state}
    assert document(keymill("webhooks", "list", "--json"))["webhooks"] == []
    assert keymill("webhooks", "pause", number).exit_code == 1
    actions = "SELECT count(*) FROM audit_log WHERE action LIKE 'webhook.%%' AND actor LIKE 'cli%%'"
    assert one(app, actions) == 5


def test_a_webhook_is_changed(keymill: Keymill, receiver: Receiver):
    """Its address, its types or both; what is not named stays, and so does the secret."""
    added = document(keymill("webhooks", "add", "OEM", receiver.url, "--type", "batch.ended", "--json"))
    number, url = added["webhook"], receiver.url + "/new"
    changed = document(keymill("webhooks", "change", number, "--url", url, "--json"))
    assert changed == {"webhook": number, "url": url, "types": ["batch.ended"]}
    types = ("--type", "batch.previewed", "--type", "batch.ended")
    assert "batch.previewed, batch.ended" in keymill("webhooks", "change", number, *types).stdout
    assert "tutti" in keymill("webhooks", "change", number, "--every-type", "--lang", "it").stdout
    for words in ((), ("--every-type", "--type", "batch.ended")):
        assert keymill("webhooks", "change", number, *words).exit_code == 2
    assert document(keymill("webhooks", "change", 99, "--every-type", "--json"))["refused"] == "unknown_webhook"
    assert keymill("webhooks", "test", number).exit_code == 0
    Webhook(added["secret"]).verify(receiver.received[0].body, receiver.received[0].headers)


def test_rotation_shows_a_new_secret(keymill: Keymill, receiver: Receiver):
    """Both verify until the old one ends."""
    added = document(keymill("webhooks", "add", "OEM", receiver.url, "--json"))
    rotated = document(keymill("webhooks", "rotate", added["webhook"], "--keep-hours", 1, "--json"))
    assert added["secret"] != rotated["secret"]
    assert keymill("webhooks", "test", added["webhook"]).exit_code == 0
    for secret in (added["secret"], rotated["secret"]):
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)


def test_the_log_and_a_replay(app: App, keymill: Keymill, receiver: Receiver):
    """What failed stands in the log with the answer; replayed, it goes out again."""
    number = document(keymill("webhooks", "add", "OEM", receiver.url, "--json"))["webhook"]
    receiver.answer = status(410, b"no longer here")
    add_event(app, "OEM", "batch 7")
    laboratory = with_settings(app, webhooks_private=True)
    deliver_all(laboratory)
    shown = keymill("webhooks", "deliveries").stdout
    assert "batch.ended, batch 7" in shown
    assert "410 no longer here" in shown
    [logged] = document(keymill("webhooks", "deliveries", number, "--state", "failed", "--json"))["deliveries"]
    assert "disabled (It answered 410 Gone.)" in keymill("webhooks", "list").stdout
    assert "disabled (Ha risposto 410 Gone.)" in keymill("webhooks", "list", "--lang", "it").stdout
    [listed] = document(keymill("webhooks", "list", "--json"))["webhooks"]
    assert listed["reason"] == {"code": "gone", "sentence": "It answered 410 Gone."}
    receiver.answer = status(204)
    assert keymill("webhooks", "resume", number).exit_code == 0
    assert document(keymill("webhooks", "replay", logged["id"], "--json")) == {"replayed": 1}
    assert deliver_all(laboratory) == 1
    assert document(keymill("webhooks", "replay", "--webhook", number, "--json")) == {"replayed": 0}
    assert keymill("webhooks", "replay").exit_code == 2
    assert "delivered" in keymill("webhooks", "deliveries", "--account", "OEM", "--lang", "it").stdout


def test_a_test_that_does_not_arrive_says_why(keymill: Keymill, receiver: Receiver):
    """Exit code 1 and the receiver's answer, as a document too."""
    number = document(keymill("webhooks", "add", "OEM", receiver.url, "--json"))["webhook"]
    receiver.answer = status(500, b"broken")
    result = keymill("webhooks", "test", number, "--json")
    assert result.exit_code == 1
    assert document(result)["refused"] == "not_delivered"
    assert "500 broken" in document(result)["sentence"]


def test_mails_are_subscribed_and_stopped(app: App, keymill: Keymill):
    """The account's own address is listed too; stopped ones get nothing."""
    account(app, "OEM", email="own@example.com")
    assert keymill("mails", "subscribe", "OEM", "it@example.com", "--mail-lang", "it").exit_code == 0
    assert keymill("mails", "stop", "OEM", "own@example.com").exit_code == 0
    listed = document(keymill("mails", "list", "--json"))["mails"]
    assert listed == [
        {"account": "OEM", "address": "it@example.com", "types": None, "language": "it", "failed": 0},
        {"account": "OEM", "address": "own@example.com", "types": [], "language": None, "failed": 0},
    ]
    add_event(app, "OEM", "batch 1")
    assert receivers(app) == [("batch.ended", "it@example.com", "it")]
    assert "nessuno" in keymill("mails", "list", "--account", "OEM", "--lang", "it").stdout
    assert "not a mail address" in keymill("mails", "subscribe", "OEM", "nobody").stderr
    assert "batch.ended" in keymill("mails", "subscribe", "OEM", "a@b.it", "--type", "batch.over").stderr


def test_a_test_mail(keymill: Keymill, mail_server: Callable[..., MailServer], monkeypatch: pytest.MonkeyPatch):
    """Without a server it says which setting is missing, with one whether the mail was taken."""
    assert "KEYMILL_SMTP_URL" in keymill("mails", "test", "a@example.com").stderr
    server = mail_server("--rcpt", "550 unknown here")
    monkeypatch.setenv("KEYMILL_SMTP_URL", server.url())
    assert "KEYMILL_MAIL_FROM" in keymill("mails", "test", "a@example.com").stderr
    monkeypatch.setenv("KEYMILL_MAIL_FROM", "keymill@example.com")
    assert "550 unknown here" in keymill("mails", "test", "a@example.com").stderr
    assert keymill("mails", "test", "a@example.com").exit_code == 0
    assert [mail["To"] for mail in server.mails] == ["a@example.com"]


def test_all_failed_mails_of_an_address_are_sent_again(app: App, keymill: Keymill):
    """With the number of them; an address that gets nothing is refused."""
    account(app, "OEM", email="own@example.com")
    for number in range(3):
        add_event(app, "OEM", f"batch {number}")
    with transaction(app.engine) as connection:
        run(connection, "UPDATE deliveries SET state = 'failed' WHERE id > (SELECT min(id) FROM deliveries)", {})
    assert [found["failed"] for found in document(keymill("mails", "list", "--json"))["mails"]] == [2]
    assert document(keymill("mails", "replay", "OEM", "OWN@example.com", "--json")) == {"replayed": 2}
    assert "0 consegne" in keymill("mails", "replay", "OEM", "own@example.com", "--lang", "it").stdout
    assert document(keymill("mails", "replay", "OEM", "no@example.com", "--json"))["refused"] == "unknown_mail"

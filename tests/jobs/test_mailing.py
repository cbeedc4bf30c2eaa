"""Mails to a real SMTP server in a process of its own: encrypted, signed in, refused for now and for good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.embedded_processes import free_port
from config.wiring import App
from jobs import endpoints, mailing
from jobs.refusals import Refused
from models import outbox
from models.database import run, transaction
from tests.apps import account
from tests.receivers import MailServer
from tests.telling import add_event, deliver_all, deliveries, let_time_pass, receivers, with_settings
from tests.tenants import id_of

Start = Callable[..., MailServer]
SENDER = "keymill@example.com"


@pytest.fixture
def oem(app: App) -> None:
    """An OEM in Italy with a mail address."""
    account(app, "OEM", email="anna@example.it", locale="it_IT")


def mailed(app: App, url: str) -> App:
    """The app with a mail server."""
    return with_settings(app, smtp_url=url, mail_from=SENDER)


@pytest.mark.usefixtures("oem")
def test_a_mail_arrives_in_the_language_of_its_account(app: App, mail_server: Start):
    """Italian for an Italian account, as text and HTML, with the counts; the log says what the server said."""
    server = mail_server()
    add_event(app, "OEM", "batch 1")
    assert deliver_all(mailed(app, server.url())) == 1
    [mail] = server.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "anna@example.it", "Lotto completato: list.csv")
    text = mail.get_body(("plain",))
    assert text is not None
    assert "emesse  2" in text.get_content()
    assert [(one["state"], one["status"]) for one in deliveries(app)] == [("delivered", 250)]


@pytest.mark.usefixtures("oem")
def test_a_refusal_for_now_is_tried_again_with_the_same_id(app: App, mail_server: Start):
    """4xx of a receiver, then of the mail: the third attempt arrives."""
    server = mail_server("--rcpt", "450 greylisted", "--data", "451 later")
    add_event(app, "OEM", "batch 1")
    seen = []
    for _ in range(3):
        deliver_all(mailed(app, server.url()))
        seen.append((deliveries(app)[0]["state"], deliveries(app)[0]["status"], deliveries(app)[0]["answer"]))
        let_time_pass(app)
    assert seen == [("waiting", 450, "greylisted"), ("waiting", 451, "later"), ("delivered", 250, "")]
    [mail] = server.mails
    assert mail["Message-ID"].startswith(f"<{deliveries(app)[0]['message_id']}.{deliveries(app)[0]['id']}@")


@pytest.mark.usefixtures("oem")
def test_the_same_mail_sent_twice_has_the_same_id(app: App, mail_server: Start):
    """A replay can be recognized by its Message-ID."""
    server = mail_server()
    add_event(app, "OEM", "batch 1")
    deliver_all(mailed(app, server.url()))
    assert endpoints.replay(app, delivery_id=deliveries(app)[0]["id"], actor="test") == 1
    deliver_all(mailed(app, server.url()))
    first, second = server.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


@pytest.mark.usefixtures("oem")
def test_all_mails_to_an_address_that_failed_are_sent_again(app: App, mail_server: Start):
    """What arrived is not, nor what failed for others; an address that gets nothing is refused."""
    account(app, "OTHER", email="anna@example.it")
    endpoints.subscribe(app, "OEM", "desk@example.it", None, None, actor="test")
    for number in range(3):
        add_event(app, "OEM", f"batch {number}")
    add_event(app, "OTHER", "batch 9")
    with transaction(app.engine) as connection:
        failing = "SELECT id FROM events WHERE subject IN ('batch 1', 'batch 2', 'batch 9')"
        run(connection, f"UPDATE deliveries SET state = 'failed' WHERE event_id IN ({failing})", {})
    server = mail_server()
    assert deliver_all(mailed(app, server.url())) == 2
    assert [found["failed"] for found in endpoints.mails(app, id_of(app, "OEM"))] == [2, 2]
    assert endpoints.replay_mails(app, "OEM", "Anna@example.it", actor="test") == 2
    assert deliver_all(mailed(app, server.url())) == 2
    assert endpoints.replay_mails(app, "OEM", "anna@example.it", actor="test") == 0
    assert [mail["To"] for mail in server.mails[2:]] == ["anna@example.it"] * 2
    assert len({mail["Message-ID"] for mail in server.mails}) == 4
    states = [(found["account"], found["to"], found["state"]) for found in deliveries(app)]
    assert states.count(("OEM", "desk@example.it", "failed")) == 2 and ("OTHER", "anna@example.it", "failed") in states
    endpoints.unsubscribe(app, "OEM", "desk@example.it", actor="test")
    endpoints.unsubscribe(app, "OEM", "anna@example.it", actor="test")
    for address in ("desk@example.it", "anna@example.it"):
        with pytest.raises(Refused, match="no mail"):
            endpoints.replay_mails(app, "OEM", address, actor="test")


@pytest.mark.usefixtures("oem")
@pytest.mark.parametrize("options", [("--rcpt", "550 no such user"), ("--data", "554 not wanted")])
def test_a_refusal_for_good_fails_at_once(options: tuple[str, str], app: App, mail_server: Start):
    """5xx of a receiver or of the mail is not tried again."""
    server = mail_server(*options)
    add_event(app, "OEM", "batch 1")
    deliver_all(mailed(app, server.url()))
    [logged] = deliveries(app)
    assert (logged["state"], f"{logged['status']} {logged['answer']}") == ("failed", options[1])
    assert server.mails == []


def test_an_account_whose_address_is_none_fails_at_once(app: App, mail_server: Start):
    """An address that could add receivers is not sent to."""
    account(app, "OEM", email="anna@example.it\r\nBcc: all@example.it")
    server = mail_server()
    add_event(app, "OEM", "batch 1")
    deliver_all(mailed(app, server.url()))
    assert deliveries(app)[0]["state"] == "failed"
    assert server.mails == []


@pytest.mark.usefixtures("oem")
def test_a_fault_of_ours_is_an_attempt_like_any_other(app: App, mail_server: Start):
    """A letter that cannot be written is told in the log and tried again; the others go out."""
    server = mail_server()
    add_event(app, "OEM", "batch 1")
    add_event(app, "OEM", "batch 2")
    with transaction(app.engine) as connection:
        run(connection, "UPDATE events SET data = '{}' WHERE subject = 'batch 1'", {})
    deliver_all(mailed(app, server.url()))
    assert [(one["state"], one["answer"][:8]) for one in deliveries(app)] == [
        ("waiting", "KeyError"),
        ("delivered", ""),
    ]
    assert len(server.mails) == 1


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's certificate, trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


@pytest.mark.usefixtures("oem")
def test_starttls_and_signing_in(app: App, mail_server: Start, trusted: Path):
    """A server that wants both gets both; the password may hold what a URL has to escape."""
    server = mail_server("--starttls", str(trusted), "--password", "p@ss/word")
    add_event(app, "OEM", "batch 1")
    deliver_all(mailed(app, server.url("smtp+starttls", "keymill:p%40ss%2Fword@")))
    assert len(server.mails) == 1


@pytest.mark.usefixtures("oem")
def test_tls_from_the_start(app: App, mail_server: Start, trusted: Path):
    """``smtps`` speaks TLS before anything else."""
    server = mail_server("--tls", str(trusted))
    add_event(app, "OEM", "batch 1")
    deliver_all(mailed(app, server.url("smtps")))
    assert len(server.mails) == 1


@pytest.mark.usefixtures("oem")
def test_trouble_of_operations_is_tried_again(app: App, mail_server: Start, certificate: Path):
    """A wrong password, TLS that is not there or not trusted, no server: nothing is sent, nothing is lost."""
    signed_in, plain = mail_server("--password", "right"), mail_server()
    encrypted = mail_server("--starttls", str(certificate))
    add_event(app, "OEM", "batch 1")
    for url, status in (
        (signed_in.url("smtp", "keymill:wrong@"), 535),
        (plain.url("smtp+starttls"), None),
        (encrypted.url("smtp+starttls"), None),
        (encrypted.url("smtp"), 530),
        (f"smtp://127.0.0.1:{free_port(None)}", None),
        ("", None),
    ):
        let_time_pass(app)
        deliver_all(mailed(app, url))
        [logged] = deliveries(app)
        assert (logged["state"], logged["status"]) == ("waiting", status), url
        assert logged["answer"], url
    assert signed_in.mails + plain.mails + encrypted.mails == []


@pytest.mark.usefixtures("oem")
def test_a_server_that_hangs_up_is_tried_again(app: App, mail_server: Start):
    """The server's process is killed between two mails; the second arrives when one is back."""
    server = mail_server()
    add_event(app, "OEM", "batch 1")
    deliver_all(mailed(app, server.url()))
    server.stop()
    add_event(app, "OEM", "batch 2")
    deliver_all(mailed(app, server.url()))
    assert [one["state"] for one in deliveries(app)] == ["delivered", "waiting"]
    let_time_pass(app)
    deliver_all(mailed(app, mail_server().url()))
    assert [one["state"] for one in deliveries(app)] == ["delivered", "delivered"]


@pytest.mark.usefixtures("oem")
def test_subscriptions_say_who_gets_what(app: App):
    """Others in their language and of their types; the account's own address, unless a subscription speaks of it."""
    endpoints.subscribe(app, "OEM", "all@example.com", None, "en", actor="test")
    endpoints.subscribe(app, "OEM", "some@example.com", ["statements.closed"], None, actor="test")
    add_event(app, "OEM", "batch 1")
    assert receivers(app) == [
        ("batch.ended", "all@example.com", "en"),
        ("batch.ended", "anna@example.it", "it"),
    ]
    endpoints.subscribe(app, "OEM", "ANNA@example.it", [], None, actor="test")
    endpoints.subscribe(app, "OEM", "all@example.com", [], None, actor="test")
    add_event(app, "OEM", "batch 2", "statements.closed")
    assert receivers(app)[2:] == [("statements.closed", "some@example.com", "it")]


def test_the_language_of_an_account_without_habits_is_the_installation_s(app: App, mail_server: Start):
    """Neither subscription nor locale says one."""
    account(app, "OEM", email="anna@example.it")
    account(app, "US", email="ann@example.com", locale="en_US")
    server = mail_server()
    for number in ("OEM", "US"):
        add_event(app, number, "batch 1")
    deliver_all(with_settings(mailed(app, server.url()), language="it"))
    assert sorted(mail["Subject"] for mail in server.mails) == ["Batch done: list.csv", "Lotto completato: list.csv"]


def test_many_mails_do_not_hold_up_webhooks(app: App):
    """Half of the threads look for webhooks first, the others for mails."""
    account(app, "OEM", email="anna@example.it")
    for number in range(3):
        add_event(app, "OEM", f"batch {number}")
    with transaction(app.engine) as connection:
        run(connection, "UPDATE deliveries SET next_at = now() - interval '1 hour'", {})
    added = endpoints.add(app, "OEM", "https://example.com/", None, actor="test")
    add_event(app, "OEM", "batch 9")
    with transaction(app.engine) as connection:
        first = outbox.claim(connection, webhook_seconds=60, mail_seconds=60)
        second = outbox.claim(connection, webhook_seconds=60, mail_seconds=60, mails_first=True)
    assert first is not None and second is not None
    assert (first.endpoint_id, second.address) == (added.id, "anna@example.it")


def test_a_test_mail_says_whether_mail_works(app: App, mail_server: Start):
    """It arrives; the server's refusal comes back as it is."""
    server = mail_server("--rcpt", "550 unknown")
    settings = mailed(app, server.url()).settings
    assert mailing.send_test(settings, "a@example.com", "en") == (550, "unknown", False)
    assert mailing.send_test(settings, "a@example.com", "it").status == 250
    assert [mail["Subject"] for mail in server.mails] == ["Keymill può inviare posta"]
    assert mailing.send_test(settings, "a@example.com\nb@example.com", "it").status is None

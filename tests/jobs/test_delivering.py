"""Webhooks from the outbox to a real server: signed, tried again, given up, replayed, and never twice at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from http.server import BaseHTTPRequestHandler

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from config.wiring import App, child_environment
from jobs import delivering, endpoints
from jobs.delivering import MOST_ATTEMPTS, WAITS
from jobs.refusals import Refused
from models import outbox
from models.database import run, transaction
from tests.apps import account, one
from tests.receivers import Receiver, status
from tests.telling import add_event, deliver_all, deliveries, let_time_pass, told, with_settings


@pytest.fixture
def lab(app: App) -> App:
    """An app that may call this machine, with an OEM."""
    account(app, "OEM")
    return with_settings(app, webhooks_private=True)


def hook(app: App, receiver: Receiver, *types: str, path: str = "") -> endpoints.Added:
    """An endpoint of the OEM at the receiver."""
    return endpoints.add(app, "OEM", receiver.url + path, types or None, actor="test")


def test_a_message_arrives_signed_and_says_what_happened(lab: App, receiver: Receiver):
    """The independent library verifies it with the secret that was shown; the log says that it was delivered."""
    secret = hook(lab, receiver).secret
    receiver.answer = status(200, b"thanks\x00\x1b")
    add_event(lab, "OEM", "batch 1")
    assert deliver_all(lab) == 1
    [got] = receiver.received
    assert Webhook(secret).verify(got.body, got.headers) == got.told
    assert got.told["type"] == "batch.ended"
    assert got.told["data"]["batch"] == 1
    assert set(got.told) == {"type", "timestamp", "data"}
    assert got.headers["content-type"] == "application/json"
    [logged] = deliveries(lab)
    assert (logged["state"], logged["attempts"], logged["status"]) == ("delivered", 1, 200)
    assert logged["message_id"] == got.headers["webhook-id"]
    assert logged["answer"] == "thanks  "
    assert deliver_all(lab) == 0


def test_only_what_was_asked_for_arrives(lab: App, receiver: Receiver):
    """An endpoint hears of its own types, of its own account."""
    account(lab, "OTHER")
    hook(lab, receiver, "statements.closed")
    add_event(lab, "OEM", "batch 1")
    add_event(lab, "OTHER", "batch 1", "statements.closed")
    add_event(lab, "OEM", "batch 1", "statements.closed")
    assert deliver_all(lab) == 1
    assert [got.told["type"] for got in receiver.received] == ["statements.closed"]


def test_what_failed_is_tried_again_ever_later_with_the_same_id_and_body(lab: App, receiver: Receiver):
    """Ten attempts with the published waits between them, each signed for its own time; then it has failed."""
    secret = hook(lab, receiver).secret
    receiver.answer = status(500, b"out of order")
    add_event(lab, "OEM", "batch 1")
    for number, wait in enumerate(WAITS, 1):
        assert deliver_all(lab) == 1
        [logged] = deliveries(lab)
        assert (logged["state"], logged["attempts"], logged["status"]) == ("waiting", number, 500)
        waits = (logged["next"] - logged["answered"]).total_seconds()
        assert wait <= waits <= wait * (1 + delivering.JITTER) + 1
        let_time_pass(lab)
    assert deliver_all(lab) == 1
    [logged] = deliveries(lab)
    assert (logged["state"], logged["attempts"], logged["answer"]) == ("failed", MOST_ATTEMPTS, "out of order")
    assert len({(got.headers["webhook-id"], got.body) for got in receiver.received}) == 1
    assert len(receiver.received) == MOST_ATTEMPTS
    Webhook(secret).verify(receiver.received[-1].body, receiver.received[-1].headers)


@pytest.mark.parametrize("code", [301, 307, 400, 404, 429, 503])
def test_everything_but_success_is_a_failure(code: int, lab: App, receiver: Receiver):
    """Redirects, refusals and errors alike are tried again."""
    hook(lab, receiver)
    receiver.answer = status(code, location="http://127.0.0.1:1/")
    add_event(lab, "OEM", "batch 1")
    deliver_all(lab)
    assert [(one["state"], one["status"]) for one in deliveries(lab)] == [("waiting", code)]


def test_without_the_laboratory_setting_nothing_goes_to_a_private_address(lab: App, receiver: Receiver):
    """An endpoint that was added is not called once its name leads inside; the log says why."""
    hook(lab, receiver)
    add_event(lab, "OEM", "batch 1")
    deliver_all(with_settings(lab, webhooks_private=False))
    assert receiver.received == []
    assert "no public address" in deliveries(lab)[0]["answer"]


def test_gone_disables_at_once_and_operations_are_told(lab: App, receiver: Receiver):
    """410 is the receiver's wish: what waits fails, new events are not for it, owner and vendor hear of it once."""
    added = hook(lab, receiver)
    receiver.answer = status(410)
    add_event(lab, "OEM", "batch 1")
    add_event(lab, "OEM", "batch 2")
    assert deliver_all(lab) == 1
    add_event(lab, "OEM", "batch 3")
    assert [one["state"] for one in deliveries(lab)] == ["failed", "failed"]
    assert one(lab, "SELECT state FROM webhook_endpoints") == "disabled"
    heard = told(lab, "webhook.disabled")
    assert [number for number, _ in heard] == ["OEM", "VENDOR"]
    assert heard[0][1]["endpoint"] == added.id
    assert heard[0][1]["reason"]["code"] == "gone"
    [italian] = endpoints.listed(lab, language="it")
    assert italian["reason"] == {"code": "gone", "sentence": "Ha risposto 410 Gone."}
    never_tried = endpoints.deliveries(lab, endpoint_id=added.id, state=None, before=None, limit=1, language="it")
    assert never_tried[0]["answer"] == "Il webhook è stato disattivato: Ha risposto 410 Gone."
    with transaction(lab.engine) as connection:
        run(connection, "UPDATE deliveries SET answer = 'said to the version before'", {})
    never_tried = endpoints.deliveries(lab, endpoint_id=added.id, state=None, before=None, limit=1, language="it")
    assert never_tried[0]["answer"] == "said to the version before"


def test_an_endpoint_that_fails_for_days_is_disabled(lab: App, receiver: Receiver):
    """Five days without a success disable; a success in between starts the count anew."""
    hook(lab, receiver)
    receiver.answer = status(500)
    add_event(lab, "OEM", "batch 1")

    def fail_for(days: int) -> None:
        with transaction(lab.engine) as connection:
            since = "UPDATE webhook_endpoints SET failing_since = failing_since - make_interval(days => %(days)s)"
            run(connection, since, {"days": days})
        let_time_pass(lab)
        deliver_all(lab)

    deliver_all(lab)
    fail_for(4)
    assert one(lab, "SELECT state FROM webhook_endpoints") == "active"
    receiver.answer = status(200)
    fail_for(0)
    assert one(lab, "SELECT failing_since FROM webhook_endpoints") is None
    receiver.answer = status(500)
    add_event(lab, "OEM", "batch 2")
    deliver_all(lab)
    fail_for(5)
    assert one(lab, "SELECT state FROM webhook_endpoints") == "disabled"
    assert told(lab, "webhook.disabled")[0][1]["reason"]["code"] == "failing"


def test_a_changed_endpoint_keeps_its_secret_and_its_log(lab: App, receiver: Receiver):
    """What waits goes to the new address, only the new types come; the days of failure were those of the old one."""
    added = hook(lab, receiver, "statements.closed", path="/old")
    receiver.answer = status(500)
    add_event(lab, "OEM", "batch 1", "statements.closed")
    deliver_all(lab)
    endpoints.edit(lab, added.id, {"types": ["batch.ended"]}, actor="test")
    assert one(lab, "SELECT failing_since FROM webhook_endpoints") is not None
    endpoints.edit(lab, added.id, {"url": receiver.url + "/new"}, actor="test")
    assert one(lab, "SELECT failing_since FROM webhook_endpoints") is None
    add_event(lab, "OEM", "batch 2")
    add_event(lab, "OEM", "batch 2", "statements.closed")
    receiver.answer = status(204)
    let_time_pass(lab)
    assert deliver_all(lab) == 2
    assert [(got.path, got.told["type"]) for got in receiver.received] == [
        ("/hook/old", "statements.closed"), ("/hook/new", "statements.closed"), ("/hook/new", "batch.ended"),
    ]  # fmt: skip
    for got in receiver.received:
        Webhook(added.secret).verify(got.body, got.headers)
    assert [(found["state"], found["attempts"]) for found in deliveries(lab)] == [("delivered", 2), ("delivered", 1)]


def test_a_change_is_checked_and_audited(lab: App, receiver: Receiver):
    """An address that is taken, inside or none is refused, an unknown type too; nothing new is no change."""
    added, other = hook(lab, receiver, "batch.ended"), hook(lab, receiver, path="/other")
    changes: list[tuple[endpoints.Changes, str]] = [
        ({"url": receiver.url + "/other"}, "known_webhook"),
        ({"url": "ftp://example.com/"}, "bad_webhook_url"),
        ({"types": ["coffee.ready"]}, "unknown_event_type"),
    ]
    for change, code in changes:
        with pytest.raises(Refused) as refused:
            endpoints.edit(lab, added.id, change, actor="test")
        assert refused.value.code == code
    with pytest.raises(Refused, match="public"):
        private = with_settings(lab, webhooks_private=False)
        endpoints.edit(private, added.id, {"url": "https://127.0.0.1/"}, actor="test")
    endpoints.edit(lab, added.id, {"url": receiver.url, "types": ["batch.ended"]}, actor="test")
    endpoints.edit(lab, added.id, {"types": None}, actor="test")
    endpoints.change(lab, other.id, "removed", actor="test")
    endpoints.edit(lab, added.id, {"url": receiver.url + "/other"}, actor="test")
    with pytest.raises(Refused):
        endpoints.edit(lab, other.id, {"types": None}, actor="test")
    told_of = one(lab, "SELECT jsonb_agg(detail ORDER BY id) FROM audit_log WHERE action = 'webhook.changed'")
    before = {"url": receiver.url, "types": ["batch.ended"]}
    assert told_of == [
        {"url": receiver.url, "types": None, "before": before},
        {"url": receiver.url + "/other", "types": None, "before": before | {"types": None}},
    ]


def test_an_answer_of_the_address_before_does_not_disable(lab: App, receiver: Receiver):
    """410 that comes from where a webhook no longer leads ends that message and nothing else."""
    added = hook(lab, receiver, path="/old")
    add_event(lab, "OEM", "batch 1")

    def gone(handler: BaseHTTPRequestHandler) -> None:
        endpoints.edit(lab, added.id, {"url": receiver.url + "/new"}, actor="test")
        status(410)(handler)

    receiver.answer = gone
    deliver_all(lab)
    assert one(lab, "SELECT state FROM webhook_endpoints") == "active"
    receiver.answer = status(204)
    assert endpoints.replay(lab, endpoint_id=added.id, actor="test") == 1
    assert deliver_all(lab) == 1
    assert [got.path for got in receiver.received] == ["/hook/old", "/hook/new"]


def test_rotation_signs_with_both_secrets_until_the_old_one_ends(lab: App, receiver: Receiver):
    """A receiver with either secret can verify; after the time only the new one signs."""
    added = hook(lab, receiver)
    new = endpoints.rotate(lab, added.id, 24, actor="test")
    add_event(lab, "OEM", "batch 1")
    deliver_all(lab)
    for secret in (added.secret, new):
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)
    with transaction(lab.engine) as connection:
        run(connection, "UPDATE webhook_secrets SET expires_at = now() WHERE expires_at IS NOT NULL", {})
    add_event(lab, "OEM", "batch 2")
    deliver_all(lab)
    Webhook(new).verify(receiver.received[1].body, receiver.received[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(added.secret).verify(receiver.received[1].body, receiver.received[1].headers)
    endpoints.rotate(lab, added.id, 0, actor="test")
    assert one(lab, "SELECT count(*) FROM webhook_secrets") == 1


def test_what_a_paused_endpoint_is_to_get_waits(lab: App, receiver: Receiver):
    """Paused, nothing is sent; resumed, everything; removed, nothing more, and it cannot be replayed."""
    added = hook(lab, receiver)
    endpoints.change(lab, added.id, "paused", actor="test")
    add_event(lab, "OEM", "batch 1")
    assert deliver_all(lab) == 0
    endpoints.change(lab, added.id, "active", actor="test")
    assert deliver_all(lab) == 1
    add_event(lab, "OEM", "batch 2")
    endpoints.change(lab, added.id, "removed", actor="test")
    assert deliver_all(lab) == 0
    assert [one["state"] for one in deliveries(lab)] == ["delivered", "failed"]
    with pytest.raises(Refused):
        endpoints.replay(lab, delivery_id=deliveries(lab)[1]["id"], actor="test")
    assert one(lab, "SELECT count(*) FROM webhook_secrets") == 0
    assert hook(lab, receiver).id != added.id


def test_an_endpoint_that_is_removed_while_a_message_is_on_its_way_gets_nothing_unsigned(lab: App, receiver: Receiver):
    """Its secrets are gone: the claimed message is not sent, and fails."""
    added = hook(lab, receiver)
    add_event(lab, "OEM", "batch 1")
    with transaction(lab.engine) as connection:
        claimed = outbox.claim(connection, webhook_seconds=60, mail_seconds=60)
    assert claimed is not None
    endpoints.change(lab, added.id, "removed", actor="test")
    assert not delivering.deliver(lab, claimed).arrived
    assert receiver.received == []
    assert [one["state"] for one in deliveries(lab)] == ["failed"]


def test_a_replay_sends_the_same_message_again(lab: App, receiver: Receiver):
    """One delivery, delivered or failed, or all of an endpoint that failed; ids stay, attempts count anew."""
    added = hook(lab, receiver)
    receiver.answer = status(500)
    for number in (1, 2):
        add_event(lab, "OEM", f"batch {number}")
    for _ in range(MOST_ATTEMPTS):
        deliver_all(lab)
        let_time_pass(lab)
    assert {one["state"] for one in deliveries(lab)} == {"failed"}
    receiver.answer = status(204)
    assert endpoints.replay(lab, endpoint_id=added.id, actor="test") == 2
    assert deliver_all(lab) == 2
    assert [(one["state"], one["attempts"]) for one in deliveries(lab)] == [("delivered", 1), ("delivered", 1)]
    assert endpoints.replay(lab, delivery_id=deliveries(lab)[0]["id"], actor="test") == 1
    assert deliver_all(lab) == 1
    counts = Counter(got.headers["webhook-id"] for got in receiver.received)
    assert sorted(counts.values()) == [MOST_ATTEMPTS + 1, MOST_ATTEMPTS + 2]
    with pytest.raises(Refused, match="12345"):
        endpoints.replay(lab, delivery_id=12345, actor="test")


def test_one_that_hangs_holds_up_nobody_else(lab: App, receiver: Receiver):
    """While an endpoint has a message under way its others wait, and those of another endpoint do not."""
    hook(lab, receiver, path="/slow")
    add_event(lab, "OEM", "batch 1")
    add_event(lab, "OEM", "batch 2")
    let_go, reached = threading.Event(), threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/slow"):
            reached.set()
            let_go.wait(60)
        status(204)(handler)

    receiver.answer = hang
    thread = threading.Thread(target=delivering.deliver_next, args=(lab,))
    thread.start()
    assert reached.wait(60)
    assert deliver_all(lab) == 0
    hook(lab, receiver, path="/quick")
    add_event(lab, "OEM", "batch 3")
    assert deliver_all(lab) == 1
    [logged] = [one for one in deliveries(lab) if one["attempts"] and one["state"] == "waiting"]
    with pytest.raises(Refused, match="being tried"):
        endpoints.replay(lab, delivery_id=logged["id"], actor="test")
    let_go.set()
    thread.join()
    assert deliver_all(lab) == 2
    assert {one["state"] for one in deliveries(lab)} == {"delivered"}


def test_many_at_work_deliver_each_message_once(lab: App, receiver: Receiver):
    """Eight threads with sixty messages for six endpoints: each arrives exactly once, also mails' half."""
    for number in range(6):
        hook(lab, receiver, path=f"/{number}")
    for number in range(10):
        add_event(lab, "OEM", f"batch {number}")
    ended = threading.Event()
    threads = delivering.start(lab, ended) + delivering.start(lab, ended)
    limit = time.monotonic() + 60
    while len(receiver.received) < 60 and time.monotonic() < limit:
        time.sleep(0.05)
    ended.set()
    delivering.join(lab, threads)
    arrived = Counter((got.path, got.headers["webhook-id"]) for got in receiver.received)
    assert len(arrived) == 60
    assert set(arrived.values()) == {1}
    assert {one["state"] for one in deliveries(lab)} == {"delivered"}


def test_a_process_that_is_killed_while_it_delivers_loses_nothing(lab: App, receiver: Receiver):
    """Killed in the middle of a call: nobody tries it before the lease ends, then it comes with the same id."""
    hook(lab, receiver)
    add_event(lab, "OEM", "batch 1")
    reached, is_dead = threading.Event(), threading.Event()

    def hang(_handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        is_dead.wait(60)

    receiver.answer = hang
    code = (
        "from config.wiring import open_app\nfrom jobs import delivering\n"
        "with open_app() as app: delivering.deliver_next(app)"
    )
    key = {"KEYMILL_KEY_ENCRYPTION_KEY": b64encode(lab.kek).decode()}
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | child_environment(lab) | key)
    assert reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    is_dead.set()
    receiver.answer = status(204)
    assert deliver_all(lab) == 0
    [logged] = deliveries(lab)
    assert (logged["state"], logged["attempts"]) == ("waiting", 1)
    let_time_pass(lab)
    assert deliver_all(lab) == 1
    first, second = receiver.received
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert [(one["state"], one["attempts"]) for one in deliveries(lab)] == [("delivered", 2)]


def test_a_message_that_kills_its_process_ends(lab: App, receiver: Receiver):
    """Attempts are counted before the call: after the last one it fails without another."""
    hook(lab, receiver)
    add_event(lab, "OEM", "batch 1")
    with transaction(lab.engine) as connection:
        run(connection, "UPDATE deliveries SET attempts = %(most)s", {"most": MOST_ATTEMPTS})
    assert deliver_all(lab) == 1
    assert receiver.received == []
    assert deliveries(lab)[0]["state"] == "failed"


def test_a_late_answer_of_a_lost_attempt_changes_nothing(lab: App, receiver: Receiver):
    """A thread that was frozen beyond its lease may not overwrite what the next attempt achieved."""
    hook(lab, receiver)
    add_event(lab, "OEM", "batch 1")

    def slow(handler: BaseHTTPRequestHandler) -> None:
        receiver.answer = status(204)
        let_time_pass(lab)
        deliver_all(lab)
        status(500)(handler)

    receiver.answer = slow
    deliver_all(lab)
    assert len(receiver.received) == 2
    assert [(one["state"], one["status"]) for one in deliveries(lab)] == [("delivered", 204)]


def test_a_test_message_goes_at_once_and_to_that_endpoint_only(lab: App, receiver: Receiver):
    """Whatever types it wants, and while it is paused; the answer comes back."""
    added = hook(lab, receiver, "statements.closed")
    hook(lab, receiver, path="/other")
    endpoints.change(lab, added.id, "paused", actor="test")
    attempt = endpoints.send_test(lab, added.id, actor="test")
    assert (attempt.arrived, attempt.status) == (True, 204)
    [got] = receiver.received
    assert json.loads(got.body)["type"] == "webhook.test"
    receiver.answer = status(500, b"no")
    assert endpoints.send_test(lab, added.id, actor="test").answer == "no"


def test_a_secret_that_does_not_open_sends_nothing_unsigned(lab: App, receiver: Receiver):
    """Under another key-encryption key the attempt fails with a sentence that says what to do."""
    hook(lab, receiver)
    add_event(lab, "OEM", "batch 1")
    deliver_all(App(lab.settings, lab.engine, lab.store, bytes(32)))
    assert receiver.received == []
    assert "keymill webhooks rotate" in deliveries(lab)[0]["answer"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.com/", "bad_webhook_url"),
        ("http://example.com/", "bad_webhook_url"),
        ("https:///x", "bad_webhook_url"),
        ("https://example.com:99999/", "bad_webhook_url"),
        ("https://user:x@example.com/", "bad_webhook_url"),
        ("https://example.com/#part", "bad_webhook_url"),
        ("https://example.com/a b", "bad_webhook_url"),
        ("https://example.com/\r\nx", "bad_webhook_url"),
        ("https://[::1", "bad_webhook_url"),
        ("https://10.0.0.1/", "private_address"),
        ("https://[::1]/", "private_address"),
        ("https://localhost/", "private_address"),
    ],
)
def test_an_address_that_can_never_be_called_is_refused(url: str, code: str, app: App):
    """With a code and a sentence, before anything is stored."""
    account(app, "OEM")
    with pytest.raises(Refused) as refused:
        endpoints.add(app, "OEM", url, None, actor="test")
    assert refused.value.code == code
    assert one(app, "SELECT count(*) FROM webhook_endpoints") == 0


def test_what_cannot_be_is_refused_with_a_sentence(app: App):
    """An unknown account, type or webhook, and the same address twice."""
    account(app, "OEM")
    endpoints.add(app, "OEM", "https://example.com/", ["batch.ended"], actor="test")
    for ask, code in (
        (lambda: endpoints.add(app, "OEM", "https://example.com/", None, actor="test"), "known_webhook"),
        (lambda: endpoints.add(app, "NOBODY", "https://example.com/", None, actor="test"), "unknown_account"),
        (lambda: endpoints.add(app, "OEM", "https://example.org/", ["x.y"], actor="test"), "unknown_event_type"),
        (lambda: endpoints.rotate(app, 99, 1, actor="test"), "unknown_webhook"),
        (lambda: endpoints.subscribe(app, "OEM", "a@b.it\r\nBcc: c@d.it", None, None, actor="test"), "bad_email"),
    ):
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.code == code

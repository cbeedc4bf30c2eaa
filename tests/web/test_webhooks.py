"""An account sees to its webhooks, mails and SSH keys itself, with a token of its own."""

from __future__ import annotations

from typing import Any

import asyncssh
import pytest
from standardwebhooks.webhooks import Webhook

from config.wiring import App
from jobs import delivering, endpoints
from models import audit
from models.database import run, transaction
from tests.apps import account, one
from tests.receivers import Receiver, status
from tests.telling import add_event, deliver_all
from tests.web.conftest import Client

API = "/api/v1"


@pytest.fixture
def changed() -> dict[str, Any]:
    """Webhooks may be called on this machine."""
    return {"webhooks_private": True}


def test_a_webhook_from_its_beginning_to_its_end(app: App, client: Client, receiver: Receiver):
    """Made, tested, paused, resumed, given another secret, removed, by the account itself; all of it is audited."""
    account(app, "OEM")
    oem = client("OEM")
    made = oem.post(f"{API}/webhooks", json={"url": receiver.url, "types": ["batch.ended"]})
    assert made.status_code == 201 and made.json()["secret"].startswith("whsec_"), made.text
    webhook = made.json()["webhook"]
    assert oem.post(f"{API}/webhooks/{webhook}/test").json() == {"arrived": True, "status": 204, "answer": ""}
    assert receiver.received[0].told["type"] == "webhook.test"
    assert oem.post(f"{API}/webhooks/{webhook}/pause").json()["state"] == "paused"
    assert oem.post(f"{API}/webhooks/{webhook}/resume").json()["state"] == "active"
    assert oem.post(f"{API}/webhooks/{webhook}/secret", json={"keep_hours": 0}).json()["secret"].startswith("whsec_")
    (found,) = oem.get(f"{API}/webhooks").json()["webhooks"]
    assert (found["url"], found["types"], "secret" in found) == (receiver.url, ["batch.ended"], False)
    assert oem.delete(f"{API}/webhooks/{webhook}").status_code == 204
    assert oem.get(f"{API}/webhooks").json() == {"webhooks": []}
    assert oem.post(f"{API}/webhooks/{webhook}/test").status_code == 404
    with app.engine.connect() as connection:
        told = [(actor, action) for _, actor, action, _, _ in audit.latest(connection, 20)]
    for action in ("added", "tested", "paused", "active", "rotated", "removed"):
        assert any(one[1] == f"webhook.{action}" and one[0].endswith(" OEM") for one in told), action


def test_a_webhook_is_changed(app: App, client: Client, receiver: Receiver):
    """What is left out stays, null for types is every type; the secret and the deliveries stay."""
    account(app, "OEM")
    oem = client("OEM")
    made = oem.post(f"{API}/webhooks", json={"url": receiver.url, "types": ["batch.ended"]}).json()
    here = f"{API}/webhooks/{made['webhook']}"
    oem.post(f"{here}/test")
    url = receiver.url + "/new"
    for wanted, types in (
        ({"url": url}, ["batch.ended"]), ({"types": ["batch.previewed"]}, ["batch.previewed"]),
        ({}, ["batch.previewed"]), ({"url": None, "types": None}, None),
    ):  # fmt: skip
        changed = oem.patch(here, json=wanted)
        assert changed.status_code == 200, changed.text
        assert (changed.json()["url"], changed.json()["types"]) == (url, types)
    refused: tuple[dict[str, Any], ...] = (
        {"types": []}, {"types": ["coffee.ready"]}, {"url": ""}, {"url": "ftp://oem.example"},
    )  # fmt: skip
    for wrong in refused:
        assert oem.patch(here, json=wrong).status_code == 422, wrong
    assert oem.patch(f"{API}/webhooks/99", json={"types": None}).status_code == 404
    oem.post(f"{here}/test")
    for got in receiver.received:
        Webhook(made["secret"]).verify(got.body, got.headers)
    assert [got.path for got in receiver.received] == ["/hook", "/hook/new"]
    assert len(oem.get(f"{API}/deliveries?webhook={made['webhook']}").json()["deliveries"]) == 2
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'webhook.changed' AND actor LIKE '%% OEM'") == 3


def test_why_it_was_disabled_is_told_in_the_reader_s_language(app: App, client: Client, receiver: Receiver):
    """Of the webhook, with a code, and of what was never sent because of it."""
    account(app, "OEM")
    oem = client("OEM")
    receiver.answer = status(410)
    oem.post(f"{API}/webhooks", json={"url": receiver.url})
    for number in (1, 2):
        add_event(app, "OEM", f"batch {number}")
    deliver_all(app)
    for language, sentence in (("en", "It answered 410 Gone."), ("it", "Ha risposto 410 Gone.")):
        asked = {"Accept-Language": language}
        (found,) = oem.get(f"{API}/webhooks", headers=asked).json()["webhooks"]
        assert (found["state"], found["reason"]) == ("disabled", {"code": "gone", "sentence": sentence})
        told = [one["answer"] for one in oem.get(f"{API}/deliveries", headers=asked).json()["deliveries"]]
        assert any(sentence in (answer or "") for answer in told)


def test_all_mails_that_failed_are_sent_again(app: App, client: Client):
    """Of one address of the account, with the number of them; another account's are not its business."""
    for number in ("OEM", "RIVAL"):
        account(app, number, email="desk@oem.example")
        for batch in range(2):
            add_event(app, number, f"batch {batch}")
    with transaction(app.engine) as connection:
        run(connection, "UPDATE deliveries SET state = 'failed'", {})
    oem, wanted = client("OEM"), {"address": "Desk@oem.example"}
    assert [found["failed"] for found in oem.get(f"{API}/mails").json()["mails"]] == [2]
    assert oem.post(f"{API}/mails/replay", json=wanted).json() == {"replayed": 2}
    assert oem.post(f"{API}/mails/replay", json=wanted).json() == {"replayed": 0}
    assert [found["failed"] for found in oem.get(f"{API}/mails").json()["mails"]] == [0]
    assert one(app, "SELECT count(*) FROM deliveries WHERE state = 'failed'") == 2
    unknown = oem.post(f"{API}/mails/replay", json={"address": "no@oem.example"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_mail")


def test_deliveries_are_read_in_pages_and_sent_again(app: App, client: Client, receiver: Receiver):
    """The log has every attempt and answer; what failed goes out again under the same message id."""
    account(app, "OEM")
    oem = client("OEM")
    receiver.answer = status(410, b"gone")
    webhook = oem.post(f"{API}/webhooks", json={"url": receiver.url}).json()["webhook"]
    for _ in range(3):
        oem.post(f"{API}/webhooks/{webhook}/test")
    page = oem.get(f"{API}/deliveries?limit=2&state=failed&webhook={webhook}").json()
    assert [found["status"] for found in page["deliveries"]] == [410, 410]
    rest = oem.get(f"{API}/deliveries?limit=2&state=failed&before={page['next']}").json()
    assert (len(rest["deliveries"]), rest["next"]) == (1, None)
    receiver.answer = status(204)
    oem.post(f"{API}/webhooks/{webhook}/resume")
    assert oem.post(f"{API}/webhooks/{webhook}/replay").json() == {"replayed": 3}
    while delivering.deliver_next(app):
        pass
    again = oem.get(f"{API}/deliveries").json()["deliveries"]
    sent = [one.headers["webhook-id"] for one in receiver.received]
    assert {found["message_id"] for found in again} == set(sent) and len(sent) == 6
    assert {found["state"] for found in again if found["type"] == "webhook.test"} == {"delivered"}
    assert oem.post(f"{API}/deliveries/{again[0]['delivery']}/replay").json() == {"replayed": 1}


def test_mails_are_subscribed_and_stopped(app: App, client: Client):
    """The last word on an address counts; an address that is none, or one too many, is refused with a sentence."""
    account(app, "OEM")
    oem = client("OEM")
    subscribed = oem.put(f"{API}/mails", json={"address": "desk@oem.example", "types": ["batch.ended"]})
    assert subscribed.json()["mails"][0]["types"] == ["batch.ended"]
    stopped = oem.put(f"{API}/mails", json={"address": "DESK@oem.example", "types": []})
    assert [(found["address"], found["types"]) for found in stopped.json()["mails"]] == [("DESK@oem.example", [])]
    assert oem.get(f"{API}/mails").json() == stopped.json()
    assert oem.put(f"{API}/mails", json={"address": "no address"}).json()["code"] == "bad_email"
    for number in range(endpoints.MOST - 1):
        endpoints.subscribe(app, "OEM", f"{number}@oem.example", None, None, actor="test")
    assert oem.put(f"{API}/mails", json={"address": "more@oem.example"}).json()["code"] == "too_many_receivers"
    assert oem.put(f"{API}/mails", json={"address": "desk@oem.example"}).status_code == 200


def test_ssh_keys_are_added_and_revoked(app: App, client: Client):
    """A key that was revoked stays so; revoking twice is the same as once."""
    account(app, "OEM")
    oem = client("OEM")
    key = asyncssh.generate_private_key("ssh-ed25519", comment="desk").export_public_key().decode()
    added = oem.post(f"{API}/ssh-keys", json={"public_key": key})
    assert (added.status_code, added.json()["comment"]) == (201, "desk"), added.text
    for _ in range(2):
        assert oem.delete(f"{API}/ssh-keys/{added.json()['key']}").status_code == 204
    assert oem.get(f"{API}/ssh-keys").json()["keys"][0]["revoked"] is not None
    assert oem.post(f"{API}/ssh-keys", json={"public_key": key}).json()["code"] == "known_ssh_key"
    assert oem.post(f"{API}/ssh-keys", json={"public_key": "none"}).json()["code"] == "bad_ssh_key"
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'ssh_key.revoke'") == 1


def test_who_may_not_manage_may_not_look(app: App, client: Client):
    """Addresses of webhooks may hold secrets: a token that reads and sends does not see them."""
    account(app, "OEM")
    desk = client("OEM", "submit")
    for path in ("webhooks", "deliveries", "mails", "ssh-keys"):
        assert desk.get(f"{API}/{path}").status_code == 403, path

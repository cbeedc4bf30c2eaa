"""The page of notifications: webhooks, mail addresses and deliveries, form by form, with a receiver that answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from config.wiring import App
from jobs import delivering, endpoints
from models import outbox
from models.database import transaction
from tests.apps import account, one
from tests.receivers import Receiver, status
from tests.tenants import id_of
from tests.web.portal.conftest import Person

Join = Callable[..., str]
Visit = Callable[..., Person]
HERE = "/accounts/OEM/notifications"
LOG = "/operations/deliveries"


@pytest.fixture
def changed() -> dict[str, Any]:
    """Webhooks may be called on this machine."""
    return {"webhooks_private": True}


@pytest.fixture
def ann(app: App, join: Join, visit: Visit) -> Person:
    """A manager of an OEM."""
    account(app, "OEM")
    return visit(join("OEM", "ann@oem.example"))


def tell(app: App, subject: str, number: str = "OEM") -> None:
    """Let something happen to an account."""
    with transaction(app.engine) as connection:
        outbox.add(connection, id_of(app, number), "batch.ended", subject, {}, mails=True)


def shown_once(page: str) -> str:
    """The secret that a page shows this once."""
    found = re.search(r'<input id="made"[^>]* value="(whsec_[^"]+)"', page)
    assert found, page
    return found[1]


def test_a_webhook_is_added_tested_paused_given_a_secret_and_removed(app: App, ann: Person, receiver: Receiver):
    """Secrets are shown once; the test says what was answered; what was removed is not there any more."""
    assert "No webhooks" in ann.get(HERE) and "Nothing was sent yet" in ann.get(HERE)
    added = ann.post(f"{HERE}/webhooks", url=receiver.url, types=["batch.ended"]).text
    assert shown_once(added) not in ann.get(HERE)
    (webhook,) = endpoints.listed(app)
    assert webhook["types"] == ["batch.ended"]
    here = f"{HERE}/webhooks/{webhook['id']}"
    assert "The test message arrived" in ann.post(f"{here}/test").text
    receiver.answer = status(500, b"<b>out of order</b>")
    failed = ann.post(f"{here}/test").text
    assert "did not arrive" in failed and "500 &lt;b&gt;out of order" in failed
    assert shown_once(ann.post(f"{here}/secret").text) != shown_once(added)
    for action, state in (("pause", "paused"), ("resume", "active")):
        ann.post(f"{here}/{action}")
        assert [found["state"] for found in endpoints.listed(app)] == [state]
    assert ann.post(f"{here}/explode").status_code == 404
    assert "Yes, for good" in ann.get(HERE)
    assert "No webhooks" in ann.post(f"{here}/remove").text
    assert ann.post(f"{here}/resume").status_code == 404
    done = one(app, "SELECT array_agg(action ORDER BY id) FROM audit_log WHERE actor = 'user:ann@oem.example'")
    assert [action for action in done if action.startswith("webhook.")] == [
        f"webhook.{action}" for action in ("added", "tested", "tested", "rotated", "paused", "active", "removed")
    ]


def test_a_wrong_address_is_told_and_what_was_typed_is_kept(app: App, ann: Person):
    """Of a webhook and of a mail: the address, what was ticked, the language."""
    answer = ann.post(f"{HERE}/webhooks", url="ftp://oem.example", types=["batch.previewed"])
    assert answer.status_code == 422 and "needs an https address" in answer.text
    assert 'value="ftp://oem.example"' in answer.text and 'value="batch.previewed" checked' in answer.text
    answer = ann.post(f"{HERE}/mails", address="nobody", types=["batch.ended"], language="it")
    assert answer.status_code == 422 and "is not a mail address" in answer.text
    assert 'value="nobody"' in answer.text and 'value="batch.ended" checked' in answer.text
    assert '<option value="it" selected' in answer.text
    unknown = ann.post(f"{HERE}/mails", address="a@oem.example", types=["coffee.ready"])
    assert unknown.status_code == 422 and "coffee.ready" in unknown.text
    assert endpoints.listed(app) == [] and endpoints.mails(app, id_of(app, "OEM")) == []


def test_mail_addresses_are_added_changed_and_removed(app: App, ann: Person):
    """The account's own address is kept as one that gets nothing; any other is forgotten."""
    assert "Nobody gets mail" in ann.get(HERE) and "sends no mail yet" in ann.get(HERE)
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE accounts SET email = 'boss@oem.example' WHERE number = 'OEM'")
    ann.post(f"{HERE}/mails", address="desk@oem.example", types=["batch.ended"], language="it")
    ann.post(f"{HERE}/mails", address="Desk@oem.example", language="en")

    def found() -> list[tuple[Any, ...]]:
        return [(m["address"], m["types"], m["language"]) for m in endpoints.mails(app, id_of(app, "OEM"))]

    assert found() == [("Desk@oem.example", None, "en"), ("boss@oem.example", None, None)]
    ann.post(f"{HERE}/mails/remove", address="desk@oem.example")
    stopped = ann.post(f"{HERE}/mails/remove", address="BOSS@oem.example").text
    assert found() == [("BOSS@oem.example", [], None)] and "Stopped" in stopped
    ann.post(f"{HERE}/mails", address="boss@oem.example")
    assert found() == [("boss@oem.example", None, None)]


def test_deliveries_are_read_in_pages_and_sent_again(app: App, ann: Person, receiver: Receiver):
    """With event, receiver, state and answer in words; one alone or all that failed, under the same message id."""
    webhook = endpoints.add(app, "OEM", receiver.url, None, actor="test").id
    receiver.answer = status(410, b"moved out")
    for number in range(27):
        tell(app, f"batch {number}")
    while delivering.deliver_next(app):
        pass
    page = ann.get(HERE)
    assert "Stopped" in page and "It answered 410 Gone. Nothing is sent there any more." in page
    assert page.count("Send again</button>") == 25
    (following,) = re.findall(r'href="([^"]+)" rel="next"', page)
    last = ann.get(following.replace("&amp;", "&"))
    assert 'href="/batches/0"' in last and "Refused (410)" in last and "moved out" in last
    assert "Nothing matches" in ann.get(f"{HERE}?state=delivered")
    receiver.answer = status(204)
    ann.post(f"{HERE}/webhooks/{webhook}/resume")
    delivery = one(app, "SELECT min(id) FROM deliveries")
    assert "To be sent again: 1" in ann.post(f"{HERE}/deliveries/{delivery}/replay").text
    assert "To be sent again: 26" in ann.post(f"{HERE}/webhooks/{webhook}/replay").text
    while delivering.deliver_next(app):
        pass
    assert "Taken (204)" in ann.get(f"{HERE}?state=delivered")
    assert receiver.received[0].headers["webhook-id"] in {r.headers["webhook-id"] for r in receiver.received[1:]}
    assert ann.post(f"{HERE}/deliveries/{2**62}/replay").status_code == 404
    assert ann.post(f"{HERE}/deliveries/{2**65}/replay").status_code == 404


def test_a_webhook_is_changed_on_the_page(app: App, ann: Person, receiver: Receiver):
    """Its form shows what it is; what is refused is shown again as it was typed; none ticked is every event."""
    added = endpoints.add(app, "OEM", receiver.url, ["batch.ended"], actor="test")
    here = f"{HERE}/webhooks/{added.id}/change"
    form = ann.get(HERE).partition(f'action="{here}"')[2].partition("</form>")[0]
    assert f'value="{receiver.url}"' in form and form.count(" checked") == 1
    assert 'value="batch.ended" checked' in form
    refused = ann.post(here, url="ftp://oem.example", types=["batch.previewed"])
    assert refused.status_code == 422 and "needs an https address" in refused.text
    form = refused.text.partition(f'action="{here}"')[2].partition("</form>")[0]
    assert 'value="ftp://oem.example"' in form and 'value="batch.previewed" checked' in form
    assert "<details open>" in refused.text and 'id="url" name="url" type="url" required' in refused.text
    ann.post(here, url=receiver.url + "/new", types=["batch.previewed", "statements.closed"])
    (webhook,) = endpoints.listed(app)
    assert (webhook["url"], webhook["types"]) == (receiver.url + "/new", ["batch.previewed", "statements.closed"])
    ann.post(here, url=receiver.url + "/new")
    assert endpoints.listed(app)[0]["types"] is None
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'webhook.changed' AND actor LIKE 'user:ann%%'") == 2


def test_failed_mails_of_an_address_are_sent_again_at_once(app: App, ann: Person):
    """With a button where there are any, not where the address gets nothing any more."""
    endpoints.subscribe(app, "OEM", "desk@oem.example", None, None, actor="test")
    for number in range(3):
        tell(app, f"batch {number}")
    here = f"{HERE}/mails/replay"
    assert here not in ann.get(HERE)
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'failed'")
    page = ann.get(HERE)
    assert "3 failed" in page and here in page
    assert "To be sent again: 3" in ann.post(here, address="desk@oem.example").text
    assert here not in ann.get(HERE)
    assert ann.post(here, address="nobody@oem.example").status_code == 422


def test_why_it_was_stopped_is_told_in_italian(app: App, ann: Person, visit: Visit, join: Join, receiver: Receiver):
    """Of the webhook and of what was not sent because of it."""
    endpoints.add(app, "OEM", receiver.url, None, actor="test")
    receiver.answer = status(410)
    for number in (1, 2):
        tell(app, f"batch {number}")
    while delivering.deliver_next(app):
        pass
    page = visit(join("OEM", "ugo@oem.example", locale="it"), language="it").get(HERE)
    assert "Ha risposto 410 Gone. Non vi si invia più nulla." in page
    assert "Il webhook è stato disattivato: Ha risposto 410 Gone." in page


def test_of_a_webhook_that_was_removed_nothing_is_sent_again(app: App, ann: Person):
    """Its messages stay in the log, without a button."""
    webhook = endpoints.add(app, "OEM", "https://hook.example/", None, actor="test").id
    tell(app, "batch 1")
    page = ann.post(f"{HERE}/webhooks/{webhook}/remove").text
    assert "https://hook.example/" in page and "/replay" not in page
    refused = ann.post(f"{HERE}/deliveries/{one(app, 'SELECT id FROM deliveries')}/replay")
    assert refused.status_code == 422 and "its webhook was removed" in refused.text


def test_another_account_finds_none_of_it_on_its_own_page(app: App, ann: Person, join: Join, visit: Visit):
    """Numbers of another's webhooks and deliveries lead nowhere, also below one's own address."""
    account(app, "RIVAL")
    webhook = endpoints.add(app, "OEM", "https://hook.example/of-oem", None, actor="test").id
    tell(app, "batch 1")
    delivery = one(app, "SELECT id FROM deliveries")
    eve = visit(join("RIVAL", "eve@rival.example"))
    assert "of-oem" not in eve.get("/accounts/RIVAL/notifications")
    for action in ("change", "pause", "resume", "secret", "test", "replay", "remove"):
        assert eve.post(f"/accounts/RIVAL/notifications/webhooks/{webhook}/{action}").status_code == 404, action
    assert eve.post(f"/accounts/RIVAL/notifications/deliveries/{delivery}/replay").status_code == 404
    assert [found["state"] for found in endpoints.listed(app)] == ["active"]
    did = "SELECT count(*) FROM audit_log WHERE actor = 'user:eve@rival.example' AND action NOT LIKE 'session.%%'"
    assert one(app, did) == 0


def test_operators_see_what_failed_of_every_account(app: App, ann: Person, join: Join, visit: Visit):
    """And send it again; the vendor has a page of its own like everybody; who may not manage sees no addresses."""
    endpoints.add(app, "OEM", "https://hook.example/of-oem", None, actor="test")
    tell(app, "batch 1")
    ops = visit(join("VENDOR", "ops@k.example"))
    assert "Nothing has failed" in ops.get(LOG) and "of-oem" in ops.get(f"{LOG}?state=")
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'failed'")
    page = ops.get(LOG)
    assert "https://hook.example/of-oem" in page and 'href="/accounts/OEM/notifications"' in page
    delivery = one(app, "SELECT id FROM deliveries")
    assert "To be sent again: 1" in ops.post(f"{LOG}/{delivery}/replay").text
    assert one(app, "SELECT state FROM deliveries") == "waiting"
    assert "Schedule failed" in ops.get("/accounts/VENDOR/notifications")
    assert "Schedule failed" not in ann.get(HERE)
    assert 'href="/accounts/VENDOR/notifications"' in ops.get("/batches")
    looker = visit(join("VENDOR", "look@k.example", "read"))
    looker.get(LOG, 403)
    assert LOG not in looker.get("/operations")

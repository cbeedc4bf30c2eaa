"""The pages of operations, form by form: keys, paused kinds, what is cancelled or tried again, what was parked."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from config.wiring import App
from jobs import keys
from models.database import transaction
from tests.apps import Submit, account, answers, licensed, one, product, state
from tests.web.portal.conftest import Person

Join = Callable[..., str]
Visit = Callable[..., Person]
Drive = Callable[[], None]
PRODUCTS = "Product;Name\nP;P\n"


@pytest.fixture
def ops(join: Join, visit: Visit) -> Person:
    """An operator."""
    return visit(join("VENDOR", "ops@k.example"))


def test_the_signing_key_is_rotated(app: App, ops: Person, submit: Submit, monkeypatch: pytest.MonkeyPatch):
    """The new key signs as soon as workers look for it, the old one stays to verify with."""
    monkeypatch.setattr(keys, "RECHECK_SECONDS", 0.0)
    account(app, "ACME", "customer")
    product(app, "P")
    numbers = licensed(app, submit, "ACME", "S-1;P;2;5;36")
    (old,) = keys.list_keys(app.engine)
    assert old.kid in ops.get("/operations/keys")
    ops.post("/operations/keys")
    page = ops.get("/operations/keys")
    (new,) = (key for key in keys.list_keys(app.engine) if key.kid != old.kid)
    assert page.index(new.kid) < page.index(">Signs<") < page.index(old.kid) < page.index(">Verifies<")
    numbers += licensed(app, submit, "ACME", "S-2;P;2;5;36")
    signed = [one(app, "SELECT key FROM licenses WHERE number = %(number)s", number=number) for number in numbers]
    assert [json.loads(urlsafe_b64decode(key.split(".")[0] + "=="))["kid"] for key in signed] == [old.kid, new.kid]


def test_a_kind_is_paused_and_goes_on(app: App, ops: Person, submit: Submit, drive: Drive):
    """Its batches wait and the page says why; there must be such a kind."""
    ops.post("/operations/kinds", kind="load-products", action="pause")
    batch = submit(PRODUCTS, "load-products", "VENDOR")
    assert state(app, batch) == "received" and "This kind is paused" in ops.get("/operations")
    ops.post("/operations/kinds", kind="load-products", action="resume")
    drive()
    assert state(app, batch) == "done" and "This kind is paused" not in ops.get("/operations")
    assert ops.post("/operations/kinds", kind="load-horses", action="pause").status_code == 422


def test_many_are_cancelled_at_once_and_what_cannot_be_is_told(app: App, ops: Person, submit: Submit, drive: Drive):
    """The list can be narrowed down before, by account and state."""
    waiting = [submit(f"Product;Name\nP{n};P\n", "load-products", "VENDOR", confirm="ask") for n in range(2)]
    done = submit(PRODUCTS, "load-products", "VENDOR")
    assert f'value="{waiting[0]}"' in ops.get("/operations?account=VENDOR&state=previewed")
    assert "Nothing matches" in ops.get("/operations?state=running")
    told = ops.post("/operations/batches", batch=[*waiting, done, "x"], action="cancel")
    drive()
    assert told.status_code == 422 and f"atch {done}" in told.text
    assert [state(app, batch) for batch in waiting] == ["cancelled"] * 2


def test_what_failed_three_times_is_shown_and_tried_again(
    app: App, ops: Person, submit: Submit, drive: Drive, tmp_path: Path
):
    """With its reason; once the cause is gone the batch ends as if nothing had been."""
    batch = submit(PRODUCTS, "load-products", "VENDOR", work=False)
    upload = next((tmp_path / "store" / "uploads").rglob("*/*"))
    kept = upload.read_bytes()
    upload.unlink()
    for _ in range(app.settings.attempts + 1):
        drive()
        with transaction(app.engine) as connection:
            connection.exec_driver_sql("UPDATE chunks SET available_at = clock_timestamp() WHERE state = 'waiting'")
    page = ops.get("/operations")
    reason = one(app, "SELECT reason FROM chunks WHERE state = 'parked'")
    assert "Parked after three failures" in page and reason.split(":")[0] in page
    assert "Set aside after three failures" in ops.get(f"/batches/{batch}")
    upload.write_bytes(kept)
    ops.post("/operations/batches", batch=[batch], action="retry")
    drive()
    assert [answer.code for answer in answers(app, batch)] == ["created"]
    assert "Parked after three failures" not in ops.get("/operations")
    told = ops.post("/operations/batches", batch=[batch], action="retry")
    assert told.status_code == 422 and "no step" in told.text


def test_the_audit_log_is_searched(ops: Person):
    """By who, what and about what; the operator's own doings stand in it."""
    ops.post("/operations/kinds", kind="load-products", action="pause")
    assert "kind.paused" in ops.get("/operations/audit?actor=ops&action=kind&subject=load-products")
    assert "Nothing matches" in ops.get("/operations/audit?actor=nobody")


def test_who_may_not_manage_looks_only(app: App, join: Join, visit: Visit):
    """Rotating, pausing kinds and drops, schedules: 403, and nothing has changed."""
    helper = visit(join("VENDOR", "ted@k.example", "submit"))
    forms = {
        "/operations/keys": {},
        "/operations/kinds": {"kind": "load-products", "action": "pause"},
        "/operations/drops": {"name": "x"},
        "/operations/drops/x": {"action": "remove"},
        "/schedules": {"name": "x"},
        "/schedules/x/run": {},
    }
    for address, fields in forms.items():
        assert helper.post(address, **fields).status_code == 403, address
    assert one(app, "SELECT count(*) FROM audit_log WHERE actor LIKE '%%ted%%' AND action NOT LIKE 'session%%'") == 0

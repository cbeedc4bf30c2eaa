"""Schedules that hand in batches: reconciliation and notices, once for a due time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.wiring import App
from models.database import fetch, run, transaction
from scheduler import planning, running, schedules
from tests.apps import account, licensed, maintain, one, outcome_codes, product, state
from tests.scheduler.test_running import quick

Submit = Callable[..., int]
TODAY = datetime.now(UTC).date()
TERMS = "Contract;Customer number;Product;Quantity;Term start;Term (months);Time zone\n"


def add(app: App, job: str, **given: str) -> None:
    """A schedule of a job, named like it."""
    schedules.add(app, job, job=job, expression="0 2 * * *", time_zone="UTC", missed=None, given=given, actor="me")


def run_now(app: App, job: str) -> dict[str, Any]:
    """What a run of a schedule does, now."""
    return schedules.run_now(app, job, actor="me", language="en", ended=threading.Event())


@pytest.fixture
def contracts(app: App, submit: Submit) -> None:
    """Lines that began long ago, yesterday, today; one whose term is over; and one in a zone where it is earlier."""
    account(app, "ACME", "customer")
    for sku in ("CAD", "PLM", "NEW", "OLD", "PAGO"):
        product(app, sku)
    rows = (
        f"FC-1;ACME;CAD;10;{TODAY - timedelta(40)};12;UTC",
        f"FC-1;ACME;PLM;10;{TODAY - timedelta(1)};12;UTC",
        f"FC-1;ACME;NEW;10;{TODAY};12;UTC",
        f"FC-2;ACME;OLD;10;{TODAY - timedelta(400)};12;UTC",
        f"FC-3;ACME;PAGO;10;{TODAY - timedelta(400)};24;Pacific/Pago_Pago",
    )
    assert set(outcome_codes(app, submit(TERMS + "\n".join(rows), "load-contracts", "VENDOR"))) == {"created"}


def test_every_open_contract_is_reconciled_up_to_yesterday(app: App, contracts: None, drive: Callable[[], None]):
    """A row for each contract with a line that has begun, the day before in its zone; then without the closed one."""
    add(app, "reconcile-contracts")
    told = run_now(app, "reconcile-contracts")
    assert (told["state"], told["did"], told["batch_state"]) == ("done", "3 contracts", "received")
    drive()
    assert set(outcome_codes(app, told["batch"])) == {"reconciled"}
    with app.engine.connect() as connection:
        found = fetch(connection, "SELECT kind, filename, options FROM batches WHERE id = %(b)s", {"b": told["batch"]})
        at = fetch(connection, "SELECT due_at AT TIME ZONE 'Pacific/Pago_Pago' FROM schedule_runs", {})[0][0]
        days = fetch(
            connection,
            "SELECT p.sku, max(s.until) FROM statements s JOIN contract_lines n ON n.id = s.line_id"
            " JOIN products p ON p.id = n.product_id GROUP BY p.sku ORDER BY p.sku",
            {},
        )
    assert found[0][0] == "reconcile-contracts" and found[0][2]["confirm"] == "auto"
    yesterday, over = TODAY - timedelta(1), dict(days)["OLD"]
    assert over < yesterday
    assert dict(days) == {"CAD": yesterday, "PLM": yesterday, "OLD": over, "PAGO": at.date() - timedelta(1)}
    again = run_now(app, "reconcile-contracts")
    assert again["did"] == "2 contracts" and again["batch"] != told["batch"]
    (first, _) = schedules.history(app, "reconcile-contracts", 2, "en")[::-1]
    assert first["batch_state"] == "done"


def test_what_comes_late_brings_a_closed_contract_back(
    app: App, submit: Submit, contracts: None, drive: Callable[[], None]
) -> None:
    """A report or an amendment of a line whose term is over is counted by the next night, and once."""
    add(app, "reconcile-contracts")
    run_now(app, "reconcile-contracts")
    drive()
    day = TODAY - timedelta(300)
    submit(f"Contract;Product;Date;Quantity\nFC-2;OLD;{day};25\n", "report-usage", "ACME")
    assert run_now(app, "reconcile-contracts")["did"] == "3 contracts"
    drive()
    amendment = f"Contract;Customer number;Product;Quantity;Effective from\nFC-2;ACME;OLD;20;{day}\n"
    assert outcome_codes(app, submit(amendment, "load-contracts", "VENDOR")) == ["amended"]
    assert run_now(app, "reconcile-contracts")["did"] == "3 contracts"
    drive()
    assert run_now(app, "reconcile-contracts")["did"] == "2 contracts"


def test_the_habits_of_the_vendors_files_do_not_matter(app: App, contracts: None, drive: Callable[[], None]):
    """An account that sends UTF-16 with tabs and Italian dates has its schedules read all the same."""
    with transaction(app.engine) as connection:
        habits = "separator = 'tab', encoding = 'utf-16', locale = 'it_IT'"
        run(connection, f"UPDATE accounts SET {habits} WHERE number = 'VENDOR'", {})
    add(app, "reconcile-contracts")
    told = run_now(app, "reconcile-contracts")
    drive()
    assert outcome_codes(app, told["batch"]) == ["reconciled"] * 3


def test_a_due_time_makes_one_batch_however_often_it_is_tried(app: App, contracts: None, drive: Callable[[], None]):
    """A scheduler that died after it handed the batch in: the next one finds it, also when its rows would be others."""
    quick(app, lease_seconds=0.05, heartbeat_seconds=60.0)
    add(app, "reconcile-contracts")
    with transaction(app.engine) as connection:
        run(connection, "UPDATE schedules SET next_at = date_trunc('second', now())", {})
    planning.plan_due(app)
    first = running.claim(app, "one")
    assert first is not None
    threading.Event().wait(0.1)
    running.release_lost(app)
    quick(app, lease_seconds=25.0)
    second = running.claim(app, "two")
    assert second is not None
    running.work_off(app, second, threading.Event())
    drive()  # closes a line: the rows of the same due time would be others now
    with transaction(app.engine) as connection:  # as if it had not come to writing down that it was done
        run(connection, "UPDATE schedule_runs SET state = 'due', batch_id = NULL", {})
    third = running.claim(app, "three")
    assert third is not None
    running.work_off(app, third, threading.Event())
    assert one(app, "SELECT count(*) FROM batches WHERE kind = 'reconcile-contracts'") == 1
    (told,) = schedules.history(app, "reconcile-contracts", 1, "en")
    assert told["state"] == "done" and state(app, told["batch"]) == "done"


def test_nothing_to_do_makes_no_batch(app: App):
    """No contracts and no releases: done, with a count of nothing."""
    for job, did in (("reconcile-contracts", "0 contracts"), ("notify-upgrades", "0 releases")):
        add(app, job)
        told = run_now(app, job)
        assert (told["state"], told["did"], told["batch"]) == ("done", did, None)


def test_owners_are_notified_of_each_release_that_is_due(app: App, submit: Submit, drive: Callable[[], None]):
    """A row for a release that is out and has somebody to notify; afterwards there is nobody left."""
    account(app, "MINE", "customer")
    releases = (
        "Product;Name;Version;Release date;Upgrade from",
        "SUITE;Suite;3.0;2020-01-01;",
        "SUITE;Suite;5.0;2022-01-01;SUITE@3.0",
        "SUITE;Suite;6.0;2022-06-01;",
        "SUITE;Suite;7.0;2099-01-01;SUITE@5.0",
    )
    submit("\n".join(releases), "load-products", "VENDOR")
    licensed(app, submit, "MINE", "CERT-001;SUITE;3.0;2;12")
    with transaction(app.engine) as connection:
        maintain(connection, "2020-01-01", "2029-12-31")
    add(app, "notify-upgrades")
    told = run_now(app, "notify-upgrades")
    drive()
    assert told["did"] == "1 releases"
    assert outcome_codes(app, told["batch"]) == ["notified"]
    assert run_now(app, "notify-upgrades")["batch"] is None


def test_the_vendor_account_is_named_where_there_are_several(app: App, contracts: None):
    """Two vendors: refused with a sentence that names both; with the argument it is that one's batch."""
    quick(app, attempts=1)
    account(app, "VENDOR2", "vendor")
    add(app, "reconcile-contracts")
    told = run_now(app, "reconcile-contracts")
    assert told["reason"]["code"] == "which_vendor" and "VENDOR, VENDOR2" in told["reason"]["sentence"]
    schedules.remove(app, "reconcile-contracts", actor="me")
    add(app, "reconcile-contracts", account="VENDOR2")
    told = run_now(app, "reconcile-contracts")
    query = "SELECT a.number FROM batches b JOIN accounts a ON a.id = b.account_id WHERE b.id = %(id)s"
    assert one(app, query, id=told["batch"]) == "VENDOR2"


def test_the_revocation_list_is_published(app: App):
    """The list lies in the store after the run."""
    add(app, "publish-revocations")
    assert run_now(app, "publish-revocations")["did"] == "0 licenses on the list"
    assert app.store.exists("revocations/revocations.jwt")

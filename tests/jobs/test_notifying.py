"""What accounts are told of batches: by events that are written once, with what they tell of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from datetime import date

import pytest

from config.wiring import App, child_environment
from jobs import control, notifying, pipeline
from models import outbox
from models.database import fetch, run, scalar, transaction
from tests.apps import account, licensed, maintain, one, outcome_codes, product, state
from tests.telling import receivers, told, with_settings

Submit = Callable[..., int]
CONTRACTS = (
    "Contract;Customer number;Product;Quantity;Unit price;Currency;Term start;Term (months);Period;"
    "Report every (days);Policy\n"
)


def mint(submit: Submit, count: object = 2, **options: object) -> int:
    """Order voucher codes for the OEM: the batch's id."""
    return submit(f"OEM;Product;Count\nOEM;P;{count}\nOEM;NONE;1\n", "mint-vouchers", "VENDOR", **options)


@pytest.fixture
def shop(app: App) -> None:
    """An OEM and a product."""
    account(app, "OEM")
    product(app, "P")


@pytest.mark.usefixtures("shop")
def test_a_preview_and_an_end_are_told_once_each(app: App, submit: Submit, drive: Callable[[], None]):
    """With counts, codes and links, and nothing that is a key or a code."""
    batch_id = mint(submit, confirm="ask")
    [(number, data)] = told(app, "batch.previewed")
    page = f"http://localhost:8000/batches/{batch_id}"
    api = f"http://localhost:8000/api/v1/batches/{batch_id}"
    expected = {
        "batch": batch_id, "kind": "mint-vouchers", "file": "list.csv", "state": "previewed", "rows": 2,
        "codes": {"minted": 1, "unknown_product": 1}, "reason": None,
        "outcomes": {"issued": 1, "unchanged": 0, "accepted": 0, "rejected": 1, "skipped": 0},
        "links": {"page": page, "batch": api, "results": f"{api}/results"},
    }  # fmt: skip
    assert (number, data) == ("VENDOR", expected)
    assert told(app, "batch.ended") == []
    control.confirm(app, batch_id, actor="test")
    drive()
    drive()
    assert told(app, "batch.ended") == [("VENDOR", expected | {"state": "done"})]
    assert len(told(app, "batch.previewed")) == 1


@pytest.mark.usefixtures("shop")
def test_every_end_is_told(app: App, submit: Submit, drive: Callable[[], None]):
    """A file that is none, a batch that is cancelled before and after it was read: state and reason in both tongues."""
    refused = submit(b"\x00\x01", "mint-vouchers", "VENDOR")
    unread = mint(submit, work=False)
    control.cancel(app, unread, actor="test")
    drive()
    waiting = mint(submit, confirm="ask")
    control.cancel(app, waiting, actor="test")
    drive()
    ends = {data["batch"]: data for _, data in told(app, "batch.ended")}
    assert {batch: data["state"] for batch, data in ends.items()} == {
        refused: "failed",
        unread: "cancelled",
        waiting: "cancelled",
    }
    assert set(ends[refused]["reason"]) == {"code", "en", "it"}
    assert ends[waiting]["codes"] == {"batch_cancelled": 2}


@pytest.mark.usefixtures("shop")
def test_a_batch_that_is_given_up_is_told(app: App, submit: Submit, drive: Callable[[], None]):
    """Its results could not be written three times: it failed, and its sender hears of it."""
    batch_id = mint(submit, work=False)
    with transaction(app.engine) as connection:
        no_language = "UPDATE batches SET options = options - 'language' WHERE id = %(id)s"
        run(connection, no_language, {"id": batch_id})
    for _ in range(3):
        drive()
        with transaction(app.engine) as connection:
            run(connection, "UPDATE chunks SET available_at = now()", {})
    drive()
    assert state(app, batch_id) == "failed"
    [(_, data)] = told(app, "batch.ended")
    assert (data["state"], data["reason"]["code"]) == ("failed", "parked")


_DYING = """
import os, signal
from config.wiring import open_app
from jobs import exporting, notifying, pipeline, working

def die(*_): os.kill(os.getpid(), signal.SIGKILL)

if {before}:
    tell = notifying.batch_ended
    notifying.batch_ended = lambda *a: (tell(*a), die())
else:
    pipeline.STAGES["finish"] = lambda *a: (exporting.finish(*a), die())
with open_app() as app:
    heartbeat = working.Heartbeat(app, "dying", "worker", "here", os.getpid())
    while working.work_one(app, heartbeat): pass
"""


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("before", [True, False], ids=["before the commit", "after the commit"])
def test_a_worker_that_is_killed_around_the_commit_tells_once(
    before: bool, app: App, submit: Submit, drive: Callable[[], None]
):
    """Killed with the event written and not committed, or just committed: in the end there is exactly one."""
    batch_id = mint(submit, work=False)
    key = {"KEYMILL_KEY_ENCRYPTION_KEY": b64encode(app.kek).decode()}
    env = os.environ | child_environment(app) | key
    pipeline.advance(app, batch_id)
    done = subprocess.run([sys.executable, "-c", _DYING.format(before=before)], env=env, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert len(told(app, "batch.ended")) == (0 if before else 1)
    with transaction(app.engine) as connection:
        run(connection, "UPDATE chunks SET lease_until = now() WHERE state = 'leased'", {})
    drive()
    assert state(app, batch_id) == "done"
    assert [data["batch"] for _, data in told(app, "batch.ended")] == [batch_id]


@pytest.mark.usefixtures("shop")
def test_an_event_that_is_taken_back_is_not_told(app: App):
    """Events live and die with their transaction, and the second of the same subject is none."""
    with app.engine.connect() as connection:
        vendor = scalar(connection, "SELECT id FROM accounts WHERE number = 'VENDOR'")
    with pytest.raises(RuntimeError), transaction(app.engine) as connection:
        outbox.add(connection, vendor, "schedule.failed", "run 1", {}, mails=True)
        raise RuntimeError
    assert told(app, "schedule.failed") == []
    for _ in range(2):
        with transaction(app.engine) as connection:
            outbox.add(connection, vendor, "schedule.failed", "run 1", {"n": 1}, mails=True)
    assert told(app, "schedule.failed") == [("VENDOR", {"n": 1})]


def test_mails_are_made_only_where_there_is_a_mail_server(app: App, submit: Submit):
    """Without one nothing waits that would be sent in a heap when one is set."""
    account(app, "VENDOR", "vendor", email="ops@example.com")
    submit("account,name,type\nA,A,oem\n", "load-accounts", "VENDOR")
    assert receivers(app) == []
    assert len(told(app, "batch.ended")) == 1


def test_owners_are_told_of_their_upgrades_in_one_message_each(app: App, submit: Submit):
    """However many licenses: the IDs of the first hundred, and how many there are; a second batch tells only news."""
    account(app, "MANY", "customer", email="many@example.com")
    account(app, "FEW", "customer")
    releases = (
        "Product;Name;Version;Release date;Upgrade from",
        "SUITE;Suite;3.0;2020-01-01;",
        "SUITE;Suite;4.0;2021-01-01;SUITE@3.0",
    )
    submit("\n".join(releases), "load-products", "VENDOR")
    licensed(app, submit, "MANY", *(f"CERT-{number:03};SUITE;3.0;2;12" for number in range(101)))
    licensed(app, submit, "FEW", "CERT-900;SUITE;3.0;5;12")
    with transaction(app.engine) as connection:
        maintain(connection, "2020-01-01", "2022-01-01")
    batch_id = submit("Product;Release\nSUITE;4.0\n", "notify-upgrades", "VENDOR")
    found = dict(told(app, "upgrades.notified"))
    assert set(found) == {"MANY", "FEW"}
    assert (found["MANY"]["count"], len(found["MANY"]["notifications"])) == (101, outbox.MOST_NAMED)
    [told_of] = found["FEW"]["notifications"]
    with app.engine.connect() as connection:
        query = (
            "SELECT n.code, n.license_number FROM notifications n JOIN accounts a ON a.id = n.owner_id"
            " WHERE a.number = 'FEW'"
        )
        [(code, number)] = fetch(connection, query, {})
    assert told_of == {
        "notification": code, "product": "SUITE", "version": "4.0", "license": number, "quantity": 5,
    }  # fmt: skip
    assert found["FEW"]["batch"] == batch_id
    submit("Product;Release\nSUITE;4.0\n", "notify-upgrades", "VENDOR")
    assert len(told(app, "upgrades.notified")) == 2


def test_customers_are_told_of_statements_that_close(app: App, submit: Submit):
    """One message a customer and batch; open ones are not told, adjusted ones are."""
    account(app, "ACME", "customer")
    product(app, "CAD")
    product(app, "PLM")
    starts = date(2026, 1, 1)
    rows = f"FC-1;ACME;CAD;100;12;EUR;{starts};12;quarter;31;\nFC-1;ACME;PLM;10;;;{starts};12;quarter;31;\n"
    assert outcome_codes(app, submit(CONTRACTS + rows, "load-contracts", "VENDOR")) == ["created", "created"]

    def use(day: str, quantity: int) -> None:
        submit(f"Contract;Product;Date;Quantity\nFC-1;CAD;{day};{quantity}\n", "report-usage", "ACME")

    def reconcile() -> int:
        text = "Contract;Product;Date\nFC-1;CAD;2026-04-30\nFC-1;PLM;2026-04-30\n"
        return submit(text, "reconcile-contracts", "VENDOR")

    use("2026-01-10", 50)
    first = reconcile()
    [(customer, data)] = told(app, "statements.closed")
    assert (customer, data["batch"], data["count"]) == ("ACME", first, 2)
    assert {(one["product"], one["state"], one["starts"], one["ends"]) for one in data["statements"]} == {
        ("CAD", "closed", "2026-01-01", "2026-03-31"),
        ("PLM", "closed", "2026-01-01", "2026-03-31"),
    }
    use("2026-02-10", 120)
    second = reconcile()
    [_, (_, late)] = told(app, "statements.closed")
    assert (late["batch"], late["count"], late["statements"][0]["state"]) == (second, 1, "adjusted")
    assert late["statements"][0]["owed"] > 0
    assert late["statements"][0]["currency"] == "EUR"


def test_links_start_with_the_public_address(app: App, submit: Submit):
    """A slash at its end makes no difference."""
    batch_id = submit("account,name,type\nA,A,oem\n", "load-accounts", "VENDOR")
    with transaction(app.engine) as connection:
        run(connection, "DELETE FROM events", {})
        notifying.batch_ended(with_settings(app, public_url="https://keys.example.com/"), connection, batch_id)
    assert told(app, "batch.ended")[0][1]["links"]["page"] == f"https://keys.example.com/batches/{batch_id}"
    assert one(app, "SELECT count(*) FROM events") == 1

"""What operators do: pause a kind, retry what failed, cancel many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.wiring import App
from jobs import control, operating
from jobs.refusals import Refused
from models import operations
from models.database import transaction
from tests.apps import Submit, account, one, outcome_codes, product, state

Drive = Callable[[], None]
PRODUCTS = "Product;Name\nP;P\n"


def test_a_paused_kind_rests_and_goes_on(app: App, submit: Submit, drive: Drive):
    """Its batches are taken and wait, others go on; nothing is lost."""
    operating.pause(app, "load-products", actor="test", on=True)
    resting = submit(PRODUCTS, "load-products", "VENDOR")
    other = submit("Account;Name;Type\nX;X;oem\n", "load-accounts", "VENDOR")
    assert (state(app, resting), state(app, other)) == ("received", "done")
    operating.pause(app, "load-products", actor="test", on=False)
    drive()
    assert outcome_codes(app, resting) == ["created"]


def test_pausing_twice_is_the_same_as_once(app: App):
    """And there must be such a kind."""
    for _ in range(2):
        operating.pause(app, "load-products", actor="test", on=True)
    assert [one["kind"] for one in operating.overview(app)["paused"]] == ["load-products"]
    with pytest.raises(Refused, match="no batch kind"):
        operating.pause(app, "load-horses", actor="test", on=True)


def test_a_step_that_failed_three_times_is_tried_again(app: App, submit: Submit, drive: Drive, tmp_path: Path):
    """Once its cause is gone, the batch ends as if nothing had been."""
    batch = submit(PRODUCTS, "load-products", "VENDOR", work=False)
    upload = next((tmp_path / "store" / "uploads").rglob("*/*"))
    kept = upload.read_bytes()
    upload.unlink()
    for _ in range(app.settings.attempts + 1):
        drive()
        _no_waiting(app)
    assert state(app, batch) == "failed"
    with transaction(app.engine) as connection:
        (parked,) = operations.parked(connection, before=None, limit=10)
    assert (parked["batch"], parked["stage"]) == (batch, "read")
    upload.write_bytes(kept)
    operating.retry(app, batch, actor="test")
    drive()
    assert outcome_codes(app, batch) == ["created"] and state(app, batch) == "done"


def _no_waiting(app: App) -> None:
    """Let what is to be tried again later be tried now."""
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE chunks SET available_at = clock_timestamp() WHERE state = 'waiting'")


def test_there_must_be_something_to_retry(app: App, submit: Submit):
    """A batch that is done, or failed for its content, has nothing."""
    done, unreadable = submit(PRODUCTS, "load-products", "VENDOR"), submit("x\n1\n", "load-products", "VENDOR")
    refused = operating.for_each(app, [done, unreadable], "retry", actor="test")
    assert [problem.code for problem in refused] == ["nothing_to_retry"] * 2
    assert (state(app, done), state(app, unreadable)) == ("done", "failed")


def test_many_are_cancelled_and_one_that_cannot_be_keeps_nobody_from_it(app: App, submit: Submit, drive: Drive):
    """What was refused is told."""
    product(app, "P")
    waiting = [submit(f"Product;Name\nP{n};P\n", "load-products", "VENDOR", confirm="ask") for n in range(2)]
    done = submit(PRODUCTS, "load-products", "VENDOR")
    refused = operating.for_each(app, [waiting[0], done, waiting[1]], "cancel", actor="test")
    drive()
    assert [problem.code for problem in refused] == ["wrong_state"]
    assert [state(app, batch) for batch in waiting] == ["cancelled"] * 2


def test_what_is_under_way_says_what_it_waits_for(app: App, submit: Submit):
    """By account and by state."""
    account(app, "OEM")
    batch = submit("Voucher code;Company\nX;Acme\n", confirm="ask")
    with transaction(app.engine) as connection:
        (row,) = operations.under_way(connection, account="oem", state="previewed", before=None, limit=10)
        none = operations.under_way(connection, account="VENDOR", state=None, before=None, limit=10)
    assert (row["batch"], row["state"], row["waiting"], none) == (batch, "previewed", 0, [])
    control.cancel(app, batch, actor="test")
    assert one(app, "SELECT count(*) FROM chunks WHERE state = 'parked'") == 0

"""Retention: what goes, what stays, and that what is missed is said to be gone."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.wiring import App
from jobs import reverting, status
from jobs.job import Stopped
from jobs.reading import source_name
from jobs.refusals import Refused
from models import batches as stored
from models import rows
from models.database import run, transaction
from scheduler import schedules
from tests.apps import account, kept, one, outcome_codes, product

Submit = Callable[..., int]
CODES = "Voucher code;OEM;Product\n"


@pytest.fixture
@kept
def batches(app: App, submit: Submit) -> list[int]:
    """Two batches of the same bytes (the second one says 'unchanged'), one of others, and a redemption."""
    account(app, "OEM")
    product(app, "P")
    found = [
        submit(CODES + "V-1;OEM;P\nV-2;OEM;NOPE\n", "load-vouchers", "VENDOR"),
        submit(CODES + "V-1;OEM;P\nV-2;OEM;NOPE\n", "load-vouchers", "VENDOR"),
        submit(CODES + "V-3;OEM;P\n", "load-vouchers", "VENDOR"),
        submit("Voucher code;Company\nV-1;Rossi\n"),
    ]
    schedules.add(
        app, "old", job="retention", expression="0 4 * * 0", time_zone="UTC", missed=None, given={"days": "30"},
        actor="me",
    )  # fmt: skip
    return found


def age(app: App, *batch_ids: int) -> None:
    """Let batches have ended 31 days ago."""
    with transaction(app.engine) as connection:
        run(
            connection,
            "UPDATE batches SET finished_at = now() - interval '31 days' WHERE id = ANY(%(ids)s)",
            {"ids": list(batch_ids)},
        )


def retain(app: App) -> dict[str, Any]:
    """Run the schedule now."""
    told = schedules.run_now(app, "old", actor="me", language="en", ended=threading.Event())
    assert told["state"] == "done", told
    return told


def sources(app: App) -> int:
    """How many uploads are stored."""
    return len(list(app.store.list("uploads/")))


def test_an_old_batch_loses_rows_and_files_and_keeps_its_counts(app: App, batches: list[int]):
    """Rows, outcomes, result files and its source go; the line with its counts, and what it did, stay."""
    before = status.of_batch(app, batches[2])
    age(app, batches[2])
    assert retain(app)["did"].startswith("1 batches emptied (1 rows), 0 old runs, ")
    after = status.of_batch(app, batches[2])
    assert (after["codes"], after["outcomes"], after["rows"]) == (before["codes"], before["outcomes"], 1)
    assert after["content"] == "deleted" and after["results"] is None
    assert list(app.store.list(f"results/{batches[2]}/")) == []
    assert not app.store.exists(source_name(before["sha256"]))
    assert outcome_codes(app, batches[2]) == []
    assert one(app, "SELECT count(*) FROM vouchers WHERE code = 'V-3'") == 1
    assert outcome_codes(app, batches[0]) == ["created", "unknown_product"]
    assert retain(app)["did"].startswith("0 batches emptied (0 rows), 0 old runs, ")


def test_bytes_that_a_younger_batch_shares_stay(app: App, batches: list[int]):
    """The source goes with the last batch that was made of it."""
    count = sources(app)
    age(app, batches[0])
    retain(app)
    assert sources(app) == count
    age(app, batches[1])
    retain(app)
    assert sources(app) == count - 1


def test_the_same_bytes_can_be_sent_again_afterwards(app: App, submit: Submit, batches: list[int]):
    """A new batch of bytes that were deleted stores them anew; the same request key still finds the old batch."""
    key = one(app, "SELECT request_key FROM batches WHERE id = %(id)s", id=batches[2])
    age(app, batches[2])
    retain(app)
    assert submit(CODES + "V-3;OEM;P\n", "load-vouchers", "VENDOR", key=key) == batches[2]
    again = submit(CODES + "V-3;OEM;P\n", "load-vouchers", "VENDOR")
    assert outcome_codes(app, again) == ["unchanged"]


def test_bytes_deleted_while_they_are_sent_again_are_stored_again(app: App, submit: Submit, batches: list[int]):
    """Retention deletes a source after its sender saw that it is there, and before the new batch is recorded."""
    sha256 = status.of_batch(app, batches[2])["sha256"]
    sender = threading.Thread(target=submit, args=(CODES + "V-3;OEM;P\n", "load-vouchers", "VENDOR"))
    with transaction(app.engine) as connection:
        stored.lock_source(connection, sha256)
        sender.start()
        while not one(app, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert sender.is_alive()
        app.store.delete([source_name(sha256)])
    sender.join()
    assert app.store.exists(source_name(sha256))
    assert outcome_codes(app, one(app, "SELECT max(id) FROM batches")) == ["unchanged"]


def test_what_was_issued_is_still_known(app: App, submit: Submit, batches: list[int]):
    """A voucher row sent again after its batch was emptied gets the same key."""
    number = one(app, "SELECT number FROM licenses")
    age(app, *batches)
    retain(app)
    again = submit("Voucher code;Company\nV-1;Rossi\n")
    assert outcome_codes(app, again) == ["already_issued"]
    assert one(app, "SELECT license_number FROM outcomes WHERE batch_id = %(id)s", id=again) == number


def test_taking_back_an_emptied_batch_is_refused_with_a_sentence(app: App, batches: list[int], tmp_path: Path):
    """Nobody is told that it did nothing."""
    age(app, batches[2])
    retain(app)
    with pytest.raises(Refused, match="deleted because of their age") as refusal:
        reverting.write_file(app, batches[2], tmp_path / "revert.csv", "en")
    assert refusal.value.code == "content_deleted" and "eliminati" in refusal.value.it


def test_batches_that_are_young_or_not_over_stay(app: App, submit: Submit, batches: list[int]):
    """Neither one that ended a day ago nor one that waits for confirmation is touched."""
    waiting = submit(CODES + "V-9;OEM;P\n", "load-vouchers", "VENDOR", confirm="ask")
    with transaction(app.engine) as connection:
        run(connection, "UPDATE batches SET created_at = now() - interval '99 days'", {})
    assert retain(app)["counts"].get("batches", 0) == 0
    assert status.of_batch(app, waiting)["state"] == "previewed"


def test_old_runs_are_forgotten(app: App, batches: list[int]):
    """Runs that ended before the same day go; younger ones stay."""
    retain(app)
    with transaction(app.engine) as connection:
        run(connection, "UPDATE schedule_runs SET ended_at = now() - interval '31 days'", {})
    assert retain(app)["counts"]["runs"] == 1
    assert one(app, "SELECT count(*) FROM schedule_runs") == 1


def test_what_was_broken_off_is_finished_by_the_next_attempt(
    app: App, batches: list[int], monkeypatch: pytest.MonkeyPatch
):
    """Ended while it deletes rows: the batch is not shown as whole, and the run goes on with it."""
    age(app, batches[2])
    deleting = rows.delete

    def stop(*given: Any) -> int:
        monkeypatch.setattr(rows, "delete", deleting)
        assert status.of_batch(app, batches[2])["content"] == "deleting"
        raise Stopped

    monkeypatch.setattr(rows, "delete", stop)
    told = retain(app)
    assert told["attempts"] == 1
    assert status.of_batch(app, batches[2])["content"] == "deleted"
    assert outcome_codes(app, batches[2]) == []


def test_a_customers_copy_is_left_alone(app: App, submit: Submit, tmp_path: Path):
    """The list of keys that a distributor owes its customer is the customer's."""
    account(app, "DIST", "distributor")
    product(app, "P")
    submit("Serial;Product;Quantity\nCERT-1;P;1\n", "load-serials", "VENDOR")
    batch = submit("Serial;Company;E-mail\nCERT-1;Rossi;a@b.it\n", "register-serials", "DIST")
    schedules.add(
        app, "old", job="retention", expression="0 4 * * 0", time_zone="UTC", missed=None, given={"days": "1"},
        actor="me",
    )  # fmt: skip
    age(app, batch)
    copies = list(app.store.list("customers/"))
    retain(app)
    assert len(copies) == 1 and list(app.store.list("customers/")) == copies
    with (tmp_path / "keys.csv").open("wb") as file:
        file.writelines(app.store.get(copies[0]))
    with (tmp_path / "keys.csv").open(encoding="utf-8-sig") as text:
        assert len(list(csv.reader(text))) == 2

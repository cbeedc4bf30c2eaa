"""``notify-upgrades``: who is notified of a release, once, and how the IDs come back."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from config.wiring import App
from jobs import running, status
from models.database import run, transaction
from tests.apps import account, answers, kept, licensed, maintain, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """SUITE: four of 3.0 (one was lapsed before 5.0 came out, one never maintained), one of 4.0; and a TOOL."""
    account(app, "MINE", "customer", email="mine@example.com")
    product(app, "TOOL")
    releases = (
        "Product;Name;Version;Release date;Upgrade from",
        "SUITE;Suite;3.0;2020-01-01;",
        "SUITE;Suite;4.0;2021-01-01;SUITE@3.0",
        "SUITE;Suite;5.0;2022-01-01;SUITE@4.0",
        "SUITE;Suite;6.0;2022-06-01;",
        "SUITE;Suite;7.0;2099-01-01;SUITE@5.0",
        "SUITE;Suite;8.0;;SUITE@5.0",
    )
    submit("\n".join(releases), "load-products", "VENDOR")
    found = licensed(
        app,
        submit,
        "MINE",
        "CERT-001;SUITE;3.0;10;12",
        "CERT-002;SUITE;3.0;2;12",
        "CERT-003;SUITE;3.0;1;",
        "CERT-004;SUITE;4.0;7;12",
        "CERT-005;TOOL;;1;12",
        "CERT-006;SUITE;3.0;3;12",
    )
    with transaction(app.engine) as connection:
        maintain(connection, "2020-01-01", "2022-01-01")
        lapsed = "UPDATE licenses SET maintained_until = '2021-12-31' WHERE number = %(n)s"
        run(connection, lapsed, {"n": found[1]})
    return found


def notify(submit: Submit, *rows: str, **options: object) -> int:
    """Send rows of ``notify-upgrades``: the batch's id."""
    return submit("Product;Release\n" + "".join(row + "\n" for row in rows), "notify-upgrades", "VENDOR", **options)


def listed(app: App, batch_id: int) -> list[list[str]]:
    """The list of notifications that a batch left."""
    files = {file["role"]: file for file in status.of_batch(app, batch_id)["results"]["files"]}
    if "notifications" not in files:
        return []
    text = b"".join(app.store.get(files["notifications"]["name"])).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))[1:]


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """Notified, the same again, nobody, still to come, without a date, unknown; the preview says the same."""
    rows = ("SUITE;5.0", "suite;5.0", "SUITE;6.0", "SUITE;7.0", "SUITE;8.0", "SUITE;9.0", "NONE;1.0")
    expected = [
        ("notified", "3"),
        ("already_notified", "3"),
        ("nobody_to_notify", None),
        ("not_released", "2099-01-01"),
        ("not_released", "-"),
        ("unknown_release", "9.0"),
        ("unknown_product", "NONE"),
    ]
    assert previewed_codes(app, notify(submit, *rows, confirm="ask")) == [code for code, _ in expected]
    assert one(app, "SELECT count(*) FROM notifications") == 0
    batch = notify(submit, *rows)
    assert [(answer.code, answer.detail) for answer in answers(app, batch)] == expected
    assert {row[3]: row[4] for row in listed(app, batch)} == {licenses[0]: "10", licenses[3]: "7", licenses[5]: "3"}
    assert {tuple(row[5:8]) for row in listed(app, batch)} == {("MINE", "MINE", "mine@example.com")}


def test_the_same_ids_come_back(app: App, submit: Submit, licenses: list[str]) -> None:
    """A second run makes none, and lists the IDs that the first one made."""
    first, second = notify(submit, "SUITE;5.0"), notify(submit, "SUITE;5.0")
    assert outcome_codes(app, second) == ["already_notified"]
    assert listed(app, second) == listed(app, first) != []


def test_who_is_covered_later_is_notified_later(app: App, submit: Submit, licenses: list[str]) -> None:
    """When the vendor loads maintenance that covers the date after all, the next run makes that one ID."""
    notify(submit, "SUITE;5.0")
    load = f"License;Maintenance from;Maintenance until\n{licenses[2]};2021-01-01;2022-12-31\n"
    submit(load, "load-maintenance", "VENDOR")
    again = notify(submit, "SUITE;5.0")
    assert [(answer.code, answer.detail) for answer in answers(app, again)] == [("notified", "1")]
    assert len(listed(app, again)) == 4


def test_the_id_upgrades_the_license(app: App, submit: Submit, licenses: list[str]) -> None:
    """The ID that was listed is taken by ``upgrade-licenses``; what is left of the license is not notified again."""
    batch = notify(submit, "SUITE;5.0")
    code = next(row[0] for row in listed(app, batch) if row[3] == licenses[0])
    upgrade = submit(f"Notification ID;Product;Quantity\n{code};SUITE;4\n", "upgrade-licenses", "MINE")
    assert outcome_codes(app, upgrade) == ["issued_in_part"]
    again = notify(submit, "SUITE;5.0")
    assert outcome_codes(app, again) == ["already_notified"]
    assert next(row[4] for row in listed(app, again) if row[0] == code) == "6"


def test_many_are_notified_in_slices(
    app: App, submit: Submit, licenses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release with more owners than a transaction takes notifies each of them once."""
    monkeypatch.setattr(running, "EFFECTS_A_SLICE", 2)
    batch = notify(submit, "SUITE;4.0", "SUITE;5.0", "SUITE;4.0")
    assert [(answer.code, answer.detail) for answer in answers(app, batch)] == [
        ("notified", "3"),
        ("notified", "3"),
        ("already_notified", "3"),
    ]
    assert one(app, "SELECT count(*) FROM notifications") == 6

"""Marking what has expired: counted, bounded, and without any effect on what rows are answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from config.wiring import App
from jobs import marking
from jobs.kinds.registry import KINDS
from models import expiry, vouchers
from models.database import run, scalar, transaction
from scheduler import schedules
from tests.apps import account, answers, kept, licensed, maintain, one, outcome_codes, product
from tests.scheduler.test_running import stock

Submit = Callable[..., int]
TODAY = datetime.now(UTC).date()
LONG_AGO = "2020-01-31"


def expire(app: App, noun: str) -> int:
    """Run a job that marks vouchers or licenses: how many it marked."""
    name = f"expire-{noun}"
    schedules.add(app, name, job=name, expression="0 0 * * *", time_zone="UTC", missed=None, given={}, actor="me")
    told = schedules.run_now(app, name, actor="me", language="en", ended=threading.Event())
    assert told["state"] == "done", told
    schedules.remove(app, name, actor="me")
    return int(told["counts"]["expired"])


def test_vouchers_past_their_date_are_marked_and_counted(app: App, monkeypatch: pytest.MonkeyPatch):
    """In steps of three: those of yesterday and before, each once; today's and redeemed ones stay; sums hold."""
    monkeypatch.setattr(marking, "AT_ONCE", 3)
    stock(app, 10)
    with transaction(app.engine) as connection:
        run(connection, "UPDATE vouchers SET expires = %(day)s WHERE code = 'V-00001'", {"day": TODAY})
        run(connection, "UPDATE vouchers SET expires = NULL WHERE code = 'V-00002'", {})
        run(connection, "UPDATE vouchers SET expires = %(day)s WHERE code = 'V-00009'", {"day": TODAY - timedelta(1)})
        run(connection, "UPDATE vouchers SET state = 'redeemed' WHERE code = 'V-00003'", {})
        run(connection, "UPDATE vouchers SET state = 'void' WHERE code = 'V-00004'", {})
    assert expire(app, "vouchers") == 6
    assert expire(app, "vouchers") == 0
    with app.engine.connect() as connection:
        found = vouchers.sums(connection)
    assert found == {"minted": 2, "redeemed": 1, "void": 1, "expired": 6, "total": 10}
    steps = "SELECT array_agg((detail ->> 'count')::int ORDER BY id) FROM audit_log WHERE action = 'voucher.expired'"
    assert one(app, steps) == [3, 3]


def test_licenses_past_their_term_are_marked_and_counted(app: App, submit: Submit):
    """Active ones whose last day has passed; perpetual, current and ended ones stay."""
    account(app, "MINE", "customer")
    product(app, "BOX")
    found = licensed(app, submit, "MINE", *(f"CERT-00{n};BOX;;1;" for n in range(4)))
    with transaction(app.engine) as connection:
        ended = "UPDATE licenses SET valid_until = %(day)s WHERE number = ANY(%(numbers)s)"
        run(connection, ended, {"day": TODAY - timedelta(1), "numbers": found[:2]})
        run(connection, ended, {"day": TODAY, "numbers": found[2:3]})
        run(connection, "UPDATE licenses SET state = 'revoked' WHERE number = %(number)s", {"number": found[1]})
    assert expire(app, "licenses") == 1
    assert one(app, "SELECT state FROM licenses WHERE number = %(n)s", n=found[0]) == "expired"
    assert one(app, "SELECT count(*) FROM licenses WHERE state = 'active'") == 2


# How a row of each kind that names a license looks, and who sends it.
LICENSE_ROWS = {
    "annotate-licenses": ("MINE", "License;Room\n{license};12\n"),
    "list-downloads": ("MINE", "License\n{license}\n"),
    "load-maintenance": ("VENDOR", "License;Maintenance from;Maintenance until\n{license};2026-01-01;2027-12-31\n"),
    "rehost-licenses": ("MINE", "License;New host ID\n{license};H2\n"),
    "renew-maintenance": ("MINE", "License;Renewal serial\n{license};RENEW-{n}\n"),
    "revoke-licenses": ("VENDOR", "License;Reason\n{license};Not paid\n"),
    "share-licenses": ("MINE", "License;With account\n{license};OTHER\n"),
    "upgrade-licenses": ("MINE", "License;Product;Quantity\n{license};SUITE;2\n"),
    "draw-down": ("MINE", "Contract;Product;Quantity;License\nFC-{n};SUITE;-2;{license}\n"),
}


def test_every_kind_about_licenses_is_tried():
    """A kind that comes to be needs a line above."""
    about = {name for name, kind in KINDS.items() if "license" in kind.names}
    assert about == set(LICENSE_ROWS)


@pytest.fixture
@kept
def twins(app: App, submit: Submit) -> list[str]:
    """Two licenses of MINE alike, and all that a row about them may name."""
    account(app, "MINE", "customer")
    account(app, "OTHER", "customer")
    product(app, "PLAIN")
    releases = "Product;Version;Release date;Upgrade from\nSUITE;3.0;2020-01-01;\nSUITE;5.0;2022-01-01;SUITE@3.0\n"
    submit(releases.replace("Product;", "Product;Name;").replace("SUITE;", "SUITE;Suite;"), "load-products", "VENDOR")
    found = licensed(app, submit, "MINE", "CERT-0;SUITE;3.0;2;12", "CERT-1;SUITE;3.0;2;12", host="H1")
    renewals = "Serial;Product;Quantity;Maintenance (months);Purpose\n"
    renewals += "".join(f"RENEW-{n};SUITE;2;12;renewal\n" for n in range(2))
    submit(renewals, "load-serials", "VENDOR")
    terms = "Contract;Customer number;Product;Quantity;Term start;Term (months)\n"
    submit(terms + "".join(f"FC-{n};MINE;SUITE;10;{TODAY};12\n" for n in range(2)), "load-contracts", "VENDOR")
    with transaction(app.engine) as connection:
        maintain(connection, "2020-01-01", "2029-12-31")
    return found


@pytest.mark.parametrize("kind", sorted(LICENSE_ROWS))
def test_a_license_that_was_marked_is_answered_as_one_whose_date_has_passed(
    app: App, submit: Submit, twins: list[str], kind: str
):
    """Twins with the same last day, one of them marked: the same code, and the same state of the license afterwards."""
    if kind == "draw-down":
        drawn = submit("Contract;Product;Quantity;Host ID\nFC-0;SUITE;2;H1\nFC-1;SUITE;2;H1\n", "draw-down", "MINE")
        twins = [answer.license_number for answer in answers(app, drawn)]
    submit("Product;Release\nSUITE;5.0\n", "notify-upgrades", "VENDOR")
    past = f"UPDATE licenses SET valid_until = '{LONG_AGO}' WHERE number = %(number)s"
    with transaction(app.engine) as connection:
        run(connection, past, {"number": twins[0]})
    assert expire(app, "licenses") == 1
    with transaction(app.engine) as connection:
        run(connection, past, {"number": twins[1]})
    sender, rows = LICENSE_ROWS[kind]
    told, states = [], []
    for n, license in enumerate(twins):
        (answer,) = answers(app, submit(rows.format(license=license, n=n), kind, sender))
        told.append((answer.code, (answer.detail or "").replace(license, "")))
        found = one(app, "SELECT state FROM licenses WHERE number = %(n)s", n=license)
        states.append("active" if found == "expired" else found)
    assert told[0] == told[1]
    assert states[0] == states[1]
    assert not told[0][0].startswith("unknown")


# Rows about vouchers, one list after the other.
VOUCHER_ROWS = [
    ("redeem-vouchers", "OEM", "Voucher code;Company\n{code};Rossi\n"),
    ("load-vouchers", "VENDOR", "Voucher code;OEM;Product\n{code};OEM;P\n"),
    ("load-vouchers", "VENDOR", "Voucher code;OEM;Product;Valid until\n{code};OEM;P;2099-12-31\n"),
    ("redeem-vouchers", "OEM", "Voucher code;Company\n{code};Rossi\n"),
    ("void-vouchers", "VENDOR", "Voucher code;Reason\n{code};Lost\n"),
]


@pytest.mark.parametrize("first", range(len(VOUCHER_ROWS)))
def test_a_voucher_that_was_marked_is_answered_as_one_whose_date_has_passed(app: App, submit: Submit, first: int):
    """Twins, one marked, and lists from a certain one on: the same answers and states; a new date revives both."""
    assert {name for name, kind in KINDS.items() if "voucher_code" in kind.names} == {kind for kind, *_ in VOUCHER_ROWS}
    stock(app, 2)
    with transaction(app.engine) as connection:
        run(connection, "UPDATE vouchers SET expires = '2099-01-01' WHERE code = 'V-00001'", {})
    assert expire(app, "vouchers") == 1
    with transaction(app.engine) as connection:
        run(connection, "UPDATE vouchers SET expires = '2020-01-01' WHERE code = 'V-00001'", {})
    for kind, sender, rows in VOUCHER_ROWS[first:]:
        told, states = [], []
        for code in ("V-00000", "V-00001"):
            (answer,) = answers(app, submit(rows.format(code=code), kind, sender))
            told.append((answer.code, answer.detail))
            found = one(app, "SELECT state FROM vouchers WHERE code = %(code)s", code=code)
            states.append("minted" if found == "expired" else found)
        assert told[0] == told[1], kind
        assert states[0] == states[1], kind


def test_minted_codes_that_were_marked_are_taken_back_like_others(app: App, submit: Submit):
    """An order of which every code is past its date is voided as a whole, marked or not."""
    account(app, "OEM")
    product(app, "P")
    for marked in (True, False):
        order = submit(f"OEM;Product;Count;Valid until\nOEM;P;3;{TODAY}\n", "mint-vouchers", "VENDOR")
        with transaction(app.engine) as connection:
            run(connection, "UPDATE vouchers SET expires = '2020-01-01' WHERE state = 'minted'", {})
        if marked:
            assert expire(app, "vouchers") == 3
        assert outcome_codes(app, submit(f"Batch;Row\n{order};1\n", "revert-batches", "VENDOR")) == ["reverted"]
    assert one(app, "SELECT count(*) FROM vouchers WHERE state = 'void'") == 6


def test_a_batch_that_was_confirmed_in_time_redeems_what_was_marked_meanwhile(app: App, submit: Submit, drive):
    """Confirmed on the last day, run after it: the day of confirmation holds, though the voucher was marked between."""
    stock(app, 1, TODAY - timedelta(1))
    batch = submit("Voucher code;Company\nV-00000;Rossi\n", work=False)
    with transaction(app.engine) as connection:
        order = "confirm_order = nextval('batch_confirm_order')"
        run(connection, f"UPDATE batches SET confirmed_at = now() - interval '1 day', {order}", {})
    assert expire(app, "vouchers") == 1
    drive()
    assert outcome_codes(app, batch) == ["issued"]
    assert one(app, "SELECT state FROM vouchers") == "redeemed"


def test_marking_waits_for_rows_in_use_without_a_deadlock(app: App):
    """Rows are locked in key order, as chunks do: both orders of arrival end."""
    stock(app, 50)

    def lock_all() -> None:
        with transaction(app.engine) as connection:
            keys = [f"V{n:05}" for n in range(50)]
            vouchers.by_key(connection, keys, lock=True)

    threads = [threading.Thread(target=lock_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    with transaction(app.engine) as connection:
        assert expiry.mark_vouchers(connection, TODAY, "", 100)[0] == 50
    for thread in threads:
        thread.join()
    with app.engine.connect() as connection:
        assert scalar(connection, "SELECT count(*) FROM vouchers WHERE state = 'expired'") == 50

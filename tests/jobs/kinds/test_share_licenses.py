"""``share-licenses`` from a list to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.wiring import App
from tests.apps import account, answers, kept, licensed, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
HEADER = "License;With account;Permission\n"


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """Two licenses of MINE on host H1; FRIEND and DIST may be shared with, GONE is suspended."""
    account(app, "MINE", "customer")
    account(app, "FRIEND", "customer")
    account(app, "DIST", "distributor")
    account(app, "GONE", "customer", state="suspended")
    product(app, "BOX", host_bound=True)
    return licensed(app, submit, "MINE", "CERT-001;BOX;;5;", "CERT-002;BOX;;1;", host="H1")


def share(submit: Submit, *rows: str, sender: str = "MINE", **options: object) -> int:
    """Send rows of ``share-licenses``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "share-licenses", sender, **options)


def move(app: App, submit: Submit, license: str, host: str, quantity: str, sender: str) -> str:
    """What a re-host of (part of) a license is answered with."""
    batch = submit(f"License;New host ID;Quantity\n{license};{host};{quantity}\n", "rehost-licenses", sender)
    return outcome_codes(app, batch)[0]


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """Shared, the same again, raised, withdrawn, again; with oneself, nobody, someone suspended; not one's own."""
    rows = (
        f"{licenses[0]};FRIEND;",
        f"{licenses[0]};FRIEND;read",
        f"{licenses[0]};FRIEND;manage",
        f"{licenses[0]};FRIEND;none",
        f"{licenses[0]};FRIEND;none",
        f"{licenses[0]};DIST;manage",
        f"{licenses[0]};MINE;read",
        f"{licenses[0]};NOBODY;read",
        f"{licenses[0]};GONE;read",
        "L-0;FRIEND;read",
        f"{licenses[0]};KMC-4R7T-90XA-2BCA;read",
        f"{licenses[0]};FRIEND;write",
    )
    expected = [
        "shared", "unchanged", "shared", "share_withdrawn", "unchanged", "shared", "recipient_holds_it",
        "unknown_recipient", "unknown_recipient", "unknown_license", "mistyped_code", "not_a_choice",
    ]  # fmt: skip
    assert previewed_codes(app, share(submit, *rows, confirm="ask")) == expected
    batch = share(submit, *rows)
    assert outcome_codes(app, batch) == expected
    assert answers(app, batch)[0].detail == "FRIEND"
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'license.shared'") > 0


def test_a_share_lets_do_what_it_says(app: App, submit: Submit, licenses: list[str]) -> None:
    """Reading is not managing, managing is not owning, and a withdrawn share is as if there had been none."""
    assert move(app, submit, licenses[0], "H2", "1", "DIST") == "unknown_license"
    share(submit, f"{licenses[0]};DIST;read")
    assert move(app, submit, licenses[0], "H2", "1", "DIST") == "license_read_only"
    share(submit, f"{licenses[0]};DIST;manage")
    assert move(app, submit, licenses[0], "H2", "1", "DIST") == "issued_in_part"
    assert outcome_codes(app, share(submit, f"{licenses[0]};FRIEND;read", sender="DIST")) == ["license_of_another"]
    share(submit, f"{licenses[0]};DIST;none")
    assert move(app, submit, licenses[0], "H3", "1", "DIST") == "unknown_license"


def test_the_number_stands_for_what_is_left(app: App, submit: Submit, licenses: list[str]) -> None:
    """After part of a license moved away, its number shares the rest, and a license that moved as a whole is not."""
    move(app, submit, licenses[0], "H2", "2", "MINE")
    batch = share(submit, f"{licenses[0]};FRIEND;read")
    rest = answers(app, batch)[0].license_number
    assert rest not in licenses
    assert one(app, "SELECT quantity FROM licenses WHERE number = %(n)s", n=rest) == 3
    assert one(app, "SELECT count(*) FROM shares WHERE license_number = %(n)s", n=rest) == 1
    move(app, submit, licenses[1], "H2", "", "MINE")
    assert outcome_codes(app, share(submit, f"{licenses[1]};FRIEND;read")) == ["license_not_active"]

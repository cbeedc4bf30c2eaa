"""``load-maintenance`` from a list to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from config.wiring import App
from models.database import fetch
from signing.tokens import claims_of
from tests.apps import account, answers, kept, licensed, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
HEADER = "License;Serial;Maintenance from;Maintenance until;Level;Support contact\n"


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """Two licenses of MINE without maintenance."""
    account(app, "MINE", "customer")
    product(app, "SUITE")
    return licensed(app, submit, "MINE", "CERT-001;SUITE;;5;", "CERT-002;SUITE;;1;")


def load(submit: Submit, *rows: str, **options: object) -> int:
    """Send rows of ``load-maintenance`` as the vendor: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "load-maintenance", "VENDOR", **options)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """Created, the same again, updated by serial, dates the wrong way round, no end, unknown, mistyped, none named."""
    rows = (
        f"{licenses[0]};;2026-01-01;2026-12-31;gold;",
        f"{licenses[0]};;2026-01-01;2026-12-31;;",
        ";CERT-001;;2027-12-31;;help@b.it",
        f"{licenses[0]};;2028-01-01;;;",
        f"{licenses[1]};;2026-01-01;;;",
        "L-0;;2026-01-01;2026-12-31;;",
        f"{licenses[0][:-1]}{'A' if licenses[0][-1] != 'A' else 'B'};;2026-01-01;2026-12-31;;",
        ";;2026-01-01;2026-12-31;;",
        ";NO-CERT;2026-01-01;2026-12-31;;",
    )
    expected = [
        "created", "unchanged", "updated", "dates_reversed", "missing_value", "unknown_license", "mistyped_code",
        "license_required", "unknown_license",
    ]  # fmt: skip
    assert previewed_codes(app, load(submit, *rows, confirm="ask")) == expected
    assert outcome_codes(app, load(submit, *rows)) == expected


def test_the_key_says_how_long_it_is_maintained(app: App, submit: Submit, licenses: list[str]) -> None:
    """The license has a new key that carries the last day, and the answer names it."""
    batch = load(submit, f"{licenses[0]};;2026-01-01;2026-12-31;gold;help@b.it")
    with app.engine.connect() as connection:
        query = "SELECT number, maintained_from, maintained_until, support_level, support_contact FROM licenses"
        found = {row[0]: row[1:] for row in fetch(connection, query, {}) if row[1]}
    assert found == {licenses[0]: (date(2026, 1, 1), date(2026, 12, 31), "gold", "help@b.it")}
    claims = claims_of(one(app, "SELECT key FROM licenses WHERE number = %(n)s", n=licenses[0]))
    assert (claims.license_number, claims.maintained_until) == (licenses[0], date(2026, 12, 31))
    assert answers(app, batch)[0].license_number == licenses[0]


def test_a_load_does_not_move_what_a_customer_renewed(app: App, submit: Submit, licenses: list[str]) -> None:
    """After a renewal the days stand, and the level may still be changed."""
    load(submit, f"{licenses[0]};;2026-01-01;2099-12-31;;")
    submit(
        "Serial;Product;Quantity;Maintenance (months);Purpose\nRENEW-01;SUITE;5;12;renewal\n", "load-serials", "VENDOR"
    )
    renewal = submit(f"License;Renewal serial\n{licenses[0]};RENEW-01\n", "renew-maintenance", "MINE")
    assert outcome_codes(app, renewal) == ["renewed"]
    again = load(submit, f"{licenses[0]};;2026-01-01;2099-12-31;;", f"{licenses[0]};;;;silver;")
    assert [(answer.code, answer.detail) for answer in answers(app, again)] == [
        ("maintenance_renewed", "2100-12-31"),
        ("updated", "level"),
    ]


def test_a_license_that_ended_gets_none(app: App, submit: Submit, licenses: list[str]) -> None:
    """The maintenance of a license that was moved as a whole belongs to its successor."""
    account(app, "DIST", "distributor")
    product(app, "BOX", host_bound=True)
    bound = licensed(app, submit, "MINE", "CERT-003;BOX;;1;", host="H1")
    submit(f"License;New host ID\n{bound[0]};H2\n", "rehost-licenses", "MINE")
    assert outcome_codes(app, load(submit, f"{bound[0]};;2026-01-01;2026-12-31;;")) == ["license_not_active"]

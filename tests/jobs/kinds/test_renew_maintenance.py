"""``renew-maintenance`` from a list to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from config.wiring import App
from licensing.terms import add_months
from models.database import fetch, run, transaction
from signing.tokens import claims_of
from tests.apps import account, kept, maintain, outcome_codes, product

Submit = Callable[..., int]
HEADER = "License;Serial;Renewal serial\n"


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """Licenses of MINE: one maintained for a year, one never maintained; and renewals of both sizes."""
    account(app, "MINE", "customer")
    account(app, "OTHER", "customer")
    product(app, "SUITE")
    product(app, "TOOL")
    loaded = (
        "Serial;Product;Quantity;Maintenance (months);Purpose;Level",
        "CERT-001;SUITE;5;12;;gold",
        "CERT-002;SUITE;2;;;",
        "CERT-003;TOOL;1;;;",
        "RENEW-05;SUITE;5;12;renewal;platinum",
        "RENEW-07;SUITE;7;6;renewal;",
        "RENEW-01;TOOL;1;24;renewal;",
    )
    assert set(outcome_codes(app, submit("\n".join(loaded), "load-serials", "VENDOR"))) == {"created"}
    text = "Serial;E-mail;Quantity\nCERT-001;a@b.it;\nCERT-002;a@b.it;1\nCERT-002;a@b.it;\nCERT-003;a@b.it;\n"
    batch = submit(text.replace("CERT-002;a@b.it;\n", ""), "register-serials", "MINE")
    with app.engine.connect() as connection:
        query = "SELECT license_number FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal"
        return [row[0] for row in fetch(connection, query, {"b": batch})]


def renew(submit: Submit, *rows: str, sender: str = "MINE", **options: object) -> int:
    """Send rows of ``renew-maintenance``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "renew-maintenance", sender, **options)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """Renewed, the same again, by serial, of another product, too small, unknown, someone else's, nothing named."""
    suite, part, tool = licenses
    batch = renew(
        submit,
        f"{suite};;RENEW-05",
        f"{suite};;renew 05",
        ";CERT-001;RENEW-07",
        f"{part};;RENEW-07",
        f"{suite};;RENEW-01",
        f"{tool};;RENEW-01",
        f"{suite};;CERT-001",
        f"{suite};;NOT-THERE",
        "L-0;;RENEW-07",
        ";NO-SUCH;RENEW-07",
        ";;RENEW-07",
        f"{part};;RENEW-05",
    )
    assert outcome_codes(app, batch) == [
        "renewed", "already_renewed", "renewed", "renewed", "renewal_of_another_product", "renewed",
        "serial_makes_license", "unknown_serial", "unknown_license", "unknown_license", "license_required",
        "renewal_too_small",
    ]  # fmt: skip
    assert outcome_codes(app, renew(submit, f"{suite};;RENEW-05", sender="OTHER")) == ["unknown_license"]


def test_the_license_stays_and_its_key_says_until_when(app: App, submit: Submit, licenses: list[str]) -> None:
    """Renewals add up, the level is the newer one, the number is the same, and the key carries the new end."""
    renew(submit, f"{licenses[0]};;RENEW-05", f"{licenses[0]};;RENEW-07")
    today = datetime.now(UTC).date()
    with app.engine.connect() as connection:
        query = "SELECT key, maintained_from, maintained_until, support_level FROM licenses WHERE number = %(n)s"
        ((key, starts, ends, level),) = fetch(connection, query, {"n": licenses[0]})
    claims = claims_of(key)
    assert (starts, ends, level) == (
        today,
        add_months(add_months(add_months(today, 12), 12), 6),
        "platinum",
    )
    assert (claims.license_number, claims.maintained_until, claims.quantity) == (licenses[0], ends, 5)


def test_a_serial_with_several_licenses_must_be_told_apart(app: App, submit: Submit, licenses: list[str]) -> None:
    """Where a certificate became two licenses, its number does not say which one is meant."""
    submit("Serial;E-mail;Reference\nCERT-002;a@b.it;SECOND\n", "register-serials", "MINE")
    assert outcome_codes(app, renew(submit, ";CERT-002;RENEW-07")) == ["several_licenses"]


def test_a_lapse_is_refused_where_the_product_says_so(app: App, submit: Submit, licenses: list[str]) -> None:
    """A product whose policy is to refuse answers with the day that maintenance lapsed."""
    with transaction(app.engine) as connection:
        run(connection, "UPDATE products SET lapse_policy = 'refuse'", {})
        maintain(connection, "2020-01-01", "2021-06-30")
    batch = renew(submit, f"{licenses[0]};;RENEW-05")
    assert outcome_codes(app, batch) == ["maintenance_lapsed"]
    with app.engine.connect() as connection:
        query = "SELECT detail FROM outcomes WHERE batch_id = %(b)s"
        assert fetch(connection, query, {"b": batch}) == [("2021-06-30",)]


def test_preview_says_what_the_run_does(app: App, submit: Submit, licenses: list[str]) -> None:
    """Rows that lean on earlier rows of other subjects, over two slices: the preview says what the run does."""
    rows = [f"{licenses[0]};;RENEW-05", f"{licenses[1]};;RENEW-05", f"{licenses[2]};;RENEW-01"] * 5
    previewed = renew(submit, *rows, confirm="ask")
    with app.engine.connect() as connection:
        query = "SELECT code FROM previews WHERE batch_id = %(b)s ORDER BY ordinal"
        said = [row[0] for row in fetch(connection, query, {"b": previewed})]
    assert (
        said
        == ["renewed", "renewal_too_small", "renewed"] + ["already_renewed", "renewal_too_small", "already_renewed"] * 4
    )
    assert outcome_codes(app, renew(submit, *rows)) == said

"""``upgrade-licenses`` from a list to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.wiring import App
from models.database import fetch, run, transaction
from signing.tokens import claims_of
from tests.apps import account, kept, maintain, outcome_codes, product

Submit = Callable[..., int]
HEADER = "Notification ID;License;Product;Quantity;Support contact;Host ID;Reference\n"


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """Ten SUITE 3.0 of MINE with maintenance, notified (N-1) of 5.0, two steps away; one TOOL 1.0, notified (N-2)."""
    account(app, "MINE", "customer")
    account(app, "OTHER", "customer")
    product(app, "PRO")
    releases = (
        "Product;Name;Version;Release date;Upgrade from",
        "SUITE;Suite;3.0;2020-01-01;",
        "SUITE;Suite;4.0;2021-01-01;SUITE@3.0",
        "SUITE;Suite;5.0;2022-01-01;SUITE@4.0",
        "PRO;Pro;5.0;2022-01-01;SUITE@3.0",
        "TOOL;Tool;1.0;2020-01-01;",
        "TOOL;Tool;2.0;2022-01-01;TOOL@1.0",
    )
    submit("\n".join(releases), "load-products", "VENDOR")
    loaded = "Serial;Product;Version;Quantity;Maintenance (months)\nCERT-001;SUITE;3.0;10;12\nCERT-002;TOOL;1.0;1;12\n"
    submit(loaded, "load-serials", "VENDOR")
    batch = submit("Serial;E-mail\nCERT-001;a@b.it\nCERT-002;a@b.it\n", "register-serials", "MINE")
    with transaction(app.engine) as connection:
        maintain(connection, "2020-01-01", "2022-12-31")
        query = "SELECT license_number FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal"
        found = [row[0] for row in fetch(connection, query, {"b": batch})]
        for key, license, sku, version in (("N1", found[0], "SUITE", "5.0"), ("N2", found[1], "TOOL", "2.0")):
            run(
                connection,
                "INSERT INTO notifications (key, code, license_number, root_number, owner_id, release_id, quantity,"
                " remaining, batch_id, ordinal) SELECT %(key)s, %(key)s, l.number, l.number, l.customer_id, r.id,"
                " l.quantity, l.quantity, 0, 0 FROM licenses l, releases r JOIN products p ON p.id = r.product_id"
                " WHERE l.number = %(license)s AND p.sku = %(sku)s AND r.version = %(version)s",
                {"key": key, "license": license, "sku": sku, "version": version},
            )
    return found


def upgrade(submit: Submit, *rows: str, sender: str = "MINE", **options: object) -> int:
    """Send rows of ``upgrade-licenses``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "upgrade-licenses", sender, **options)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """In part, the same again, another product, too much, the rest, used up; by license; unknown; someone else's."""
    batch = upgrade(
        submit,
        "N-1;;SUITE;3;;;",
        "n 1;;suite;3;;;",
        "N-1;;SUITE;3;;;SECOND",
        "N-1;;TOOL;1;;;",
        "N-1;;SUITE;5;;;",
        "N-1;;PRO;4;;;",
        "N-1;;SUITE;1;;;",
        f";{licenses[1]};TOOL;1;;;",
        ";L-0;TOOL;1;;;",
        "N-9;;TOOL;1;;;",
        ";;TOOL;1;;;",
        "N-2;;TOOL;;;;",
    )
    assert outcome_codes(app, batch) == [
        "issued_in_part", "already_issued", "issued_in_part", "product_not_offered", "quantity_not_left", "issued",
        "notification_used", "issued", "unknown_notification", "unknown_notification", "license_required",
        "missing_value",
    ]  # fmt: skip
    assert outcome_codes(app, upgrade(submit, "N-1;;SUITE;3;;;", sender="OTHER")) == ["unknown_notification"]
    with app.engine.connect() as connection:
        query = "SELECT sku, version, sum(quantity)::int FROM licenses l JOIN products p ON p.id = l.product_id"
        left = fetch(connection, query + " WHERE l.state = 'active' GROUP BY 1, 2 ORDER BY 1", {})
        states = fetch(connection, "SELECT key, remaining, state FROM notifications ORDER BY key", {})
    assert left == [("PRO", "5.0", 4), ("SUITE", "5.0", 6), ("TOOL", "2.0", 1)]
    assert states == [("N1", 0, "used"), ("N2", 0, "used")]


def test_the_new_key_keeps_its_maintenance_and_the_chain_is_traced(
    app: App, submit: Submit, licenses: list[str]
) -> None:
    """The key names the new version and the end of maintenance; both licenses name each other by the parent link."""
    upgrade(submit, "N-1;;SUITE;10;new@b.it;H7;")
    with app.engine.connect() as connection:
        query = (
            "SELECT l.key, l.parent_number, l.cause, o.state, l.support_contact FROM licenses l"
            " JOIN licenses o ON o.number = l.parent_number"
        )
        ((key, parent, cause, state, contact),) = fetch(connection, query, {})
    claims = claims_of(key)
    assert (claims.sku, claims.version, claims.quantity, claims.host) == ("SUITE", "5.0", 10, "H7")
    assert str(claims.maintained_until) == "2022-12-31"
    assert (parent, cause, state, contact) == (licenses[0], "upgrade", "superseded", "new@b.it")


def test_a_notification_follows_a_license_to_its_new_host(app: App, submit: Submit, licenses: list[str]) -> None:
    """A license that moved as a whole is still upgraded by the notification that was sent for the old one."""
    with transaction(app.engine) as connection:
        run(connection, "UPDATE licenses SET host_id = 'H1'", {})
    submit(f"License;New host ID\n{licenses[0]};H2\n", "rehost-licenses", "MINE")
    assert outcome_codes(app, upgrade(submit, "N-1;;SUITE;10;;;")) == ["issued"]


def test_the_rest_of_a_moved_license_is_upgraded(app: App, submit: Submit, licenses: list[str]) -> None:
    """Where part of the license moved, the notification, or the old number, stands for what is left of it."""
    with transaction(app.engine) as connection:
        run(connection, "UPDATE licenses SET host_id = 'H1'", {})
    submit(f"License;New host ID;Quantity\n{licenses[0]};H2;4\n", "rehost-licenses", "MINE")
    batch = upgrade(submit, "N-1;;SUITE;7;;;", f";{licenses[0]};SUITE;6;;;")
    assert outcome_codes(app, batch) == ["quantity_not_left", "issued"]


def test_a_notification_follows_what_is_left_to_its_new_host(app: App, submit: Submit, licenses: list[str]) -> None:
    """Part of the license moved, part was upgraded, then all the rest moved: the notification is for that."""
    with transaction(app.engine) as connection:
        run(connection, "UPDATE licenses SET host_id = 'H1'", {})
    submit(f"License;New host ID;Quantity\n{licenses[0]};H2;4\n", "rehost-licenses", "MINE")
    assert outcome_codes(app, upgrade(submit, "N-1;;SUITE;1;;;")) == ["issued_in_part"]
    submit(f"License;New host ID\n{licenses[0]};H3\n", "rehost-licenses", "MINE")
    assert outcome_codes(app, upgrade(submit, "N-1;;SUITE;6;;;", "N-1;;SUITE;5;;;")) == ["quantity_not_left", "issued"]


def test_a_lapse_is_told_with_its_day(app: App, submit: Submit, licenses: list[str]) -> None:
    """Maintenance that ended before the release does not cover it."""
    with transaction(app.engine) as connection:
        run(connection, "UPDATE licenses SET maintained_until = '2021-12-31' WHERE maintained_from IS NOT NULL", {})
    batch = upgrade(submit, "N-1;;SUITE;1;;;")
    with app.engine.connect() as connection:
        query = "SELECT code, detail FROM outcomes WHERE batch_id = %(b)s"
        assert fetch(connection, query, {"b": batch}) == [("maintenance_lapsed", "2021-12-31")]


def test_a_license_with_two_notifications_must_be_told_apart(app: App, submit: Submit, licenses: list[str]) -> None:
    """A license number alone does not say which of two offers is meant."""
    with transaction(app.engine) as connection:
        run(connection, "UPDATE notifications SET license_number = %(n)s", {"n": licenses[0]})
    assert outcome_codes(app, upgrade(submit, f";{licenses[0]};SUITE;1;;;")) == ["several_notifications"]


def test_preview_says_what_the_run_does_and_a_second_run_changes_nothing(
    app: App, submit: Submit, licenses: list[str]
) -> None:
    """Twelve parts over two slices: previewed, run, and run again with the same licenses."""
    rows = [f"N-1;;SUITE;1;;H{number};" for number in range(12)]
    previewed = upgrade(submit, *rows, confirm="ask")
    with app.engine.connect() as connection:
        query = "SELECT code FROM previews WHERE batch_id = %(b)s ORDER BY ordinal"
        said = [row[0] for row in fetch(connection, query, {"b": previewed})]
    assert said == ["issued_in_part"] * 9 + ["issued"] + ["notification_used"] * 2
    assert outcome_codes(app, upgrade(submit, *rows)) == said
    assert outcome_codes(app, upgrade(submit, *rows)) == ["already_issued"] * 10 + ["notification_used"] * 2


def test_the_old_number_stands_for_the_rest_that_was_notified(app: App, submit: Submit, licenses: list[str]) -> None:
    """Part of it moved before the notification: the number of before finds the ID of what was left."""
    with transaction(app.engine) as connection:
        run(connection, "DELETE FROM notifications", {})
        run(connection, "UPDATE licenses SET host_id = 'H1'", {})
    moved = submit(f"License;New host ID;Quantity\n{licenses[0]};H2;4\n", "rehost-licenses", "MINE")
    assert outcome_codes(app, moved) == ["issued_in_part"]
    submit("Product;Release\nSUITE;5.0\n", "notify-upgrades", "VENDOR")
    assert outcome_codes(app, upgrade(submit, f";{licenses[0]};SUITE;6;;;", f";{licenses[0]};SUITE;6;;;")) == [
        "issued",
        "already_issued",
    ]

"""``load-serials`` and ``register-serials`` from a list to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from config.wiring import App
from models import accounts, serials
from models.database import fetch, transaction
from signing.tokens import claims_of
from tests.apps import account, kept, outcome_codes, product

Submit = Callable[..., int]
LOADED = "Serial;Product;Quantity;Term;Maintenance (months);Purpose;Prints the key;Void\n"
HEADER = "Serial number;Company;Customer number;E-mail;Country;Host ID;Quantity;Reference\n"


@pytest.fixture
@kept
def stock(app: App, submit: Submit) -> None:
    """A distributor, a customer that delegated to it and one that did not, and serials of every sort."""
    account(app, "DIST", "distributor")
    account(app, "MINE", "customer")
    account(app, "OTHER", "customer")
    product(app, "SUITE")
    product(app, "HOST", host_bound=True)
    with transaction(app.engine) as connection:
        accounts.delegate(connection, [("MINE", "DIST")])
    rows = ("TEN-0001;SUITE;10;;12;;;", "SUB-0001;SUITE;1;12;;;;", "HOST-001;HOST;;;;;;", "PRINTED1;SUITE;;;;;yes;")
    more = ("VOID-001;SUITE;;;;;;yes", "RENEW-01;SUITE;;;12;renewal;;")
    batch = submit(LOADED + "\n".join(rows + more), "load-serials", "VENDOR")
    assert outcome_codes(app, batch) == ["created"] * 6


def register(submit: Submit, *rows: str, sender: str = "DIST", **options: object) -> int:
    """Send rows of ``register-serials``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "register-serials", sender, **options)


def licenses_of(app: App, batch_id: int) -> list[tuple[object, ...]]:
    """(number, quantity, key) of the licenses that a batch's rows name, in file order."""
    with app.engine.connect() as connection:
        return fetch(
            connection,
            "SELECT l.number, l.quantity, l.key FROM outcomes o JOIN licenses l ON l.number = o.license_number"
            " WHERE o.batch_id = %(b)s ORDER BY o.ordinal",
            {"b": batch_id},
        )


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, stock: None) -> None:
    """Parts of a quantity, the rest, the same again, too much, of another, void, printed, host, delegation, typing."""
    batch = register(
        submit,
        "TEN-0001;Rossi SpA;;a@b.it;IT;;4;",
        "ten 0001;Rossi S.p.A.;;a@b.it;IT;;4;",
        "TEN-0001;Rossi SpA;;a@b.it;IT;;4;SECOND",
        "TEN-0001;Rossi SpA;;a@b.it;IT;;3;THIRD",
        "TEN-0001;Bianchi;;a@b.it;IT;;1;",
        "TEN-0001;Rossi SpA;;a@b.it;IT;;;",
        "TEN-0001;Rossi SpA;;a@b.it;IT;;1;MORE",
        "VOID-001;Rossi SpA;;a@b.it;IT;;;",
        "PRINTED1;Rossi SpA;;a@b.it;IT;;;",
        "PRINTED1;Rossi SpA;;a@b.it;IT;;;",
        "PRINTED1;Bianchi;;a@b.it;IT;;;",
        "HOST-001;;MINE;a@b.it;IT;;;",
        "HOST-001;;MINE;a@b.it;IT;H-1;;",
        "SUB-0001;;OTHER;a@b.it;IT;;;",
        "SUB-0001;;NOBODY;a@b.it;IT;;;",
        "SUB-0001;;;a@b.it;IT;;;",
        "RENEW-01;Rossi SpA;;a@b.it;IT;;;",
        "NOT-THERE-1;Rossi SpA;;a@b.it;IT;;;",
        "KMS-0000000-0000000-0000001;Rossi SpA;;a@b.it;IT;;;",
    )
    assert outcome_codes(app, batch) == [
        "issued", "already_issued", "issued", "quantity_not_left", "already_registered", "issued", "serial_used_up",
        "serial_void", "no_key_needed", "unchanged", "already_registered", "host_required", "issued", "not_delegated",
        "not_delegated", "customer_required", "serial_renews_maintenance", "unknown_serial", "mistyped_code",
    ]  # fmt: skip
    assert [quantity for _, quantity, _ in licenses_of(app, batch)] == [4, 4, 4, 2, 1]


def test_the_same_file_again_gets_the_same_keys(app: App, submit: Submit, stock: None) -> None:
    """A second batch of the same rows issues nothing and names the same licenses."""
    rows = ("TEN-0001;Rossi;;a@b.it;IT;H1;4;", "TEN-0001;Rossi;;a@b.it;IT;H2;;", "SUB-0001;;MINE;a@b.it;;;;")
    first, second = register(submit, *rows), register(submit, *rows)
    assert outcome_codes(app, second) == ["already_issued"] * 3
    assert licenses_of(app, first) == licenses_of(app, second)


def test_a_customer_registers_for_itself(app: App, submit: Submit, stock: None) -> None:
    """A customer needs no company; its distributor, for whom it delegated, finds the same key; others are refused."""
    first = register(submit, "SUB-0001;;;a@b.it;;;;", "TEN-0001;;OTHER;a@b.it;;;;", sender="MINE")
    assert outcome_codes(app, first) == ["issued", "not_delegated"]
    again = register(submit, "SUB-0001;;MINE;a@b.it;;;;", "SUB-0001;Mine;;a@b.it;;;;")
    assert outcome_codes(app, again) == ["already_issued", "already_registered"]
    assert licenses_of(app, again) == licenses_of(app, first)


def test_subscriptions_expire_and_maintenance_is_in_the_key(app: App, submit: Submit, stock: None) -> None:
    """A serial with a term gives a key that expires; one with maintenance gives a key that says until when."""
    batch = register(submit, "SUB-0001;;MINE;a@b.it;;;;", "TEN-0001;;MINE;a@b.it;;;;")
    subscription, maintained = (claims_of(str(key)) for _, _, key in licenses_of(app, batch))
    year = datetime.now(UTC).year + 1
    assert subscription.expires_at is not None
    assert subscription.maintained_until is None
    assert maintained.expires_at is None
    assert maintained.maintained_until is not None
    assert maintained.maintained_until.year == year
    assert (maintained.quantity, maintained.customer_number) == (10, "MINE")


def test_preview_says_what_the_run_does(app: App, submit: Submit, stock: None) -> None:
    """Parts of one quantity over several slices: the preview reckons with what earlier rows would take."""
    rows = [f"TEN-0001;Rossi;;a@b.it;IT;H{number};1;" for number in range(12)] + ["TEN-0001;Bianchi;;a@b.it;IT;X;1;"]
    previewed = register(submit, *rows, confirm="ask")
    with app.engine.connect() as connection:
        query = "SELECT code FROM previews WHERE batch_id = %(b)s ORDER BY ordinal"
        said = [row[0] for row in fetch(connection, query, {"b": previewed})]
    assert said == ["issued"] * 10 + ["serial_used_up"] * 2 + ["already_registered"]
    assert outcome_codes(app, register(submit, *rows)) == said


def test_what_was_bought_is_issued_or_left(app: App, submit: Submit, stock: None) -> None:
    """Quantities of licenses and what is left on serials add up to what was loaded."""
    register(submit, "TEN-0001;Rossi;;a@b.it;IT;;7;", "HOST-001;Rossi;;a@b.it;IT;H;;", "TEN-0001;Rossi;;a@b.it;IT;;9;")
    with app.engine.connect() as connection:
        issued = fetch(connection, "SELECT sum(quantity)::int FROM licenses WHERE serial_id IS NOT NULL", {})[0][0]
        assert serials.sums(connection) == {"quantity": 13, "remaining": 13 - issued}
    assert issued == 8


def test_a_load_tells_new_from_changed_and_leaves_alone_what_is_registered(
    app: App, submit: Submit, stock: None
) -> None:
    """Created, unchanged, updated; a registered serial may grow and nothing else; unknown product, typing error."""
    register(submit, "TEN-0001;Rossi;;a@b.it;IT;;4;")
    rows = (
        "TEN-0001;SUITE;10;;;;;",
        "TEN-0001;SUITE;12;;;;;",
        "TEN-0001;SUITE;3;;;;;",
        "TEN-0001;HOST;;;;;;",
        "TEN-0001;SUITE;;;;;;yes",
        "SUB-0001;SUITE;5;24;;;;",
        "SUB-0001;SUITE;5;24;;;;",
        "VOID-001;SUITE;;;;;;no",
        "NEW-0001;NOTHING;;;;;;",
        "KMS-0000000-0000000-0000001;SUITE;;;;;;",
        "NEW-0002;SUITE;;;;renewal;;",
    )
    batch = submit(LOADED + "\n".join(rows), "load-serials", "VENDOR")
    assert outcome_codes(app, batch) == [
        "unchanged", "updated", "serial_in_use", "serial_in_use", "serial_in_use", "updated", "unchanged", "updated",
        "unknown_product", "mistyped_code", "missing_value",
    ]  # fmt: skip
    with app.engine.connect() as connection:
        found = serials.by_key(connection, ["TEN0001", "SUB0001", "VOID001"], lock=False)
    assert (found["TEN0001"].quantity, found["TEN0001"].remaining) == (12, 8)
    assert (found["SUB0001"].remaining, found["SUB0001"].term_months) == (5, 24)
    assert found["VOID001"].state == "unregistered"


def test_guesses_at_serials_stop_an_account(app: App, submit: Submit, stock: None) -> None:
    """Unknown serials count as guesses, as unknown vouchers do."""
    object.__setattr__(app, "settings", app.settings.model_copy(update={"unknown_codes_a_day": 20}))
    register(submit, *(f"GUESS-{number:04d};Rossi;;a@b.it;IT;;;" for number in range(40)))
    with app.engine.connect() as connection:
        found = accounts.by_number(connection, "DIST")
    assert found is not None
    assert found.state == "suspended"

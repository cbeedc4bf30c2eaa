"""``load-accounts``, ``load-products``, ``load-vouchers``: created, updated, unchanged, refused."""

from __future__ import annotations

from collections.abc import Callable

from config.wiring import App
from jobs import status
from models import accounts, products
from models.database import scalar
from tests.apps import account, outcome_codes, product

Submit = Callable[..., int]


def _vendor(submit: Submit, kind: str, text: str, **options: object) -> int:
    return submit(text, kind=kind, account="VENDOR", **options)


def test_accounts_are_created_updated_and_left_alone(app: App, submit: Submit) -> None:
    """A new number creates, another cell updates, the same row or a blank cell does nothing; a type never changes."""
    first = "account,name,type,country,confirm\nA1,Acme,oem,IT,auto\nD1,Dist,distributor,DE,\nC1,Cust,customer,FR,\n"
    assert outcome_codes(app, _vendor(submit, "load-accounts", first)) == ["created"] * 3
    second = "account,name,type,country,delegates to\nA1,Acme,oem,,\nA1,Acme Inc,oem,,\nC1,Cust,customer,,D1\n"
    second += "A1,Acme Inc,customer,,\nC1,Cust,customer,,X9\n"
    found = outcome_codes(app, _vendor(submit, "load-accounts", second))
    assert found == ["unchanged", "updated", "updated", "account_in_use", "unknown_account"]
    with app.engine.connect() as connection:
        acme = accounts.by_number(connection, "a1")
        assert acme is not None
        assert (acme.name, acme.country, acme.confirm) == ("Acme Inc", "IT", "auto")
        customer = accounts.by_number(connection, "C1")
        assert customer is not None
        assert accounts.delegations_of(connection, [customer.id]) == {customer.id: {"D1"}}


def test_a_row_may_lean_on_an_earlier_one(app: App, submit: Submit) -> None:
    """A delegation names a distributor, an upgrade path a release, that the same file loads further up."""
    text = "account,name,type,delegates to\nD1,Dist,distributor,\nC1,Cust,customer,D1\n"
    assert outcome_codes(app, _vendor(submit, "load-accounts", text)) == ["created", "created"]
    text = "product,name,version,release date,upgrade from\nP,Prod,1.0,2025-01-01,\nP,Prod,2.0,2026-01-01,P@1.0\n"
    assert outcome_codes(app, _vendor(submit, "load-products", text)) == ["created", "updated"]
    again = _vendor(submit, "load-products", text)
    assert outcome_codes(app, again) == ["unchanged", "unchanged"]
    with app.engine.connect() as connection:
        assert products.by_sku(connection, ["p"])["P"].version == "2.0"


def test_a_preview_of_leaning_rows_is_right(app: App, submit: Submit) -> None:
    """The preview of a file whose rows lean on each other says what the run does, and writes nothing."""
    rows = "".join(f"P{n},Prod,1,2025-01-01,{'' if n == 0 else f'P{n - 1}@1'}\n" for n in range(25))
    text = "product,name,version,release date,upgrade from\n" + rows
    batch_id = _vendor(submit, "load-products", text, confirm="ask")
    assert status.of_batch(app, batch_id)["preview"]["codes"] == {"created": 25}
    with app.engine.connect() as connection:
        assert scalar(connection, "SELECT count(*) FROM products") == 0


def test_products_refuse_what_cannot_be(app: App, submit: Submit) -> None:
    """A release date without a version, and an upgrade from a version that nobody knows."""
    text = "product,name,version,release date,upgrade from\nP,Prod,,2025-01-01,\nP,Prod,2,,P@1\n"
    assert outcome_codes(app, _vendor(submit, "load-products", text)) == ["version_required", "unknown_version"]


def test_codes_of_another_system_are_loaded_once(app: App, submit: Submit) -> None:
    """New codes are created; the same ones unchanged; another OEM's, a typo in one of ours, an unknown OEM refused."""
    account(app, "OEM")
    account(app, "OTHER")
    product(app, "P")
    text = "code;oem;product;term\nABC 123-x;OEM;P;12\nabc123X;OEM;P;12\nABC123X;OEM;P;24\nABC123X;OTHER;P;\n"
    text += "KMV-0000000-0000000-0000001;OEM;P;\nZZZ999;NOBODY;P;\nZZZ999;OEM;NOTHING;\nZZZ999;VENDOR;P;\n"
    assert outcome_codes(app, _vendor(submit, "load-vouchers", text)) == [
        "created",
        "unchanged",
        "updated",
        "voucher_of_another",
        "mistyped_code",
        "unknown_account",
        "unknown_product",
        "not_an_oem",
    ]


def test_a_redeemed_voucher_never_changes(app: App, submit: Submit) -> None:
    """Once redeemed, a loaded code is unchanged when loaded alike and refused when loaded otherwise."""
    account(app, "OEM")
    product(app, "P")
    _vendor(submit, "load-vouchers", "code;oem;product\nABC-1234;OEM;P\n")
    submit("code;company\nABC-1234;Rossi\n")
    text = "code;oem;product;term\nABC-1234;OEM;P;\nABC-1234;OEM;P;12\n"
    assert outcome_codes(app, _vendor(submit, "load-vouchers", text)) == ["unchanged", "voucher_in_use"]

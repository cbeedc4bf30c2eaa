"""``mint-vouchers``: orders, their identity, and codes made in slices."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from config.wiring import App
from jobs import running, status
from licensing import codes
from models import vouchers
from models.database import scalar
from tests.apps import account, outcome_codes, product

Submit = Callable[..., int]
HEADER = "oem,product,count,term,reference\n"


@pytest.fixture(autouse=True)
def parties(app: App) -> None:
    """An OEM and a product."""
    account(app, "OEM")
    product(app, "P")


def order(submit: Submit, *rows: str, **options: object) -> int:
    """Send an order list."""
    return submit(HEADER + "".join(row + "\n" for row in rows), kind="mint-vouchers", account="VENDOR", **options)


def _code_file(app: App, batch_id: int) -> list[list[str]]:
    files = {file["role"]: file for file in status.of_batch(app, batch_id)["results"]["files"]}
    text = b"".join(app.store.get(files["codes"]["name"])).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))[1:]


def test_an_order_gives_as_many_codes_as_it_asks_for(app: App, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders larger than a slice come out complete: each code once, valid, of the right OEM and product."""
    monkeypatch.setattr(running, "EFFECTS_A_SLICE", 70)
    batch_id = order(submit, "OEM,P,150,12,", "OEM,P,1,,", "OEM,P,70,,", "NOBODY,P,5,,")
    assert outcome_codes(app, batch_id) == ["minted", "minted", "minted", "unknown_account"]
    rows = _code_file(app, batch_id)
    assert len({row[0] for row in rows}) == len(rows) == 221
    assert all(codes.check(codes.match_key(row[0])) == "ours" and row[1:3] == ["P", "OEM"] for row in rows)
    with app.engine.connect() as connection:
        assert vouchers.sums(connection)["minted"] == 221
        assert scalar(connection, "SELECT count(*) FROM vouchers WHERE term_months = 12") == 150


def test_a_reference_is_an_order_s_identity(app: App, submit: Submit) -> None:
    """The same reference and order again: the same codes. With other terms: refused. Without: another order."""
    first = order(submit, "OEM,P,5,,R1", "OEM,P,5,,")
    second = order(submit, "OEM,P,5,,R1", "OEM,P,6,,R1", "OEM,P,5,,")
    assert outcome_codes(app, first) == ["minted", "minted"]
    assert outcome_codes(app, second) == ["already_minted", "reference_reused", "minted"]
    with app.engine.connect() as connection:
        assert vouchers.sums(connection)["minted"] == 15
    assert {row[0] for row in _code_file(app, first)[:5]} <= {row[0] for row in _code_file(app, second)}


def test_repeated_references_in_one_file(app: App, submit: Submit) -> None:
    """Within a file, too, the first order of a reference is minted and the others are told, in every mode."""
    rows = ["OEM,P,5,,R1", "OEM,P,5,,R1", "OEM,P,7,,R1", "OEM,P,5,,R1"]
    told = ["minted", "already_minted", "reference_reused", "already_minted"]
    assert outcome_codes(app, order(submit, *rows)) == told
    preview = order(submit, *(row.replace("R1", "R2") for row in rows), confirm="ask")
    with app.engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT code FROM previews WHERE batch_id = %(b)s ORDER BY ordinal", {"b": preview}
        )
        assert list(found.scalars()) == told
        assert vouchers.sums(connection)["minted"] == 5


def test_all_or_nothing_holds_for_orders(app: App, submit: Submit) -> None:
    """One refused order takes every other one back; without one all are minted."""
    bad = order(submit, "OEM,P,50,,", "OEM,NOTHING,5,,", on_error="stop")
    assert outcome_codes(app, bad) == ["batch_stopped", "unknown_product"]
    with app.engine.connect() as connection:
        assert vouchers.sums(connection)["total"] == 0
    good = order(submit, "OEM,P,50,,R", "OEM,P,50,,R", on_error="stop")
    assert outcome_codes(app, good) == ["minted", "already_minted"]


def test_equal_orders_without_a_reference_are_told(app: App, submit: Submit) -> None:
    """Each is minted, and the preview warns with the rows; with references nobody is warned."""
    batch_id = order(submit, "OEM,P,5,,", "OEM,P,6,,", "OEM,P,5,,", confirm="ask")
    warnings = status.of_batch(app, batch_id)["reading"]["warnings"]
    assert [(warning["code"], warning["cells"]) for warning in warnings] == [("equal_orders", ["4"])]
    with_references = order(submit, "OEM,P,5,,A", "OEM,P,5,,B", confirm="ask")
    assert status.of_batch(app, with_references)["reading"]["warnings"] == []

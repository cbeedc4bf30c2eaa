"""``draw-down`` from a list to keys and back, on a real database."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from config.wiring import App
from jobs import control, pipeline, searching
from models.database import fetch
from signing.tokens import claims_of
from tests.apps import account, answers, kept, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
HEADER = "Contract;Product;Quantity;Host ID;Cost center;Reference;License\n"
TODAY = datetime.now(UTC).date()


@pytest.fixture
@kept
def contract(app: App, submit: Submit) -> None:
    """A contract of ACME: 10 CAD with a hard stop, 4 PLM without; one that starts tomorrow; DIST registered nobody."""
    account(app, "ACME", "customer")
    account(app, "OTHER", "customer")
    account(app, "DIST", "distributor")
    product(app, "CAD", host_bound=True)
    product(app, "PLM")
    text = (
        "Contract;Customer number;Product;Quantity;Term start;Term (months);Policy;Time zone\n"
        f"FC-1;ACME;CAD;10;{TODAY};12;hard_stop;UTC\nFC-1;ACME;PLM;4;{TODAY};12;;UTC\n"
        f"FC-2;ACME;PLM;4;{TODAY + timedelta(2)};12;;UTC\n"
    )
    assert outcome_codes(app, submit(text, "load-contracts", "VENDOR")) == ["created"] * 3


def draw(submit: Submit, *rows: str, sender: str = "ACME", **options: object) -> int:
    """Send rows of ``draw-down``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "draw-down", sender, **options)


def left(app: App) -> int:
    """What is drawn of the line of CAD, by the movements, which is what its active licenses are."""
    drawn = one(app, "SELECT sum(d.quantity)::int FROM draw_downs d JOIN contract_lines l ON l.id = d.line_id"
                " JOIN products p ON p.id = l.product_id WHERE p.sku = 'CAD'")  # fmt: skip
    active = one(app, "SELECT sum(l.quantity)::int FROM licenses l JOIN products p ON p.id = l.product_id"
                 " WHERE l.state = 'active' AND p.sku = 'CAD' AND l.contract_line_id IS NOT NULL")  # fmt: skip
    assert drawn == active
    return int(10 - drawn)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, contract: None) -> None:
    """Within, the same again, beyond with and without a hard stop, what is not there, and a term to come."""
    rows = (
        "FC-1;CAD;6;H1;4711;R1;",
        "FC-1;CAD;6;H1;4711;R1;",
        "FC-1;CAD;5;H1;4711;R1;",
        "fc 1;cad;5;H2;;;",
        "FC-1;CAD;4;H2;;;",
        "FC-1;CAD;1;H3;;;",
        "FC-1;PLM;3;;;;",
        "FC-1;PLM;3;;;;",
        "FC-1;CAD;1;;;;",
        "FC-1;CAD;0;H1;;;",
        "FC-1;NONE;1;;;;",
        "FC-9;CAD;1;;;;",
        "FC-2;PLM;1;;;;",
        "FC-1;CAD;-1;;;;",
    )
    expected = [
        ("issued", None),
        ("already_issued", None),
        ("reference_reused", "R1"),
        ("pool_exhausted", "4"),
        ("issued", None),
        ("pool_exhausted", "0"),
        ("issued", None),
        ("issued_beyond_commitment", "2"),
        ("host_required", "CAD"),
        ("nothing_to_draw", None),
        ("product_not_in_contract", "NONE"),
        ("unknown_contract", None),
        ("contract_not_active", None),
        ("license_required", None),
    ]
    codes = [code for code, _ in expected]
    assert previewed_codes(app, draw(submit, *rows, confirm="ask")) == codes
    batch = draw(submit, *rows)
    given = answers(app, batch)
    assert [answer.code for answer in given] == codes
    assert all(detail in (None, answer.detail) for answer, (_, detail) in zip(given, expected, strict=True))
    assert given[1].license_number == given[0].license_number
    assert left(app) == 0
    key = one(app, "SELECT key FROM licenses WHERE number = %(n)s", n=given[0].license_number)
    claims = claims_of(key)
    assert (claims.sku, claims.quantity, claims.host, claims.customer_number) == ("CAD", 6, "H1", "ACME")
    assert claims.expires_at is not None  # with the last day of the term
    assert one(app, "SELECT cost_center FROM draw_downs WHERE reference = 'R1'") == "4711"


def test_somebody_else_s_contract_does_not_exist(app: App, submit: Submit, contract: None) -> None:
    """Neither for another customer nor for a distributor without delegation; with one it may draw."""
    assert outcome_codes(app, draw(submit, "FC-1;CAD;1;H1;;;", sender="OTHER")) == ["unknown_contract"]
    assert outcome_codes(app, draw(submit, "FC-1;CAD;1;H1;;;", sender="DIST")) == ["unknown_contract"]
    submit("Account;Name;Type;Delegates to\nACME;Acme;customer;DIST\n", "load-accounts", "VENDOR")
    assert outcome_codes(app, draw(submit, "FC-1;CAD;1;H1;;;", sender="DIST")) == ["issued"]


def test_what_is_given_back_can_be_drawn_again(app: App, submit: Submit, contract: None) -> None:
    """Part of a license, then the rest by the old number; each once for its reference; never more than there is."""
    (drawn,) = answers(app, draw(submit, "FC-1;CAD;10;H1;;;"))
    number = drawn.license_number
    assert left(app) == 0
    rows = (
        f"FC-1;CAD;-3;;;B1;{number}",
        f"FC-1;CAD;-3;;;B1;{number}",
        f"FC-1;CAD;-8;;;;{number}",
        f"FC-1;CAD;-7;;;;{number}",
        f"FC-1;CAD;-1;;;;{number}",
        "FC-1;CAD;10;H2;;;",
        f"FC-1;PLM;-1;;;;{number}",
        "FC-1;CAD;-1;;;;L-NONE",
    )
    expected = [
        "returned_in_part",
        "already_returned",
        "quantity_not_left",
        "returned",
        "license_not_active",
        "issued",
        "license_of_another_contract",
        "unknown_license",
    ]
    assert previewed_codes(app, draw(submit, *rows, confirm="ask")) == expected
    batch = draw(submit, *rows)
    assert outcome_codes(app, batch) == expected
    assert left(app) == 0
    states = "SELECT string_agg(state || ' ' || quantity, ', ' ORDER BY issued_at, quantity DESC) FROM licenses"
    assert one(app, states) == "superseded 10, active 10, revoked 7"


def test_a_drawn_license_moves_and_comes_back_when_it_is_revoked_or_reverted(
    app: App, submit: Submit, contract: None
) -> None:
    """It stays of its contract wherever it moves; what ends is drawn no more, and what is taken back is drawn again."""
    (drawn,) = answers(app, draw(submit, "FC-1;CAD;6;H1;;;"))
    moved = submit(f"License;New host ID;Quantity\n{drawn.license_number};H2;2\n", "rehost-licenses", "ACME")
    assert outcome_codes(app, moved) == ["issued_in_part"]
    assert left(app) == 4
    revoked = submit(f"License;Reason\n{answers(app, moved)[0].license_number};Lost\n", "revoke-licenses", "VENDOR")
    assert outcome_codes(app, revoked) == ["revoked"]
    assert left(app) == 6
    text = f"Batch;Row\n{revoked};1\n"
    assert outcome_codes(app, submit(text, "revert-batches", "VENDOR")) == ["reverted"]
    assert left(app) == 4
    second = draw(submit, "FC-1;CAD;4;H1;;;")
    assert left(app) == 0
    assert outcome_codes(app, submit(f"Batch;Row\n{second};1\n", "revert-batches", "VENDOR")) == ["reverted"]
    assert left(app) == 4


def test_file_order_decides_who_gets_the_last_ones(app: App, submit: Submit, contract: None) -> None:
    """Thirty rows for ten, in slices of ten rows: the first ten get one each."""
    batch = draw(submit, *(f"FC-1;CAD;1;H{n};;;" for n in range(30)))
    assert outcome_codes(app, batch) == ["issued"] * 10 + ["pool_exhausted"] * 20
    with app.engine.connect() as connection:
        assert fetch(connection, "SELECT count(*), sum(quantity)::int FROM draw_downs", {}) == [(10, 10)]


def test_what_was_taken_back_can_be_sent_again(app: App, submit: Submit, contract: None) -> None:
    """A row whose draw-down was reverted brings a new license, by the same reference."""
    first = draw(submit, "FC-1;CAD;6;H1;;R1;")
    assert outcome_codes(app, submit(f"Batch;Row\n{first};1\n", "revert-batches", "VENDOR")) == ["reverted"]
    (again,) = answers(app, draw(submit, "FC-1;CAD;6;H1;;R1;"))
    assert again.code == "issued"
    assert again.license_number != answers(app, first)[0].license_number
    assert left(app) == 4


def test_an_amendment_that_was_confirmed_first_goes_first(
    app: App, submit: Submit, drive: Callable[[], None], contract: None
) -> None:
    """Rows that draw from a contract wait for the batch that amends it."""
    header = "Contract;Customer number;Product;Quantity;Effective from\n"
    amended = submit(header + f"FC-1;ACME;CAD;20;{TODAY + timedelta(1)}\n", "load-contracts", "VENDOR", confirm="ask")
    drawn = draw(submit, "FC-1;CAD;4;H1;;;", confirm="ask")
    control.confirm(app, amended, actor="test")
    control.confirm(app, drawn, actor="test")
    pipeline.advance(app, drawn)
    runs = "SELECT count(*) FROM chunks WHERE batch_id = %(batch)s AND stage = 'run'"
    assert one(app, runs, batch=drawn) == 0
    drive()
    assert outcome_codes(app, amended) == ["amended"]
    assert outcome_codes(app, drawn) == ["issued"]


def test_licenses_are_found_by_the_cost_center_that_they_were_drawn_for(
    app: App, submit: Submit, contract: None
) -> None:
    """Wherever they moved; by any name of the column, and beside data of the owner's own under the same name."""
    first, second, third = answers(app, draw(submit, "FC-1;CAD;2;H1;4711;;", "FC-1;CAD;2;H2;IT-1;;", "FC-1;PLM;1;;;;"))
    moved = submit(f"License;New host ID;Quantity\n{first.license_number};H9;1\n", "rehost-licenses", "ACME")
    submit(f"License;Cost center\n{third.license_number};it-9\n", "annotate-licenses", "ACME")
    (part,) = answers(app, moved)
    for wanted, numbers in (
        ("cost center=4711", {first.license_number, part.license_number, part.detail}),
        ("Cost Center=it-*", {second.license_number, third.license_number}),
        ("Centro di costo=it-*", {second.license_number}),
        ("cost_center=4712", set()),
        ("cost center>4000", set()),
    ):
        found = searching.licenses(app, {}, [wanted], 100)
        assert {one["number"] for one in found} == numbers
    assert searching.license(app, part.license_number)["cost_center"] == "4711"
    assert searching.license(app, third.license_number)["cost_center"] is None


def test_other_columns_come_back_with_the_keys(app: App, submit: Submit, contract: None) -> None:
    """What a list has beside our columns stays in its place, for whoever charges it back."""
    text = "Project;Contract;Product;Quantity;Host ID;Cost center;Team\nApollo;FC-1;CAD;1;H1;4711;Red\n"
    batch = submit(text, "draw-down", "ACME")
    results = one(app, "SELECT results FROM batches WHERE id = %(b)s", b=batch)
    name = next(file["name"] for file in results["files"] if file["role"] == "result")
    (line,) = csv.DictReader(io.StringIO(b"".join(app.store.get(name)).decode("utf-8-sig")), delimiter=";")
    assert (line["Project"], line["Cost center"], line["Team"]) == ("Apollo", "4711", "Red")

"""``load-contracts`` from a list to contracts, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from config.wiring import App
from models.database import fetch
from tests.apps import account, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
HEADER = (
    "Contract;Customer number;Product;Quantity;Unit price;Currency;Term start;Term (months);Period;Policy;"
    "Growth allowance (%);Time zone;Effective from\n"
)


@pytest.fixture
def parties(app: App) -> None:
    """Two customers, one in Rome, and two products."""
    account(app, "ACME", "customer", time_zone="Europe/Rome")
    account(app, "OTHER", "customer")
    product(app, "CAD")
    product(app, "PLM")


def load(submit: Submit, *rows: str, **options: object) -> int:
    """Send rows of ``load-contracts``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "load-contracts", "VENDOR", **options)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, parties: None) -> None:
    """Two lines of a contract, the same again, amendments, other terms, somebody else's, what is not there."""
    rows = (
        "FC-1;ACME;CAD;100;12.50;EUR;2026-01-01;12;quarter;true_up;5;;",
        "fc 1;ACME;PLM;10;;;2026-01-01;18;;hard_stop;;;",
        "FC-1;ACME;CAD;100;12.50;EUR;2026-01-01;12;quarter;true_up;5;Europe/Rome;",
        "FC-1;ACME;CAD;150;;;;;;;;;2026-07-01",
        "FC-1;ACME;CAD;150;;;;;;;;;2026-07-01",
        "FC-1;ACME;CAD;160;;;;;;;;;2026-07-01",
        "FC-1;ACME;CAD;150;;;;;;hard_stop;;;",
        "FC-1;ACME;CAD;150;;;;;;;;;2027-01-01",
        "FC-1;OTHER;CAD;150;;;;;;;;;",
        "FC-1;ACME;CAD;150;;;;;;;;UTC;",
        "FC-2;ACME;CAD;5;;;2026-01-01;12;;;;Mars/Base;",
        "FC-2;ACME;CAD;5;;;;12;;;;;",
        "FC-2;NOBODY;CAD;5;;;2026-01-01;12;;;;;",
        "FC-2;ACME;NONE;5;;;2026-01-01;12;;;;;",
        "FC-2;ACME;CAD;5;;;2026-01-01;12;;;;;2026-02-01",
    )
    expected = [
        "created",
        "created",
        "unchanged",
        "amended",
        "unchanged",
        "committed_before",
        "contract_terms_fixed",
        "outside_term",
        "contract_terms_fixed",
        "contract_terms_fixed",
        "unknown_time_zone",
        "missing_value",
        "unknown_account",
        "unknown_product",
        "nothing_to_amend",
    ]
    assert previewed_codes(app, load(submit, *rows, confirm="ask")) == expected
    assert one(app, "SELECT count(*) FROM contracts") == 0
    assert outcome_codes(app, load(submit, *rows)) == expected
    with app.engine.connect() as connection:
        query = (
            "SELECT p.sku, m.since, m.quantity, m.price FROM commitments m JOIN contract_lines l ON l.id = m.line_id"
            " JOIN products p ON p.id = l.product_id ORDER BY p.sku, m.since"
        )
        assert fetch(connection, query, {}) == [
            ("CAD", date(2026, 1, 1), 100, Decimal("12.5")),
            ("CAD", date(2026, 7, 1), 150, Decimal("12.5")),
            ("PLM", date(2026, 1, 1), 10, Decimal(0)),
        ]
    assert one(app, "SELECT code || ' ' || time_zone FROM contracts") == "FC-1 Europe/Rome"
    again = ["unchanged", "unchanged", "unchanged", "unchanged"]
    assert outcome_codes(app, load(submit, *rows[:4])) == again


def test_what_was_committed_says_which_row_brought_it(app: App, submit: Submit, parties: None) -> None:
    """Every figure can be traced to its batch and row."""
    first = load(submit, "FC-1;ACME;CAD;100;;;2026-01-01;12;;;;;")
    second = load(submit, "FC-1;ACME;CAD;100;;;;;;;;;", "FC-1;ACME;CAD;80;;;;;;;;;2026-05-01")
    with app.engine.connect() as connection:
        rows = fetch(connection, "SELECT batch_id, ordinal, quantity FROM commitments ORDER BY since", {})
    assert rows == [(first, 1, 100), (second, 2, 80)]


def test_slices_do_not_matter(app: App, submit: Submit, parties: None) -> None:
    """Thirty amendments of one contract, in slices of ten, previewed and run."""
    rows = ["FC-1;ACME;CAD;1;;;2026-01-01;12;;;;;"]
    rows += [f"FC-1;ACME;CAD;{n};;;;;;;;;2026-03-{n:02d}" for n in range(2, 31)]
    expected = ["created"] + ["amended"] * 29
    assert previewed_codes(app, load(submit, *rows, confirm="ask")) == expected
    assert outcome_codes(app, load(submit, *rows)) == expected
    assert one(app, "SELECT count(*) FROM commitments") == 30

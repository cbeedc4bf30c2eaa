"""``report-usage`` from a list to what is in use, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from config.wiring import App
from models.database import fetch
from tests.apps import account, answers, kept, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
HEADER = "Contract;Customer number;Product;Date;Quantity;Host ID\n"


@pytest.fixture
@kept
def contracts(app: App, submit: Submit) -> None:
    """ACME has CAD in FC-1 and PLM in FC-1 and FC-2; OTHER has CAD in FC-3."""
    account(app, "ACME", "customer")
    account(app, "OTHER", "customer")
    product(app, "CAD")
    product(app, "PLM")
    text = "Contract;Customer number;Product;Quantity;Term start;Term (months)\n"
    rows = (("FC-1", "ACME", "CAD"), ("FC-1", "ACME", "PLM"), ("FC-2", "ACME", "PLM"), ("FC-3", "OTHER", "CAD"))
    text += "".join(f"{contract};{customer};{sku};10;2026-01-01;120\n" for contract, customer, sku in rows)
    assert outcome_codes(app, submit(text, "load-contracts", "VENDOR")) == ["created"] * 4


def report(submit: Submit, *rows: str, sender: str = "ACME", **options: object) -> int:
    """Send rows of ``report-usage``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "report-usage", sender, **options)


def in_use(app: App) -> dict[int, list[tuple[date, int]]]:
    """What is in use of every line, a day's hosts together."""
    found: dict[int, list[tuple[date, int]]] = {}
    query = "SELECT line_id, day, sum(quantity)::int FROM usage_reports WHERE is_current GROUP BY 1, 2 ORDER BY 1, 2"
    with app.engine.connect() as connection:
        for line_id, day, quantity in fetch(connection, query, {}):
            found.setdefault(line_id, []).append((day, quantity))
    return found


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, contracts: None) -> None:
    """By contract or by customer, corrected, twice, both ways, somebody else's, and days that do not count."""
    rows = (
        "FC-1;;CAD;2026-02-01;7;",
        ";ACME;CAD;2026-02-02;8;",
        "fc 1;;cad;2026-02-01;7;",
        "FC-1;;CAD;2026-02-01;9;",
        "FC-1;;CAD;2026-02-01;4;H1",
        "FC-1;;CAD;2026-02-03;4;H1",
        "FC-1;;CAD;2026-02-03;5;H2",
        ";ACME;PLM;2026-02-01;1;",
        ";;CAD;2026-02-01;1;",
        "FC-3;;CAD;2026-02-01;1;",
        ";OTHER;CAD;2026-02-01;1;",
        "FC-1;;NONE;2026-02-01;1;",
        "FC-1;;CAD;2025-12-31;1;",
        "FC-1;;CAD;2035-12-01;1;",
    )
    expected = [
        "reported",
        "reported",
        "unchanged",
        "corrected",
        "usage_overlaps",
        "reported",
        "reported",
        "several_contracts",
        "missing_value",
        "unknown_contract",
        "unknown_contract",
        "product_not_in_contract",
        "outside_term",
        "date_in_future",
    ]
    assert previewed_codes(app, report(submit, *rows, confirm="ask")) == expected
    batch = report(submit, *rows)
    assert outcome_codes(app, batch) == expected
    assert answers(app, batch)[3].detail == "7 > 9"
    (days,) = in_use(app).values()
    assert days == [(date(2026, 2, 1), 9), (date(2026, 2, 2), 8), (date(2026, 2, 3), 9)]
    assert outcome_codes(app, report(submit, *rows[3:7])) == ["unchanged", "usage_overlaps", "unchanged", "unchanged"]


def test_a_correction_leaves_the_earlier_report_visible(app: App, submit: Submit, contracts: None) -> None:
    """Each report is kept with its batch and row; one of them holds."""
    first = report(submit, "FC-1;;CAD;2026-02-01;7;")
    second = report(submit, "FC-1;;CAD;2026-02-01;9;", sender="VENDOR")
    query = "SELECT batch_id, ordinal, quantity, is_current FROM usage_reports ORDER BY id"
    with app.engine.connect() as connection:
        assert fetch(connection, query, {}) == [(first, 1, 7, False), (second, 1, 9, True)]


def test_the_last_row_of_a_file_holds(app: App, submit: Submit, contracts: None) -> None:
    """Forty words on the same day, in slices of ten: the last one is what was in use, and all are kept."""
    batch = report(submit, *(f"FC-1;;CAD;2026-02-01;{n};" for n in range(40)))
    assert outcome_codes(app, batch) == ["reported"] + ["corrected"] * 39
    assert list(in_use(app).values()) == [[(date(2026, 2, 1), 39)]]
    assert one(app, "SELECT count(*) FROM usage_reports") == 40

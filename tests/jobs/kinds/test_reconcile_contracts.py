"""``reconcile-contracts`` from usage to statements, on a real database."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from config.wiring import App
from exporters import delimited
from jobs import explaining, status
from jobs.refusals import Refused
from models import contracts, usage
from models.database import copy_line, fetch, run, transaction
from tests.apps import account, answers, kept, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
TODAY = datetime.now(UTC).date()
JANUARY = date(2026, 1, 1)
CONTRACTS = (
    "Contract;Customer number;Product;Quantity;Unit price;Currency;Term start;Term (months);Period;"
    "Report every (days);Policy\n"
)


@pytest.fixture
@kept
def contract(app: App, submit: Submit) -> None:
    """FC-1 of ACME: 100 CAD by quarters of 2026, reported every 31 days; 10 PLM of three days ago, never reported."""
    account(app, "ACME", "customer")
    product(app, "CAD")
    product(app, "PLM")
    rows = f"FC-1;ACME;CAD;100;12;EUR;{JANUARY};12;quarter;31;\nFC-1;ACME;PLM;10;;;{TODAY - timedelta(3)};24;year;;\n"
    assert outcome_codes(app, submit(CONTRACTS + rows, "load-contracts", "VENDOR")) == ["created", "created"]


def use(submit: Submit, **days: int) -> int:
    """Report usage of CAD: quantities by month and day of 2026 (``d0201``)."""
    text = "Contract;Product;Date;Quantity\n"
    text += "".join(f"FC-1;CAD;2026-{day[1:3]}-{day[3:]};{quantity}\n" for day, quantity in days.items())
    return submit(text, "report-usage", "ACME")


def reconcile(submit: Submit, *rows: str, **options: object) -> int:
    """Send rows of ``reconcile-contracts``: the batch's id."""
    text = "Contract;Product;Date\n" + "".join(row + "\n" for row in rows)
    return submit(text, "reconcile-contracts", "VENDOR", **options)


def stated(app: App, sku: str = "CAD") -> list[tuple[Any, ...]]:
    """State, period, used, over and owed of every statement of a product, oldest first."""
    query = (
        "SELECT s.state, s.period_starts, s.used, s.over, s.owed FROM statements s JOIN contract_lines l"
        " ON l.id = s.line_id JOIN products p ON p.id = l.product_id WHERE p.sku = %(sku)s ORDER BY s.id"
    )
    with app.engine.connect() as connection:
        return fetch(connection, query, {"sku": sku})


def test_a_line_is_folded_into_statements_night_by_night(app: App, submit: Submit, contract: None) -> None:
    """Open while the quarter runs, closed with its last day; the same night again changes nothing."""
    use(submit, d0101=90, d0201=110, d0301=105)
    assert answers(app, reconcile(submit, "FC-1;CAD;2026-02-10"))[0][:2] == ("reconciled", "open 1")
    assert stated(app) == [("open", JANUARY, 110, 10, Decimal("78.67"))]
    assert outcome_codes(app, reconcile(submit, "FC-1;CAD;2026-02-10")) == ["unchanged"]
    second = reconcile(submit, "FC-1;CAD;2026-04-02")
    assert answers(app, second)[0][:2] == ("reconciled", "closed 1, open 1")
    assert [row[:2] for row in stated(app)] == [("closed", JANUARY), ("open", date(2026, 4, 1))]
    assert outcome_codes(app, reconcile(submit, "FC-1;CAD;2026-02-10")) == ["unchanged"]  # an earlier night again
    files = {file["role"]: file for file in status.of_batch(app, second)["results"]["files"]}
    text = b"".join(app.store.get(files["statements"]["name"])).decode("utf-8-sig")
    first = next(csv.DictReader(io.StringIO(text)))
    assert (first["accountID"], first["productID"], first["friendlyName"]) == ("ACME", "CAD", "closed")
    assert (first["usageFromStatement"], first["entitled"], first["overageFromStatement"]) == ("110", "100", "10")
    assert (first["owed"], first["currency"], first["peakDate"]) == ("78.67", "EUR", "2026-02-01")


def test_a_row_without_a_product_is_about_all_lines(app: App, submit: Submit, contract: None) -> None:
    """Those that have begun; a line with a night of its own goes on from there, and then with the others again."""
    use(submit, d0101=90, d0201=90, d0301=90)
    assert answers(app, reconcile(submit, "FC-1;;2026-02-10"))[0][:2] == ("reconciled", "open 1")
    assert answers(app, reconcile(submit, "FC-1;CAD;2026-03-31"))[0].detail == "closed 1"
    assert outcome_codes(app, reconcile(submit, "FC-1;;2026-03-31", "FC-1;;2026-02-10")) == ["unchanged"] * 2
    late = use(submit, d0215=120)
    both = reconcile(submit, f"FC-1;;{TODAY - timedelta(2)}", f"FC-1;;{TODAY - timedelta(1)}")
    assert answers(app, both)[0].code == "reconciled"
    with app.engine.connect() as connection:
        query = "SELECT causes FROM statements WHERE state = 'adjusted' AND causes IS NOT NULL"
        assert fetch(connection, query, {})[0] == ([[late, 1]],)
        found = fetch(connection, "SELECT count(*), max(line_id), max(until) FROM reconciliations", {})
        assert found == [(1, 0, TODAY - timedelta(1))]
    assert [row[0] for row in stated(app, "PLM")] == ["open"]
    assert outcome_codes(app, reconcile(submit, f"FC-1;;{TODAY - timedelta(1)}")) == ["unchanged"]


def test_what_comes_late_adjusts_and_names_its_cause(app: App, submit: Submit, contract: None) -> None:
    """The closed statement stays as it is; beside it stands what it would be now, with the report that came late."""
    use(submit, d0101=90, d0201=90, d0301=90)
    reconcile(submit, "FC-1;CAD;2026-03-31")
    late = use(submit, d0215=120)
    assert answers(app, reconcile(submit, "FC-1;CAD;2026-03-31"))[0].detail == "adjusted 1"
    assert [row[0:4:2] for row in stated(app)] == [("closed", 90), ("adjusted", 120)]
    with app.engine.connect() as connection:
        query = "SELECT causes FROM statements WHERE state = 'adjusted'"
        assert fetch(connection, query, {}) == [([[late, 1]],)]
    assert outcome_codes(app, reconcile(submit, "FC-1;CAD;2026-03-31")) == ["unchanged"]
    use(submit, d0215=95)
    reconcile(submit, "FC-1;CAD;2026-03-31")
    assert [row[0:4:2] for row in stated(app)] == [("closed", 90), ("adjusted", 120), ("adjusted", 95)]


def test_where_nobody_reports_what_is_drawn_is_used(app: App, submit: Submit, contract: None) -> None:
    """Draw-downs of today count with tomorrow's night; until then nothing is used and nothing is missing."""
    submit("Contract;Product;Quantity\nFC-1;PLM;12\n", "draw-down", "ACME")
    night = reconcile(submit, f"FC-1;PLM;{TODAY - timedelta(1)}", f"FC-1;PLM;{TODAY}")
    assert outcome_codes(app, night) == ["reconciled", "date_in_future"]
    ((state, _, used, over, owed),) = stated(app, "PLM")
    assert (state, used, over, owed) == ("open", 0, 0, 0)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, contract: None) -> None:
    """Several nights of a line in one file, previewed and run; what is not there, and a night before the term."""
    use(submit, d0101=90, d0201=110)
    rows = (
        "FC-1;CAD;2026-01-31",
        "FC-1;CAD;2026-02-28",
        "FC-1;CAD;2026-03-31",
        "FC-1;CAD;2025-12-31",
        "FC-9;CAD;2026-01-31",
        "FC-1;NONE;2026-01-31",
    )
    expected = [
        "reconciled",
        "reconciled",
        "reconciled",
        "contract_not_active",
        "unknown_contract",
        "product_not_in_contract",
    ]
    assert previewed_codes(app, reconcile(submit, *rows, confirm="ask")) == expected
    assert outcome_codes(app, reconcile(submit, *rows)) == expected
    assert [row[:3] for row in stated(app)] == [("closed", JANUARY, 110)]


def test_every_figure_can_be_traced_to_its_rows(app: App, submit: Submit, contract: None) -> None:
    """Commitments, reports that hold and that were corrected, each with batch and row; what is not there is refused."""
    first, second = use(submit, d0101=90, d0201=90), use(submit, d0201=110)
    reconcile(submit, "FC-1;CAD;2026-03-31")
    with app.engine.connect() as connection:
        ((number,),) = fetch(connection, "SELECT id FROM statements", {})
    told = explaining.explain(app, number)
    assert (told["contract"], told["peak"], told["over"], told["peak_day"]) == ("FC-1", 110, 10, date(2026, 2, 1))
    assert [(one["quantity"], one["counts"], one["batch"], one["row"]) for one in told["reports"]] == [
        (90, True, first, 1),
        (90, False, first, 2),
        (110, True, second, 1),
    ]
    assert [(one["quantity"], one["row"]) for one in told["commitments"]] == [(100, 1)]
    with pytest.raises(Refused, match="no statement 0"):
        explaining.explain(app, 0)


def test_the_list_says_what_the_statements_say_whatever_they_are_called(app: App, submit: Submit) -> None:
    """Names that a spreadsheet would run or that hold commas, a currency that is none, figures with all decimals."""
    account(app, "ACME", "customer", name='=Acme, "Ltd"')
    product(app, "CAD", name="CAD; 2D, 3D")
    row = f"+FC-1;ACME;CAD;100;12;=,-;{JANUARY};12;quarter;31;\nFC-2;ACME;CAD;7;;;{JANUARY};12;month;7;\n"
    assert outcome_codes(app, submit(CONTRACTS + row, "load-contracts", "VENDOR")) == ["created", "created"]
    submit("Contract;Product;Date;Quantity\n+FC-1;CAD;2026-02-01;110\n", "report-usage", "ACME")
    batch_id = reconcile(submit, "+FC-1;CAD;2026-04-02", "FC-2;CAD;2026-04-02")
    files = {file["role"]: file for file in status.of_batch(app, batch_id)["results"]["files"]}
    text = b"".join(app.store.get(files["statements"]["name"])).decode("utf-8-sig")
    _, *listed = csv.reader(io.StringIO(text, newline=""))
    query = (
        "SELECT c.name, c.number, p.name, p.sku, k.code, s.state, s.period_starts, s.period_ends, n.metric, s.used,"
        " s.committed, s.over, s.owed, n.currency, s.peak, s.peak_day, s.drawn, s.missing_days, s.id FROM statements s"
        " JOIN contract_lines n ON n.id = s.line_id JOIN contracts k ON k.id = n.contract_id"
        " JOIN accounts c ON c.id = k.customer_id JOIN products p ON p.id = n.product_id"
        " WHERE s.batch_id = %(batch)s ORDER BY c.number, k.key, p.sku, s.period_starts, s.id"
    )
    with app.engine.connect() as connection:
        expected = [[_told(value) for value in row] for row in fetch(connection, query, {"batch": batch_id})]
    assert files["statements"]["rows"] == len(expected) == len(listed) == 6
    assert listed == expected
    assert listed[0][:5] == ['\'=Acme, "Ltd"', "ACME", "CAD; 2D, 3D", "CAD", "'+FC-1"]
    assert listed[0][13] == "'=,-"


def _told(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return delimited.guarded(str(value)) if value is not None else ""


def test_what_was_under_way_while_a_night_ran_is_not_forgotten(app: App, submit: Submit, contract: None) -> None:
    """A report and a draw-down of earlier days, begun before the night and committed after it, adjust the next."""
    use(submit, d0101=90)
    with app.engine.connect() as reports, app.engine.connect() as draws:
        ids = dict(fetch(reports, "SELECT p.sku, n.id FROM contract_lines n JOIN products p ON p.id = product_id", {}))
        usage.add(reports, [copy_line(ids["CAD"], date(2026, 1, 20), "", 130, True, 77, 5)])
        contracts.record(draws, [copy_line(ids["CAD"], date(2026, 3, 1), 3, "KM", None, None, 78, 6)])
        reconcile(submit, "FC-1;CAD;2026-04-02")
        reports.commit()
        assert answers(app, reconcile(submit, "FC-1;CAD;2026-04-02"))[0].detail == "adjusted 1"
        draws.commit()
    assert answers(app, reconcile(submit, "FC-1;CAD;2026-04-02"))[0].detail == "adjusted 1, open 1"
    assert outcome_codes(app, reconcile(submit, "FC-1;CAD;2026-04-02")) == ["unchanged"]
    with app.engine.connect() as connection:
        query = "SELECT peak, drawn, causes FROM statements WHERE state <> 'open' ORDER BY id"
        assert fetch(connection, query, {}) == [(90, 0, None), (130, 0, [[77, 5]]), (130, 3, [[78, 6]])]


def test_a_night_does_not_read_what_it_knows(app: App, submit: Submit, contract: None) -> None:
    """The next night counts on from what the last one closed: reports of then are not looked at again."""
    use(submit, d0101=90, d0201=110, d0301=105, d0401=70)
    reconcile(submit, "FC-1;CAD;2026-04-02")
    with transaction(app.engine) as connection:  # behind the back of everybody
        run(connection, "DELETE FROM usage_reports WHERE day < '2026-03-01'", {})
    use(submit, d0403=80)
    assert answers(app, reconcile(submit, "FC-1;CAD;2026-04-03"))[0].detail == "open 1"
    assert [row[:3] for row in stated(app)] == [("closed", JANUARY, 110), ("open", date(2026, 4, 1), 80)]


def test_in_another_cluster_everything_is_read_again(app: App, submit: Submit, contract: None) -> None:
    """Transaction ids of a database that was restored elsewhere say nothing: what was seen there does not count."""
    use(submit, d0101=90)
    reconcile(submit, "FC-1;CAD;2026-03-31")
    with transaction(app.engine) as connection:
        run(connection, "UPDATE reconciliations SET cluster = 1, seen = '9000000:9000000:'", {})
    use(submit, d0102=120)
    assert answers(app, reconcile(submit, "FC-1;CAD;2026-03-31"))[0].detail == "adjusted 1"
    assert outcome_codes(app, reconcile(submit, "FC-1;CAD;2026-03-31")) == ["unchanged"]

"""Lines that are decided together: which ones are, and that nobody can tell by their statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.wiring import App
from jobs.quiet_periods import Counted, QuietPeriods
from licensing.contracts import Commitment, Line
from models import contracts as contract_tables
from models import reconciliations
from models.database import copy_line, fetch, run, transaction
from tests.apps import account, answers, outcome_codes, product
from tests.jobs.kinds.test_reconcile_property import Told, for_good, statements
from tests.licensing.test_contracts import contracts

Submit = Callable[..., int]
JANUARY = date(2025, 1, 1)
COLUMNS = (
    "Contract;Customer number;Product;Quantity;Unit price;Currency;Term start;Term (months);Period;Metric;Policy;"
    "Growth allowance (%);Tolerance (%);Report every (days)\n"
)
SKUS = ("AMENDED", "AVERAGE", "CLOSED", "DRAWN", "GAP", "HOSTS", "LATE", "OVER", "QUIET", "SILENT")
_examples = count(1)


def load(app: App, submit: Submit, code: str, lines: dict[str, Line]) -> dict[str, int]:
    """A contract of ACME with these lines, by product: their ids."""
    account(app, "ACME", "customer")
    text = COLUMNS
    for sku, terms in lines.items():
        product(app, sku)
        one = terms.commitments[0]
        text += f"{code};ACME;{sku};{one.quantity};{one.price};EUR;{terms.starts};{terms.months};{terms.unit};"
        text += f"{terms.metric};{terms.policy};{terms.growth};{terms.tolerance};{terms.report_days or ''}\n"
    assert set(outcome_codes(app, submit(text, "load-contracts", "VENDOR"))) == {"created"}
    query = "SELECT p.sku, n.id FROM contract_lines n JOIN contracts k ON k.id = n.contract_id JOIN products p"
    with app.engine.connect() as connection:
        return dict(fetch(connection, query + " ON p.id = n.product_id WHERE k.code = %(code)s", {"code": code}))


def use(app: App, submit: Submit, rows: list[str]) -> None:
    """Report usage."""
    text = "Contract;Product;Date;Quantity;Host ID\n" + "".join(f"{row}\n" for row in rows)
    assert set(outcome_codes(app, submit(text, "report-usage", "ACME"))) <= {"reported", "corrected", "unchanged"}


def reconcile(submit: Submit, code: str, until: date, **options: Any) -> int:
    """A night of a whole contract: the batch's id."""
    return submit(f"Contract;Date\n{code};{until}\n", "reconcile-contracts", "VENDOR", **options)


@pytest.fixture
def ids(app: App, submit: Submit) -> dict[str, int]:
    """FC-1 with a line for each product, 10 committed by months of 2025, used and reconciled up to 12 January."""
    line = "FC-1;ACME;{};10;12;EUR;2025-01-01;12;month;{};true_up;10;0;1\n"
    account(app, "ACME", "customer")
    for sku in SKUS:
        product(app, sku)
    text = COLUMNS + "".join(line.format(sku, "average" if sku == "AVERAGE" else "peak") for sku in SKUS)
    assert outcome_codes(app, submit(text, "load-contracts", "VENDOR")) == ["created"] * len(SKUS)
    with app.engine.connect() as connection:
        found = dict(
            fetch(connection, "SELECT p.sku, n.id FROM contract_lines n JOIN products p ON p.id = product_id", {})
        )
    days = [JANUARY + timedelta(n) for n in range(12)]
    use(app, submit, [f"FC-1;{sku};{day};{n};" for sku in SKUS[:-1] for n, day in enumerate(days)])
    reconcile(submit, "FC-1", days[-1])
    return found


def looked_at(app: App, until: date) -> tuple[set[str], dict[str, Counted]]:
    """The products of FC-1 whose lines are quiet in a night, and what was counted of others."""
    with app.engine.connect() as connection:
        contract = fetch(connection, "SELECT id FROM contracts", {})[0][0]
        nights = reconciliations.nights(connection, [contract])
        late = reconciliations.late(connection, [contract], nights.values())
        found = QuietPeriods(connection, {contract: (nights[contract, 0].until, until)}, late)
        skus = dict(
            fetch(connection, "SELECT n.id, p.sku FROM contract_lines n JOIN products p ON p.id = product_id", {})
        )
    return {skus[line] for line in found.lines}, {skus[line]: told for line, told in found.counted.items()}


def test_a_line_is_quiet_where_nothing_but_a_day_has_come(app: App, submit: Submit, ids: dict[str, int]) -> None:
    """Not one that was drawn from, amended or closed, that misses a day though another came twice, or had one late."""
    day, reported = date(2025, 1, 14), [sku for sku in SKUS if sku not in ("GAP", "HOSTS", "SILENT")]
    rows = [f"FC-1;{sku};2025-01-{n};{12 if sku == 'OVER' else 11};" for sku in reported for n in (13, 14)]
    use(app, submit, [*rows, "FC-1;HOSTS;2025-01-13;5;H1", "FC-1;HOSTS;2025-01-13;6;H2", "FC-1;LATE;2025-01-12;10;"])
    with transaction(app.engine) as connection:
        contract_tables.record(connection, [copy_line(ids["DRAWN"], day, 1, "KM", None, None, 0, 0)])
        values = {"line": ids["CLOSED"], "amended": ids["AMENDED"]}
        run(connection, "UPDATE statements SET state = 'closed' WHERE line_id = %(line)s", values)
        run(connection, "INSERT INTO commitments VALUES (%(amended)s, '2025-01-13', 20, 12, 0, 0)", values)
    assert looked_at(app, day) == ({"AVERAGE", "QUIET"}, {})
    told = "open 8"  # the most of QUIET and CLOSED is what it was
    assert answers(app, reconcile(submit, "FC-1", day))[0].detail == told


def test_a_statement_changes_with_any_of_its_figures(app: App, submit: Submit, ids: dict[str, int]) -> None:
    """The average is what it was, the peak is not."""
    use(app, submit, [f"FC-1;AVERAGE;2025-01-{n};{used};" for n, used in ((13, 12), (14, 0), (15, 5), (16, 5))])
    assert looked_at(app, date(2025, 1, 16)) == ({"AVERAGE"}, {})
    query = "SELECT used, peak, peak_day, until FROM statements WHERE line_id = %(line)s"
    for until, peak in ((12, (11, date(2025, 1, 12))), (16, (12, date(2025, 1, 13)))):
        reconcile(submit, "FC-1", date(2025, 1, until))
        with app.engine.connect() as connection:
            told = fetch(connection, query, {"line": ids["AVERAGE"]})
        assert told == [(Decimal("5.50"), *peak, date(2025, 1, until))]


def test_what_a_new_period_has_over_is_counted_too(app: App, submit: Submit, ids: dict[str, int]) -> None:
    """The first day over, the most and its first day, and the sum; what was within the allowance is quiet."""
    days = [date(2025, 1, 13) + timedelta(n) for n in range(21)]
    use(app, submit, [f"FC-1;{sku};{day};11;" for sku in ("OVER", "QUIET") for day in days])
    reconcile(submit, "FC-1", date(2025, 1, 31))
    use(app, submit, ["FC-1;OVER;2025-02-02;13;", "FC-1;OVER;2025-02-03;14;", "FC-1;OVER;2025-02-04;14;"])
    use(app, submit, ["FC-1;QUIET;2025-02-03;10;", "FC-1;QUIET;2025-02-04;11;"])
    over = Counted(4, 52, 14, date(2025, 2, 3), date(2025, 2, 2))
    assert looked_at(app, date(2025, 2, 4)) == ({"QUIET"}, {"OVER": over})


def test_a_contract_of_quiet_lines_goes_on_from_its_last_night(app: App, submit: Submit) -> None:
    """What comes late names its cause, though no line of the contract was ever looked at closer."""
    terms = Line(JANUARY, 12, "month", "peak", "true_up", (Commitment(JANUARY, 10, Decimal(1)),), report_days=1)
    load(app, submit, "FC-2", {"QUIET": terms})
    for day in (30, 31):
        use(app, submit, [f"FC-2;QUIET;2025-01-{n};5;" for n in range(1, day + 1)])
        assert answers(app, reconcile(submit, "FC-2", date(2025, 1, day)))[0].code == "reconciled"
    text = "Contract;Product;Date;Quantity\nFC-2;QUIET;2025-01-31;7\n"
    late = submit(text, "report-usage", "ACME")
    assert answers(app, reconcile(submit, "FC-2", date(2025, 2, 1)))[0].detail == "adjusted 1, open 1"
    with app.engine.connect() as connection:
        causes = fetch(connection, "SELECT state, peak, causes FROM statements ORDER BY id", {})
    assert causes == [("closed", 5, None), ("adjusted", 7, [[late, 1]]), ("open", 0, None)]


def test_a_line_that_went_ahead_of_its_contract_is_met_where_it_is(
    app: App, submit: Submit, ids: dict[str, int]
) -> None:
    """It had a night of its own in a period that its contract has not come to."""
    days = [date(2025, 1, 13) + timedelta(n) for n in range(25)]
    use(app, submit, [f"FC-1;QUIET;{day};{n % 9};" for n, day in enumerate(days)])
    reconcile(submit, "FC-1", date(2025, 1, 31))
    submit("Contract;Product;Date\nFC-1;QUIET;2025-02-05\n", "reconcile-contracts", "VENDOR")
    assert answers(app, reconcile(submit, "FC-1", days[-1]))[0].detail == "open 10"
    query = "SELECT state, peak, until FROM statements WHERE line_id = %(line)s ORDER BY id"
    with app.engine.connect() as connection:
        told = fetch(connection, query, {"line": ids["QUIET"]})
    assert told == [("closed", 11, date(2025, 1, 31)), ("open", 6, days[-1])]


def test_no_line_is_quiet_over_the_end_of_a_period(app: App, submit: Submit, ids: dict[str, int]) -> None:
    """A night that has two periods to tell of, or none that has begun, is decided line by line."""
    assert looked_at(app, date(2025, 2, 1)) == (set(), {})
    assert looked_at(app, date(2025, 1, 31)) == (set(), {})  # days are missing


def short(line: Line) -> Line:
    """Terms of some months from January on, and one commitment."""
    starts = JANUARY + timedelta((line.starts - JANUARY).days % 25)
    commitment = line.commitments[0]._replace(since=starts)
    return replace(line, starts=starts, months=line.months % 5 + 1, commitments=(commitment,))


@settings(
    max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(st.lists(contracts(JANUARY).map(short), min_size=2, max_size=5), st.data())
def test_statements_of_lines_that_are_reported_daily_are_those_of_a_day_by_day_count(
    app: App, submit: Submit, drawn_lines: list[Line], data: st.DataObject
) -> None:
    """Night after night, with a day left out, a host more, a correction, a draw-down or an amendment now and then.

    What is closed stays; and reading everything anew, line by line, finds nothing else.
    """
    code = f"DAILY-{next(_examples)}"
    terms = {f"P{n}": one for n, one in enumerate(drawn_lines)}
    found_ids = load(app, submit, code, terms)
    lines = [Told(sku, one, data.draw(st.booleans()), found_ids[sku]) for sku, one in terms.items()]
    until, closed = JANUARY - timedelta(1), set[tuple[Any, ...]]()
    known = {line.code: line.terms.starts for line in lines}  # the next day to report
    for _ in range(data.draw(st.integers(2, 6))):
        until += timedelta(data.draw(st.integers(1, 20)))
        rows: list[str] = []
        for line in lines:
            quantity = data.draw(st.integers(0, line.terms.commitments[0].quantity + 3))
            skipped = data.draw(st.sampled_from([0, 0, 0, 0, 1]))
            first, last = known[line.code] + timedelta(skipped), min(until, line.terms.ends)
            for number in range((last - first).days + 1):
                day = first + timedelta(number)
                line.reports[day]["H1" if line.by_hosts else ""] = max(0, quantity - number % 3)
            changed = data.draw(st.sampled_from(["", "", "", "late", "host", "drawn"]))
            if line.terms.starts <= last and changed in ("late", "host"):
                day = data.draw(st.dates(line.terms.starts, last))
                host = ("H1" if changed == "late" else "H2") if line.by_hosts else ""
                line.reports[day][host] = data.draw(st.integers(0, 60))
                first = min(first, day)
            elif changed == "drawn":
                day = data.draw(st.dates(line.terms.starts, line.terms.ends))
                line.drawn[day] += 1
                with transaction(app.engine) as connection:
                    contract_tables.record(connection, [copy_line(line.id, day, 1, "KM", None, None, 0, 0)])
            known[line.code] = max(known[line.code], last + timedelta(1))
            rows += [
                f"{code};{line.code};{day};{quantity};{host}"
                for day, hosts in line.reports.items()
                if day >= first
                for host, quantity in hosts.items()
            ]
        if rows:
            use(app, submit, rows)
        reconcile(submit, code, until)
        found = statements(app, lines)
        assert closed <= (closed := for_good(found))
        assert {row[:2]: row[2:9] for row in found} == {
            (line.id, starts): figures for line in lines for starts, figures in line.expected(until).items()
        }
    with transaction(app.engine) as connection:
        run(connection, "DELETE FROM reconciliations", {})
    assert {one.code for one in answers(app, reconcile(submit, code, until))} <= {"unchanged", "contract_not_active"}
    assert statements(app, lines) == found

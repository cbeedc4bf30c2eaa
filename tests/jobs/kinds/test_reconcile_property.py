"""Many nights of random contracts through the database and the kinds, held against a plain day-by-day count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.wiring import App
from jobs import control, sweep, working
from jobs.refusals import Refused
from licensing.contracts import Commitment, Line, rounded
from models import contracts as contract_tables
from models.database import copy_line, fetch, run, transaction
from tests.apps import account, answers, outcome_codes, product
from tests.licensing.test_contracts import contracts, naive, naive_owed

Submit = Callable[..., int]
EARLIEST = date(2022, 1, 1)  # every term is over by now
LINES = st.lists(contracts(EARLIEST), min_size=1, max_size=12)  # ten rows make a chunk
_examples = count(1)


@dataclass
class Told:
    """A line and what is known of it: reports by day, then by host, and what was drawn, less what came back, by day."""

    code: str
    terms: Line
    by_hosts: bool
    id: int = 0
    reports: defaultdict[date, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    drawn: defaultdict[date, int] = field(default_factory=lambda: defaultdict(int))

    def expected(self, until: date) -> dict[date, tuple[Any, ...]]:
        """What the newest statement of each period says after a night."""
        used, terms = {day: sum(hosts.values()) for day, hosts in sorted(self.reports.items())}, self.terms
        if terms.report_days is None:  # what is drawn is used, and known on every day
            days = {terms.starts, *self.drawn}
            used = {day: sum(moved for one, moved in self.drawn.items() if one <= day) for day in days}
            terms = replace(terms, report_days=10_000)
        found = {}
        for period in terms.periods():
            if period.starts <= until:
                last = min(period.ends, until)
                average, over, peak_day, first, missing = naive(terms, period, used, last)
                owed = naive_owed(terms, period, over, first, last)
                committed = [one.quantity for one in terms.commitments if one.since <= last][-1]
                moved = sum(moved for day, moved in self.drawn.items() if day <= last)
                found[period.starts] = (
                    committed, moved, rounded(average), peak_day, rounded(over), rounded(owed), len(missing)
                )  # fmt: skip
        return found


def load(app: App, submit: Submit, lines: list[Told], *, only: Commitment | None = None) -> list[str]:
    """Send lines to ``load-contracts``, as they began or with one more commitment; the codes."""
    text = (
        "Contract;Customer number;Product;Quantity;Unit price;Term start;Term (months);Period;Metric;Policy;"
        "Growth allowance (%);Tolerance (%);Report every (days);Effective from\n"
    )
    for line in lines:
        terms, one = line.terms, only or line.terms.commitments[0]
        text += f"{line.code};ACME;CAD;{one.quantity};{one.price};{terms.starts};{terms.months};{terms.unit};"
        text += (
            f"{terms.metric};{terms.policy};{terms.growth};{terms.tolerance};{terms.report_days or ''};{one.since}\n"
        )
    return outcome_codes(app, submit(text, "load-contracts", "VENDOR"))


def report(app: App, submit: Submit, data: st.DataObject, lines: list[Told], until: date) -> None:
    """New, late and corrected reports of any day of the terms, several of one day too."""
    text, rows = "Contract;Product;Date;Quantity;Host ID\n", 0
    for line in lines:
        if line.terms.report_days is None:
            continue
        last = min(line.terms.ends, until + timedelta(3))
        for day in data.draw(st.lists(st.dates(line.terms.starts, max(last, line.terms.starts)), max_size=12)):
            host = data.draw(st.sampled_from(["H1", "H2"])) if line.by_hosts else ""
            line.reports[day][host] = data.draw(st.integers(0, 80))
            text += f"{line.code};CAD;{day};{line.reports[day][host]};{host}\n"
            rows += 1
    if rows:
        assert set(outcome_codes(app, submit(text, "report-usage", "ACME"))) <= {"reported", "corrected", "unchanged"}


def move(app: App, data: st.DataObject, lines: list[Told]) -> None:
    """Draw-downs and returns on any day: the kinds draw only today, so these are written as the kinds write them."""
    moved = []
    for line in lines:
        for day in data.draw(st.lists(st.dates(line.terms.starts, line.terms.ends), max_size=3)):
            quantity = data.draw(st.integers(0, 30)) or -sum(line.drawn.values())
            line.drawn[day] += quantity
            moved.append(copy_line(line.id, day, quantity, "KM", None, None, 0, 0))
    with transaction(app.engine) as connection:
        contract_tables.record(connection, moved)


def amend(app: App, submit: Submit, data: st.DataObject, lines: list[Told]) -> None:
    """Perhaps another quantity and price of a line, from any day of its term on."""
    line = data.draw(st.sampled_from(lines))
    since = data.draw(st.dates(line.terms.starts, line.terms.ends))
    one = Commitment(since, data.draw(st.integers(0, 50)), data.draw(st.decimals(0, 100, places=2)))
    if load(app, submit, [line], only=one) == ["amended"]:
        known = sorted([*line.terms.commitments, one])
        line.terms = replace(line.terms, commitments=tuple(known))


def night(submit: Submit, lines: list[Told], until: date, **options: Any) -> int:
    """Send the rows of a night: the batch's id."""
    text = "Contract;Product;Date\n" + "".join(f"{line.code};CAD;{until}\n" for line in lines)
    return submit(text, "reconcile-contracts", "VENDOR", **options)


def statements(app: App, lines: list[Told]) -> list[tuple[Any, ...]]:
    """Every statement, by line and period, the newest one of a period last."""
    columns = "line_id, period_starts, committed, drawn, used, peak_day, over, owed, missing_days, state, id, until, at"
    query = f"SELECT {columns} FROM statements WHERE line_id = ANY(%(ids)s) ORDER BY line_id, period_starts, id"
    with app.engine.connect() as connection:
        return fetch(connection, query, {"ids": [line.id for line in lines]})


def for_good(rows: list[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Those that may never change again."""
    return {row for row in rows if row[9] != "open"}


def interrupted(app: App, submit: Submit, data: st.DataObject, lines: list[Told], until: date) -> None:
    """A night that ends in the middle: its batch is cancelled after some chunks."""
    batch_id = night(submit, lines, until, work=False)
    heartbeat = working.Heartbeat(app, "other", "worker", "here", 1)
    for _ in range(data.draw(st.integers(0, 3))):
        sweep.sweep(app)
        working.work_one(app, heartbeat)
    with suppress(Refused):  # it may be done by then
        control.cancel(app, batch_id, actor="VENDOR")


@settings(
    max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(LINES, st.data())
def test_night_by_night_statements_are_those_of_a_day_by_day_count(
    app: App, submit: Submit, drawn_lines: list[Line], data: st.DataObject
) -> None:
    """Whatever comes late, is corrected, given back or amended, and wherever a night was stopped.

    What is closed stays; the same night again changes nothing; and reading everything anew finds nothing else.
    """
    example = next(_examples)
    account(app, "ACME", "customer")
    product(app, "CAD")
    lines = []
    for number, terms in enumerate(drawn_lines):
        reports = terms.report_days if data.draw(st.booleans()) else None
        first = replace(terms, report_days=reports, commitments=terms.commitments[:1])
        lines.append(Told(f"FC-{example}-{number}", first, data.draw(st.booleans())))
    assert set(load(app, submit, lines)) == {"created"}
    with app.engine.connect() as connection:
        ids = dict(
            fetch(connection, "SELECT k.code, n.id FROM contracts k JOIN contract_lines n ON n.contract_id = k.id", {})
        )
    for line in lines:
        line.id = ids[line.code]
    nights = sorted(data.draw(st.lists(st.dates(EARLIEST, EARLIEST + timedelta(1000)), min_size=2, max_size=3)))
    closed: set[tuple[Any, ...]] = set()
    for until in nights:
        report(app, submit, data, lines, until)
        move(app, data, lines)
        if data.draw(st.booleans()):
            amend(app, submit, data, lines)
        if data.draw(st.booleans()):
            interrupted(app, submit, data, lines, until)
        if data.draw(st.booleans()):
            night(submit, lines, data.draw(st.sampled_from(nights[: nights.index(until) + 1])))  # an earlier one again
        night(submit, lines, until)
        found = statements(app, lines)
        assert closed <= (closed := for_good(found))
        newest = {row[:2]: row[2:9] for row in found}
        assert newest == {
            (line.id, starts): figures for line in lines for starts, figures in line.expected(until).items()
        }
    for forget in (False, True):
        if forget:
            with transaction(app.engine) as connection:
                run(connection, "DELETE FROM reconciliations", {})
        codes = {answer.code for answer in answers(app, night(submit, lines, nights[-1]))}
        assert codes <= {"unchanged", "contract_not_active"}
        assert statements(app, lines) == found

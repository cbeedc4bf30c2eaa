"""Statements of flexible contracts: worked examples of every rule, and a plain day-by-day model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from licensing.contracts import (
    DAY,
    MONTHS,
    Commitment,
    Known,
    Line,
    Period,
    Statement,
    counted,
    drawn,
    fold,
    quiet,
    reported,
    rounded,
    state,
)
from licensing.terms import add_months

JANUARY = date(2026, 1, 1)
FAR = date(2099, 1, 1)


def line(quantity: int = 100, price: str = "12.00", **changes: Any) -> Line:
    """A year from 1 January 2026 by quarters, 100 units at 12.00 a quarter, reported every day."""
    given = Line(
        JANUARY, 12, "quarter", "peak", "true_up", (Commitment(JANUARY, quantity, Decimal(price)),), report_days=1
    )
    return replace(given, **changes)


def on(day: str) -> int:
    """The number of a day of 2026, given as month and day."""
    return date.fromisoformat(f"2026-{day}").toordinal()


def used(*spans: tuple[str, str, int]) -> list[Known]:
    """Usage from a day of 2026 to another one: month and day, both included."""
    return [Known(on(first), [quantity] * (on(last) - on(first) + 1)) for first, last, quantity in spans]


def stated(contract: Line, spans: Sequence[Known], number: int = 0, until: date = FAR) -> Statement:
    """The statement of a period, by its number."""
    period = list(contract.periods())[number]
    return state(contract, period, fold(contract, period, spans, until), until)


def facts(statement: Statement, *names: str) -> tuple[Any, ...]:
    """Some of what a statement says."""
    return tuple(getattr(statement, name) for name in names)


QUARTER = used(("01-01", "01-31", 90), ("02-01", "02-28", 110), ("03-01", "03-31", 105))


def test_true_up_is_owed_from_the_first_day_over() -> None:
    """Ten too many at the peak, from 1 February on: 10 x 12.00 x 59 of 90 days."""
    told = stated(line(), QUARTER)
    assert facts(told, "committed", "used", "over", "unused") == (100, 110, 10, 0)
    assert facts(told, "peak", "peak_day") == (110, date(2026, 2, 1))
    assert facts(told, "owed", "owed_from") == (Decimal("78.67"), date(2026, 2, 1))


def test_true_forward_is_owed_from_the_review_date() -> None:
    """Nothing for the quarter itself, ten more for the whole next one; nothing when no quarter follows."""
    contract = line(policy="true_forward")
    told = stated(contract, QUARTER)
    assert facts(told, "over", "owed", "owed_from") == (10, Decimal("120.00"), date(2026, 4, 1))
    last = stated(contract, used(("10-01", "12-31", 130)), 3)
    assert facts(last, "over", "owed", "owed_from") == (30, 0, None)


def test_a_hard_stop_is_never_owed() -> None:
    """Usage beyond the commitment is shown all the same."""
    told = stated(line(policy="hard_stop"), QUARTER)
    assert facts(told, "over", "owed", "owed_from") == (10, 0, None)


def test_the_high_water_mark_of_a_quarter_is_its_peak_with_its_day() -> None:
    """The first day on which the most was in use."""
    told = stated(line(200), used(("01-01", "01-09", 5), ("01-10", "01-10", 50), ("01-11", "03-31", 50)))
    assert facts(told, "used", "peak_day", "unused") == (50, date(2026, 1, 10), 150)


def test_an_average_is_over_the_days_that_are_known() -> None:
    """(31 x 90 + 28 x 110 + 31 x 105) / 90 = 101.39; owed from the first day over."""
    told = stated(line(metric="average"), QUARTER)
    assert facts(told, "used", "over", "owed_from") == (Decimal("101.39"), Decimal("1.39"), date(2026, 2, 1))
    half = stated(line(metric="average"), used(("01-01", "01-31", 90)))
    assert facts(half, "used", "missing") == (90, (Period(date(2026, 2, 1), date(2026, 3, 31)),))


def test_the_growth_allowance_is_free() -> None:
    """With 8 % growth, 108 may be used of 100: two are owed at a peak of 110."""
    told = stated(line(growth=Decimal(8)), QUARTER)
    assert facts(told, "over", "owed") == (2, Decimal("15.73"))
    assert stated(line(growth=Decimal(10)), QUARTER).over == 0


def test_an_excess_within_the_tolerance_is_shown_and_not_owed() -> None:
    """Ten of a hundred are within 10 %; with 9 % all ten are owed."""
    within = stated(line(tolerance=Decimal(10)), QUARTER)
    assert facts(within, "over", "is_tolerated", "owed") == (10, True, 0)
    beyond = stated(line(tolerance=Decimal(9)), QUARTER)
    assert facts(beyond, "is_tolerated", "owed") == (False, Decimal("78.67"))


def test_a_term_need_not_be_twelve_months() -> None:
    """Eighteen months by the year: the second period has six, and an excess costs 181 of 365 days."""
    contract = line(months=18, unit="year")
    assert contract.periods() == (
        Period(JANUARY, date(2026, 12, 31)),
        Period(date(2027, 1, 1), date(2027, 6, 30)),
    )
    told = stated(contract, [Known(date(2027, 1, 1).toordinal(), [110] * 181)], 1)
    assert told.owed == Decimal("59.51")  # 10 x 12.00 x 181 / 365


def test_an_amendment_counts_from_its_day_on() -> None:
    """Raised to 110 on 1 February, the same usage is not over; raised on 1 March, February still is."""
    first = line().commitments[0]
    raised = line(commitments=(first, Commitment(date(2026, 2, 1), 110, Decimal("12.00"))))
    assert stated(raised, QUARTER).over == 0
    late = line(commitments=(first, Commitment(date(2026, 3, 1), 110, Decimal("12.00"))))
    told = stated(late, QUARTER)
    assert facts(told, "committed", "over", "owed_from") == (110, 10, date(2026, 2, 1))
    lowered = line(commitments=(first, Commitment(date(2026, 3, 1), 80, Decimal("12.00"))))
    assert stated(lowered, QUARTER).over == 25


def test_a_report_on_the_last_day_belongs_to_the_period() -> None:
    """No day is lost or counted twice where periods meet."""
    spans = used(("03-31", "03-31", 150), ("04-01", "04-01", 160))
    assert (stated(line(), spans).peak, stated(line(), spans, 1).peak) == (150, 160)


def test_days_without_a_report_are_missing_and_not_zero() -> None:
    """A weekly report holds for a week; what lies between is told, and an average leaves it out."""
    spans = reported([on("01-01"), on("01-05"), on("01-20")], [70, 80, 90], 7)
    assert spans == [Known(on("01-01"), [70] * 4 + [80] * 7), *used(("01-20", "01-26", 90))]
    told = stated(line(metric="average"), spans, until=date(2026, 1, 31))
    assert told.missing == (Period(date(2026, 1, 12), date(2026, 1, 19)), Period(date(2026, 1, 27), date(2026, 1, 31)))
    assert told.used == rounded(Decimal(4 * 70 + 7 * 80 + 7 * 90) / 18)
    nothing = stated(line(), [])
    assert facts(nothing, "used", "peak_day", "missing") == (0, None, (Period(JANUARY, date(2026, 3, 31)),))


def test_returns_lower_what_is_drawn_from_their_day_on() -> None:
    """Where nobody reports, what is drawn is used: the peak stays, the end of the period has less."""
    days = [on("01-10"), on("01-10"), on("02-01"), on("04-01")]
    spans = drawn(days, [60, 50, -40, 7], on("01-01"), on("03-31"))
    assert spans == [Known(on("01-01"), [0] * 9 + [110] * 22 + [70] * 59)]
    assert drawn(days, [60, 50, -40, 7], on("01-01"), on("03-31"), 5)[0].used[-1] == 75
    assert drawn([], [], on("01-02"), on("01-01")) == []
    assert facts(stated(line(), spans), "peak", "over") == (110, 10)


def test_leap_days_and_short_months_are_days_like_others() -> None:
    """A month from 31 January 2028 ends with 28 February, the next one, from the 29th, with 30 March."""
    contract = line(starts=date(2028, 1, 31), months=3, unit="month")
    assert [period.starts for period in contract.periods()] == [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31)]
    assert contract.ends == date(2028, 4, 29)
    assert sum(period.days for period in contract.periods()) == (contract.ends - contract.starts).days + 1


def test_an_open_period_tells_of_the_days_that_have_passed() -> None:
    """What is to come is neither missing nor used, and a later amendment does not count yet."""
    contract = line(commitments=(*line().commitments, Commitment(date(2026, 3, 1), 500, Decimal("12.00"))))
    told = stated(contract, QUARTER, until=date(2026, 2, 10))
    assert facts(told, "committed", "peak", "missing") == (100, 110, ())


PERCENT = st.integers(0, 30).map(Decimal)


@st.composite
def contracts(draw: st.DrawFn, earliest: date = JANUARY) -> Line:
    """Lines of any form, with up to three amendments, which start within 420 days from a day on."""
    starts = earliest + timedelta(draw(st.integers(0, 420)))
    months = draw(st.integers(1, 26))
    ends = add_months(starts, months) - DAY
    since = draw(st.lists(st.dates(starts + DAY, ends), max_size=3, unique=True)) if ends > starts else []
    quantity, price = st.integers(0, 50), st.decimals(0, 100, places=2)
    return Line(
        starts,
        months,
        draw(st.sampled_from(sorted(MONTHS))),
        draw(st.sampled_from(["peak", "average"])),
        draw(st.sampled_from(["true_up", "true_forward", "hard_stop"])),
        tuple(Commitment(day, draw(quantity), draw(price)) for day in [starts, *sorted(since)]),
        draw(PERCENT),
        draw(PERCENT),
        draw(st.integers(1, 40)),
    )


def naive(contract: Line, period: Period, reports: dict[date, int], until: date) -> tuple[Any, ...]:
    """Used, over, peak day, first day over and missing days, one day after the other."""
    known: list[tuple[date, int, Decimal]] = []
    missing = []
    day = period.starts
    while day <= min(period.ends, until):
        last = max((one for one in reports if one <= day), default=None)
        if last is None or (day - last).days >= (contract.report_days or 1):
            missing.append(day)
        else:
            committed = [one.quantity for one in contract.commitments if one.since <= day][-1]
            known.append((day, reports[last], committed * (100 + contract.growth) / 100))
        day += DAY
    peak = max((used for _, used, _ in known), default=0)
    peak_day = next((day for day, used, _ in known if used == peak), None)
    first = next((day for day, used, allowed in known if used > allowed), None)
    if contract.metric == "peak" or not known:
        over = max([Decimal(0), *(used - allowed for _, used, allowed in known)])
        return Decimal(peak), over, peak_day, first, missing
    average = Decimal(sum(used for _, used, _ in known)) / len(known)
    allowed_average = sum((allowed for *_, allowed in known), Decimal(0)) / len(known)
    return average, max(Decimal(0), average - allowed_average), peak_day, first, missing


def naive_owed(contract: Line, period: Period, over: Decimal, first: date | None, until: date) -> Decimal:
    """What an excess costs: its price for a whole period, by the share of the days for which it is owed."""
    if not over:
        return Decimal(0)
    in_force = [one for one in contract.commitments if one.since <= min(period.ends, until)][-1]
    if over <= in_force.quantity * contract.tolerance / 100 or contract.policy == "hard_stop":
        return Decimal(0)
    number = list(contract.periods()).index(period)
    whole = [add_months(contract.starts, MONTHS[contract.unit] * (number + step)) for step in (0, 1, 2)]
    if contract.policy == "true_up":
        assert first is not None
        return over * in_force.price * ((period.ends - first).days + 1) / (whole[1] - whole[0]).days
    left = (min(whole[2] - DAY, contract.ends) - whole[1]).days + 1
    return over * in_force.price * max(0, left) / (whole[2] - whole[1]).days


@given(contracts(), st.dictionaries(st.integers(-5, 420), st.integers(0, 80), max_size=40), st.integers(-5, 800))
def test_statements_are_those_of_a_day_by_day_count(contract: Line, reports: dict[int, int], passed: int) -> None:
    """Whatever the term, the amendments and the reports: usage, excess, days and gaps of every period."""
    by_day = {contract.starts + timedelta(number): used for number, used in sorted(reports.items())}
    until = contract.starts + timedelta(passed)
    spans = reported([day.toordinal() for day in by_day], list(by_day.values()), contract.report_days or 1)
    for period in contract.periods():
        figures = fold(contract, period, spans, until)
        told = state(contract, period, figures, until)
        used, over, peak_day, first, missing = naive(contract, period, by_day, until)
        assert facts(told, "used", "over", "peak_day") == (rounded(used), rounded(over), peak_day)
        assert figures.first_over == first
        gaps = [day for gap in told.missing for day in (gap.starts + timedelta(n) for n in range(gap.days))]
        assert gaps == missing
        assert told.owed == rounded(naive_owed(contract, period, over, first, until))


DAILY = st.lists(st.integers(0, 60), min_size=1, max_size=40)


@given(contracts(), DAILY)
def test_what_was_counted_says_what_the_days_say(contract: Line, used: list[int]) -> None:
    """Where each day is known and one commitment holds, the sum, the most and the first day over are all it takes."""
    contract = replace(contract, commitments=contract.commitments[:1])
    period = contract.periods()[0]
    until = min(period.ends, period.starts + timedelta(len(used) - 1))
    used = used[: (until - period.starts).days + 1]
    days = [period.starts + timedelta(number) for number in range(len(used))]
    folded = fold(contract, period, [Known(period.starts.toordinal(), used)], until)
    peak_day, allowed = days[used.index(max(used))], contract.allowed_on(until)
    over = next((day for day, quantity in zip(days, used, strict=True) if quantity > allowed), None)
    assert counted(contract, len(used), sum(used), max(used), peak_day, over) == folded
    growth, committed = int(contract.growth * 1000), contract.commitments[0].quantity
    told = state(contract, period, folded, until)
    said = quiet(contract.metric, len(used), committed, growth, max(used), sum(used))
    assert (said is None) == bool(folded.most_over if contract.metric == "peak" else is_over(contract, used))
    if said is not None:
        assert [Decimal(number) / 100 for number in said] == [told.used, told.unused]
        assert facts(told, "over", "owed", "owed_from", "is_tolerated", "missing") == (0, 0, None, False, ())


def is_over(contract: Line, used: list[int]) -> bool:
    """Whether more was used on average than allowed."""
    return Fraction(sum(used), len(used)) > Fraction(contract.allowed_on(contract.starts))


@given(contracts())
def test_periods_fill_the_term(contract: Line) -> None:
    """Without a gap, without an overlap, to the last day."""
    periods = list(contract.periods())
    assert (periods[0].starts, periods[-1].ends) == (contract.starts, contract.ends)
    assert all(one.ends + DAY == other.starts for one, other in pairwise(periods))
    assert all(contract.period_of(day) == one for one in periods for day in (one.starts, one.ends))
    assert contract.period_of(contract.starts - DAY) is contract.period_of(contract.ends + DAY) is None

"""Flexible contracts: periods, what is committed on a day, and what a statement says of a period.

All sums are decimal. The rules, each with a worked example in the tests:

- A **period** is a month, a quarter or a year counted from the first day of the term; the last one ends with the term.
- A **commitment** is a quantity and a price (of one unit for one whole period) from a day on, until the next one.
- The **growth allowance** (percent of what is committed) may be used without owing anything.
- What is **used** on a day is what the last report says, until the next one is due; after that nothing is known, which
  is told and never read as zero. Where nobody reports, what is drawn is used.
- ``peak`` compares each day with what is allowed on it; ``average`` compares the average of the days that are known
  with the average of what was allowed on them.
- An excess within the **tolerance** (percent of what is committed) is shown and not owed; beyond, it is owed whole.
- ``true_up``: the excess is owed for the days from the first day over to the end of the period. ``true_forward``: from
  the review date, the day after the period, on: for the whole next period, and not at all when there is none.
  ``hard_stop``: never; draw-downs are refused instead, and an excess of usage is only shown.
- Quantity and price of a period are those of its last day (of the last day that has passed, while it is open). A period
  that the end of the term cuts off costs its share of the days of a whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple

from licensing.terms import add_months

Unit = Literal["month", "quarter", "year"]
Metric = Literal["peak", "average"]
Policy = Literal["true_up", "true_forward", "hard_stop"]

MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "year": 12}
DAY = timedelta(days=1)
CENT = Decimal("0.01")
NONE = Decimal(0)


class Period(NamedTuple):
    """Days from the first to the last, both included."""

    starts: date
    ends: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.ends - self.starts).days + 1


class Commitment(NamedTuple):
    """What is committed from a day on: a quantity, and the price of one unit for one whole period."""

    since: date
    quantity: int
    price: Decimal


class Span(NamedTuple):
    """Days on which one quantity was in use."""

    starts: date
    ends: date
    used: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a contract. ``growth`` and ``tolerance`` in percent; ``report_days``: days that a report holds for.

    ``commitments``: oldest first, the first one since the first day of the term.
    """

    starts: date
    months: int
    unit: Unit
    metric: Metric
    policy: Policy
    commitments: tuple[Commitment, ...]
    growth: Decimal = NONE
    tolerance: Decimal = NONE
    report_days: int | None = None

    @property
    def ends(self) -> date:
        """The last day of the term: twelve months from 1 January end with 31 December."""
        return add_months(self.starts, self.months) - DAY

    def periods(self) -> Iterator[Period]:
        """The periods of the term, each counted from its first day, so that the 31st comes back after February."""
        step, count, starts = MONTHS[self.unit], 1, self.starts
        while starts <= self.ends:
            following = add_months(self.starts, step * count)
            yield Period(starts, min(following - DAY, self.ends))
            starts, count = following, count + 1

    def period_of(self, day: date) -> Period | None:
        """The period that a day lies in; None outside the term."""
        return next((period for period in self.periods() if period.starts <= day <= period.ends), None)

    def commitment_on(self, day: date) -> Commitment:
        """What is committed on a day of the term."""
        return next(one for one in reversed(self.commitments) if one.since <= day or one is self.commitments[0])

    def allowed_on(self, day: date) -> Decimal:
        """How much may be used on a day without owing anything: what is committed, and the growth allowance."""
        return self.commitment_on(day).quantity * (100 + self.growth) / 100


def reported(reports: Iterable[tuple[date, int]], report_days: int) -> Iterator[Span]:
    """What is known of the usage by reports, in order of their days (one a day): each holds until the next is due."""
    held: tuple[date, int] | None = None
    for day, used in reports:
        if held is not None:
            yield Span(held[0], min(day - DAY, held[0] + timedelta(days=report_days - 1)), held[1])
        held = day, used
    if held is not None:
        yield Span(held[0], held[0] + timedelta(days=report_days - 1), held[1])


def drawn(movements: Iterable[tuple[date, int]], starts: date, until: date) -> Iterator[Span]:
    """What is drawn, day by day, by draw-downs and returns in order of their days: known on every day of the term."""
    since, total = starts, 0
    for day, quantity in movements:
        if day > since:
            yield Span(since, day - DAY, total)
            since = day
        total += quantity
    if since <= until:
        yield Span(since, until, total)


@dataclass(slots=True)
class Figures:
    """What was found in the days of a period; sums are over days that are known."""

    known_days: int = 0
    used_sum: int = 0
    allowed_sum: Decimal = NONE
    peak: int = 0
    peak_day: date | None = None
    most_over: Decimal = NONE
    first_over: date | None = None
    missing: list[Period] = field(default_factory=list)


def fold(line: Line, period: Period, spans: Sequence[Span], until: date) -> Figures:
    """Go through the days of a period that have passed. ``spans`` in order; ``until``: the last day that is over."""
    figures, next_day, last = Figures(), period.starts, min(period.ends, until)
    for span in _cut(line, period, spans, last):
        if span.starts > next_day:
            figures.missing.append(Period(next_day, span.starts - DAY))
        next_day = span.ends + DAY
        days, allowed = (span.ends - span.starts).days + 1, line.allowed_on(span.starts)
        figures.known_days += days
        figures.used_sum += span.used * days
        figures.allowed_sum += allowed * days
        if figures.peak_day is None or span.used > figures.peak:
            figures.peak, figures.peak_day = span.used, span.starts
        if span.used > allowed:
            figures.most_over = max(figures.most_over, span.used - allowed)
            figures.first_over = figures.first_over or span.starts
    if next_day <= last:
        figures.missing.append(Period(next_day, last))
    return figures


def _cut(line: Line, period: Period, spans: Sequence[Span], last: date) -> Iterator[Span]:
    """The parts of spans that lie in the period, cut where a commitment begins."""
    changes = [one.since for one in line.commitments[1:]]
    for span in spans:
        starts, ends = max(span.starts, period.starts), min(span.ends, last)
        for change in changes:
            if starts < change <= ends:
                yield Span(starts, change - DAY, span.used)
                starts = change
        if starts <= ends:
            yield Span(starts, ends, span.used)


class Statement(NamedTuple):
    """What reconciliation says of one line in one period.

    ``used`` and ``over`` by the line's metric, in units with two decimals; ``owed`` in the line's currency, from
    ``owed_from`` on; ``missing``: days of which nothing is known.
    """

    period: Period
    committed: int
    used: Decimal
    peak: int
    peak_day: date | None
    over: Decimal
    unused: Decimal
    is_tolerated: bool
    owed: Decimal
    owed_from: date | None
    missing: tuple[Period, ...]


def state(line: Line, period: Period, figures: Figures, until: date) -> Statement:
    """The statement of a period out of what was found in its days up to the last one that is over."""
    commitment = line.commitment_on(min(period.ends, until))
    if line.metric == "peak" or not figures.known_days:
        used, over = Decimal(figures.peak), figures.most_over
    else:
        used = Decimal(figures.used_sum) / figures.known_days
        over = max(NONE, used - figures.allowed_sum / figures.known_days)
    is_tolerated = NONE < over <= commitment.quantity * line.tolerance / 100
    owed, owed_from = NONE, None
    if over and not is_tolerated:
        owed, owed_from = _owed(line, period, over * commitment.price, figures.first_over)
    return Statement(
        period,
        commitment.quantity,
        rounded(used),
        figures.peak,
        figures.peak_day,
        rounded(over),
        rounded(max(NONE, commitment.quantity - used)),
        is_tolerated,
        rounded(owed),
        owed_from,
        tuple(figures.missing),
    )


def _owed(line: Line, period: Period, amount: Decimal, first_over: date | None) -> tuple[Decimal, date | None]:
    """How much is owed of what an excess costs in a whole period, and from which day on."""
    if line.policy == "true_up" and first_over is not None:
        return amount * Period(first_over, period.ends).days / _whole(line, period).days, first_over
    review = period.ends + DAY
    following = line.period_of(review) if line.policy == "true_forward" else None
    if following is None:
        return NONE, None
    return amount * following.days / _whole(line, following).days, review


def _whole(line: Line, period: Period) -> Period:
    """A period as it would be if the term did not end in it."""
    count = next(number for number, one in enumerate(line.periods(), 1) if one.starts == period.starts)
    return Period(period.starts, add_months(line.starts, MONTHS[line.unit] * count) - DAY)


def rounded(value: Decimal) -> Decimal:
    """Two decimals, halves upwards."""
    return value.quantize(CENT, ROUND_HALF_UP)

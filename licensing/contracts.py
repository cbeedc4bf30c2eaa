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

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from licensing.terms import add_months

Unit = Literal["month", "quarter", "year"]
Metric = Literal["peak", "average"]
Policy = Literal["true_up", "true_forward", "hard_stop"]

MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "year": 12}
DAY = timedelta(days=1)
CENT = Decimal("0.01")
NONE, NOTHING = Decimal(0), Decimal("0.00")


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


class Known(NamedTuple):
    """Days on end of which the usage is known: the first one (as ``date.toordinal`` numbers days), a quantity each."""

    first: int
    used: Sequence[int]


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

    def periods(self) -> tuple[Period, ...]:
        """The periods of the term, each counted from its first day, so that the 31st comes back after February."""
        return _periods(self.starts, self.months, self.unit)

    def open_since(self, day: date) -> tuple[Period, ...]:
        """The periods that end on a day or after it."""
        return open_since(self.starts, self.months, self.unit, day)

    def period_of(self, day: date) -> Period | None:
        """The period that a day lies in; None outside the term."""
        return next(iter(self.open_since(day)), None) if day >= self.starts else None

    def commitment_on(self, day: date) -> Commitment:
        """What is committed on a day of the term."""
        if len(self.commitments) == 1:
            return self.commitments[0]
        return next(one for one in reversed(self.commitments) if one.since <= day or one is self.commitments[0])

    def allowed_on(self, day: date) -> Decimal:
        """How much may be used on a day without owing anything: what is committed, and the growth allowance."""
        return _allowed(self.commitment_on(day).quantity, self.growth)


@lru_cache(maxsize=1024)
def _allowed(quantity: int, growth: Decimal) -> Decimal:
    return quantity * (100 + growth) / 100


@lru_cache(maxsize=1024)
def _periods(starts: date, months: int, unit: Unit) -> tuple[Period, ...]:
    first, ends = starts, add_months(starts, months) - DAY
    found: list[Period] = []
    while starts <= ends:
        following = add_months(first, MONTHS[unit] * (len(found) + 1))
        found.append(Period(starts, min(following - DAY, ends)))
        starts = following
    return tuple(found)


@lru_cache(maxsize=1024)
def open_since(starts: date, months: int, unit: Unit, day: date) -> tuple[Period, ...]:
    """The periods of a term that end on a day or after it."""
    periods = _periods(starts, months, unit)
    return periods[bisect_left(periods, day, key=lambda period: period.ends) :]


def reported(days: Sequence[int], used: Sequence[int], report_days: int) -> list[Known]:
    """What is known of the usage by reports: each holds until the next is due, and no longer than that.

    ``days``: numbers of the reports' days in order; ``used``: the quantity of each. Those of one day (several hosts)
    are added up.
    """
    if not days:
        return []
    if days == _on_end(days[0], len(days)):  # one every day, which is most often so
        quantities = list(used)
        return [Known(days[0], quantities + quantities[-1:] * (report_days - 1))]
    if len(set(days)) < len(days):
        sums: dict[int, int] = {}
        for day, quantity in zip(days, used, strict=True):
            sums[day] = sums.get(day, 0) + quantity
        days, used = list(sums), list(sums.values())
    found: list[Known] = []
    first, known = days[0], list[int]()
    for day, quantity, following in zip(days, used, [*days[1:], days[-1] + report_days], strict=True):
        if day > first + len(known):
            found.append(Known(first, known))
            first, known = day, []
        known += [quantity] * min(following - day, report_days)
    return [*found, Known(first, known)]


@lru_cache(maxsize=64)
def _on_end(first: int, count: int) -> array[int]:
    """So many days on end, as they come from where reports are stored."""
    return array("i", range(first, first + count))


def drawn(days: Sequence[int], moved: Sequence[int], first: int, last: int, before: int = 0) -> list[Known]:
    """What is drawn from one day to another, known on each of them, by draw-downs and returns in order of their days.

    ``before``: what was drawn before them.
    """
    known, total = list[int](), before
    for day, quantity in zip(days, moved, strict=True):
        if day > last:
            break
        known += [total] * (day - first - len(known))
        total += quantity
    known += [total] * (last + 1 - first - len(known))
    return [Known(first, known)] if known else []


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


def fold(line: Line, period: Period, known: Sequence[Known], until: date) -> Figures:
    """Go through the days of a period that have passed. ``known`` in order; ``until``: the last day that is over."""
    figures, next_day = Figures(), period.starts.toordinal()
    last = min(period.ends, until).toordinal()
    for first, used in _cut(line, known, next_day, last):
        if first > next_day:
            figures.missing.append(_days(next_day, first - 1))
        next_day = first + len(used)
        most, allowed = max(used), line.allowed_on(date.fromordinal(first))
        figures.known_days += len(used)
        figures.used_sum += sum(used)
        figures.allowed_sum += allowed * len(used)
        if figures.peak_day is None or most > figures.peak:
            figures.peak, figures.peak_day = most, date.fromordinal(first + used.index(most))
        if most > allowed:
            figures.most_over = max(figures.most_over, most - allowed)
            if figures.first_over is None:
                whole = int(allowed)  # what is used is a whole number, and compared as one many times as fast
                for day, quantity in enumerate(used, first):
                    if quantity > whole:
                        figures.first_over = date.fromordinal(day)
                        break
    if next_day <= last:
        figures.missing.append(_days(next_day, last))
    return figures


def counted(line: Line, days: int, used_sum: int, peak: int, peak_day: date, first_over: date | None) -> Figures:
    """What :func:`fold` finds in the days of a period where each is known and one commitment holds. It is told the sum
    of what was used, the most and when first, and the first day over what is allowed.
    """
    allowed = line.allowed_on(peak_day)
    return Figures(days, used_sum, allowed * days, peak, peak_day, max(NONE, peak - allowed), first_over)


def _days(first: int, last: int) -> Period:
    return Period(date.fromordinal(first), date.fromordinal(last))


def _cut(line: Line, known: Sequence[Known], first: int, last: int) -> Iterable[Known]:
    """The parts of what is known from one day to another, cut where a commitment begins."""
    if len(known) == 1 and len(line.commitments) == 1:  # which is most often so
        start, used = known[0]
        if start <= first <= last < start + len(used):
            return (Known(first, used[first - start : last - start + 1]),)
    return _pieces(line, known, first, last)


def _pieces(line: Line, known: Sequence[Known], first: int, last: int) -> Iterator[Known]:
    changes = [one.since.toordinal() for one in line.commitments[1:]]
    for start, used in known:
        begins, ends = max(start, first), min(start + len(used) - 1, last)
        for change in changes:
            if begins < change <= ends:
                yield Known(begins, used[begins - start : change - start])
                begins = change
        if begins <= ends:
            yield Known(begins, used[begins - start : ends - start + 1])


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
        rounded(over) if over else NOTHING,
        rounded(commitment.quantity - used) if used < commitment.quantity else NOTHING,
        is_tolerated,
        rounded(owed) if owed else NOTHING,
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
    periods = line.periods()
    if period != periods[-1]:
        return period
    return Period(period.starts, add_months(line.starts, MONTHS[line.unit] * len(periods)) - DAY)


def quiet(metric: Metric, days: int, committed: int, growth: int, peak: int, used_sum: int) -> tuple[int, int] | None:
    """What is used and unused of a period, in hundredths, where no more was used than allowed; else None.

    For a night's common case: each of ``days`` is known, and ``committed`` holds on each. It says what :func:`state`
    says, in whole numbers, as there are many lines a night and little to decide. ``growth`` in thousandths of a
    percent.
    """
    number, times = (peak, 1) if metric == "peak" else (used_sum, days)
    if number * 100_000 > committed * (100_000 + growth) * times:
        return None
    unused = committed * times - number
    return (200 * number + times) // (2 * times), (200 * unused + times) // (2 * times) if unused > 0 else 0


def rounded(value: Decimal) -> Decimal:
    """Two decimals, halves upwards."""
    return value.quantize(CENT, ROUND_HALF_UP)

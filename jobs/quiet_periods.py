"""Lines of which a night has little to say, decided before the others: see ``licensing.contracts.quiet``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from licensing.contracts import DAY, open_since, quiet
from licensing.reconciling import Standing, next_state
from models import quiet_periods
from models.quiet_periods import Asked, New, Terms

_LAST_DAY = date.max.toordinal()


class Counted(NamedTuple):
    """What was counted of a line that is not quiet, as :func:`licensing.contracts.counted` takes it."""

    days: int
    used_sum: int
    peak: int
    peak_day: date
    first_over: date | None


class QuietPeriods:
    """The quiet lines of contracts. ``lines``: their ids; ``told``: what becomes of their statements, by contract id;
    ``counted``: what is to be said of others whose period has no statement yet, by line id.

    ``nights``: each contract's last night, and the one that is asked for, which is later; ``late``: lines of which
    something has come that the last night should have counted.
    """

    def __init__(self, connection: Connection, nights: Mapping[int, tuple[date, date]], late: Container[int]) -> None:
        self.lines: list[int] = []
        self.told: dict[int, Counter[Standing]] = {}
        self.counted: dict[int, Counted] = {}
        self._made: list[New] = []
        self._asked = list(_asked(quiet_periods.terms(connection, list(nights)), nights)) if nights else []
        if self._asked:
            self._decide(quiet_periods.count(connection, self._asked), late)

    def _decide(self, counted: Iterator[tuple[int, ...]], late: Container[int]) -> None:
        """Which of the lines are quiet, and what becomes of their statements."""
        places = [
            (
                one.terms,
                (one.until - one.period.starts).days + 1,
                _LAST_DAY - one.until.toordinal(),
                one,
                self.told.setdefault(one.terms.contract_id, Counter()),
                next_state(None, False, one.period, one.until),
            )
            for one in self._asked
        ]
        for line_id, place, committed, peak, before, used_sum, reported, over, stored, *was in counted:
            terms, days, until_before, asked, told, state = places[place]
            if reported != days or line_id in late:
                continue
            found = quiet(terms.metric, days, committed, terms.growth, peak, used_sum)
            if found is None:
                if not stored:
                    self.counted[line_id] = Counted(days, used_sum, peak, _day(before), _day(over) if over else None)
                continue
            if stored:
                *figures, last, is_open, is_plain = was
                if not is_open or last < until_before:
                    continue
                is_equal = bool(is_plain) and figures == [*found, committed, peak, before]
                state = next_state("open", is_equal, asked.period, asked.until)
            self.lines.append(line_id)
            if state is not None:
                told[state] += 1
                self._made.append((line_id, place, committed, *found, peak, before, stored))

    def write(self, connection: Connection, rows: Mapping[int, int], batch_id: int) -> None:
        """Write the statements. ``rows``: the row of the batch that each contract's are of."""
        if self._made:
            quiet_periods.write(connection, self._made, self._asked, rows, batch_id)


def _day(before: int) -> date:
    return date.fromordinal(_LAST_DAY - before)


def _asked(terms: Sequence[Terms], nights: Mapping[int, tuple[date, date]]) -> Iterator[Asked]:
    """Those terms of which the days since the last night lie in one period."""
    for one in terms:
        last, until = nights[one.contract_id]
        periods = open_since(one.starts, one.months, one.unit, last + DAY)
        if periods and periods[0].starts <= until <= periods[0].ends:
            yield Asked(one, periods[0], until, last)

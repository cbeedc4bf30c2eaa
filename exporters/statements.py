"""What reports of a reconciliation are made from: a contract with its lines, their statements and their usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from licensing.contracts import DAY, Known, Period
from licensing.contracts import Line as Terms
from licensing.reconciling import Flag, flags


class Entry(NamedTuple):
    """A statement of a line in a period. ``causes``: batch and row of each report that an adjustment came of."""

    number: int
    state: str
    starts: date
    ends: date
    until: date
    committed: int
    drawn: int
    used: Decimal
    peak: int
    peak_day: date | None
    over: Decimal
    unused: Decimal
    is_tolerated: bool
    owed: Decimal
    owed_from: date | None
    missing_days: int
    causes: Sequence[tuple[int, int]] | None
    batch: int

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Why somebody should look at it, the gravest first; empty when nobody need."""
        return flags(self.state, self.over, self.is_tolerated, self.owed, self.missing_days)


class Point(NamedTuple):
    """One point of a chart: what was used in the days from ``day`` on (None: nothing is known), and what was agreed."""

    day: date
    used: Decimal | None
    committed: int
    allowed: Decimal


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """A line of a contract: its terms, its statements (one at least) by period and number, what is known of its usage.

    ``gaps``: the days without a report by the number of the statement, where they are what it counted.
    """

    sku: str
    name: str
    currency: str | None
    terms: Terms
    entries: Sequence[Entry]
    known: Sequence[Known] = ()
    gaps: Mapping[int, Sequence[Period]] = field(default_factory=dict)

    @property
    def until(self) -> date:
        """The last day that was counted."""
        return max(entry.until for entry in self.entries)

    @property
    def is_flagged(self) -> bool:
        """Whether one of the statements in force is to be looked at."""
        return any(entry.flags for entry in self.in_force())

    def in_force(self) -> list[Entry]:
        """The newest statement of every period, in order: itself, or its last adjustment."""
        return list({entry.starts: entry for entry in self.entries}.values())

    def replaced_by(self, entry: Entry) -> Entry | None:
        """The adjustment after a statement, if there is one."""
        later = [one for one in self.entries if one.starts == entry.starts and one.number > entry.number]
        return min(later, key=lambda one: one.number, default=None)

    def points(self, most: int = 110) -> list[Point]:
        """Usage in steps of a day, of a week or of weeks, so that there are at most so many: by the line's metric."""
        first, last = self.terms.starts, self.until
        weeks = -(-((last - first).days + 1) // (7 * most))
        step = timedelta(days=1 if (last - first).days < most else 7 * weeks)
        used, found, day = self._used(first, last), [], first
        while day <= last:
            ends = day + step - DAY
            if last < ends + step / 2:  # a short rest is no point of its own
                ends = last
            known = [one for one in used[(day - first).days : (ends - first).days + 1] if one is not None]
            commitment = self.terms.commitment_on(day)
            found.append(Point(day, self._level(known), commitment.quantity, self.terms.allowed_on(day)))
            day = ends + DAY
        return found

    def _used(self, first: date, last: date) -> list[int | None]:
        """What was in use on each day from the first to the last; None where nothing is known."""
        used: list[int | None] = [None] * ((last - first).days + 1)
        for start, quantities in self.known:
            for place, quantity in enumerate(quantities, start - first.toordinal()):
                if 0 <= place < len(used):
                    used[place] = quantity
        return used

    def _level(self, known: Sequence[int]) -> Decimal | None:
        if not known:
            return None
        if self.terms.metric == "peak":
            return Decimal(max(known))
        return (Decimal(sum(known)) / len(known)).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class ReportedContract:
    """A contract with its lines in order of their products."""

    code: str
    customer_number: str
    customer: str
    country: str | None
    locale: str | None
    time_zone: str
    lines: Sequence[ReportedLine]

    @property
    def term(self) -> Period:
        """From the first day of the first line to the last day of the last one."""
        return Period(min(line.terms.starts for line in self.lines), max(line.terms.ends for line in self.lines))

    @property
    def until(self) -> date:
        """The last day that was counted."""
        return max(line.until for line in self.lines)

    def rows(self) -> list[tuple[ReportedLine, Entry]]:
        """Every statement with its line."""
        return [(line, entry) for line in self.lines for entry in line.entries]

    def owed(self, *states: str) -> dict[str, Decimal]:
        """What is owed by the statements in force that are in one of these states, by currency."""
        found: dict[str, Decimal] = {}
        for line in self.lines:
            for entry in line.in_force():
                if entry.state in states and entry.owed and line.currency:
                    found[line.currency] = found.get(line.currency, Decimal(0)) + entry.owed
        return dict(sorted(found.items()))

    def missing_days(self) -> int:
        """On how many days of how many lines nothing is known."""
        return sum(entry.missing_days for line in self.lines for entry in line.in_force())

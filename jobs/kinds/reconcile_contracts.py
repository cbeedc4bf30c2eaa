"""``reconcile-contracts``: draw-downs, returns and usage reports folded into statements, line by line, up to a day.

What comes of it is reported by ``jobs/reports.py``: lists, a workbook, and a page for each contract.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import Connection

from jobs import reports
from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.pools import NOTHING, Pools
from licensing import contracts as rules
from licensing.contracts import DAY, Known, Line, Period
from licensing.decisions import Decision
from licensing.drawing import not_in_term
from licensing.field_catalogue import FIELDS
from licensing.reconciling import Standing, next_state
from models import contracts, reconciliations, statements, usage
from models.statements import Figures, New, Stored

COLUMNS = (
    FIELDS["contract"].needed(),
    FIELDS["product"].needed(),
    FIELDS["date"].needed(),
)


class Reconciliation:
    """The lines of one slice of rows, with what is known of them that their statements do not say yet."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Reconciliation | None = None
    ) -> None:
        self.work = work
        self.seen = reconciliations.snapshot(connection)
        self.pools = Pools(connection, work, [(row[0], None, row[1]) for row in rows], lock=not work.is_preview)
        nights: dict[int, date] = {}  # the first one that is asked for, by line
        for contract, sku, until in rows:
            line = self.pools.find(contract, None, sku)
            if not isinstance(line, Decision):
                nights[line.id] = min(until, nights.get(line.id, until))
        self.nights = reconciliations.nights(connection, list(nights))
        self.late = reconciliations.late(connection, list(self.nights))
        self.since = {line_id: self._unsettled_since(line_id, night) for line_id, night in nights.items()}
        self._load(connection)
        if before is not None:
            self.stored |= before.stored
        self.made: dict[tuple[int, date, bool], New] = {}
        self.reached: dict[int, date] = {}

    def _unsettled_since(self, line_id: int, night: date) -> date:
        """The first day that a line's statements may have to say something new about.

        Days that its last night counted are settled but for what has come since; all are open again for an earlier one.
        """
        last = self.nights.get(line_id)
        if last is None or night < last:
            return date.min
        return min([last + DAY, *(one.day for one in self.late.get(line_id, []))])

    def _load(self, connection: Connection) -> None:
        """Read statements, reports and movements, of each line from the first period on that is not settled."""
        statements_since: dict[int, date] = {}
        reports_since: dict[int, date] = {}
        movements_since: dict[int, date] = {}
        for line_id, since in self.since.items():
            terms = self.pools.rules[line_id]
            settled = [period for period in terms.periods() if period.ends < since]
            if settled and settled[-1].ends == terms.ends:
                continue
            starts = settled[-1].ends + DAY if settled else terms.starts
            statements_since[line_id] = settled[-1].starts if settled else starts
            movements_since[line_id] = starts if settled else date.min
            if terms.report_days is not None:  # a report of before may still hold
                reports_since[line_id] = starts - timedelta(terms.report_days - 1)
        self.stored: dict[tuple[int, date], Stored] = statements.newest(connection, statements_since)
        self.movements = contracts.by_day(connection, movements_since)
        self.drawn_before = {
            line_id: self.stored[line_id, since].figures.drawn
            for line_id, since in statements_since.items()
            if since < movements_since[line_id]
        }
        self.reports = {
            line_id: rules.reported(*reports, self.pools.rules[line_id].report_days or 1)
            for line_id, reports in usage.by_day(connection, reports_since).items()
        }

    def decide(self, row: Asked) -> Decision:
        """Which statements of the line are new, changed, closed or adjusted by what is known up to the row's day."""
        contract_code, sku, until = row.values
        line = self.pools.find(contract_code, None, sku)
        if isinstance(line, Decision):
            return line
        if until >= self.pools.today(line):
            return Decision("date_in_future", until.isoformat(), field="date")
        terms = self.pools.rules[line.id]
        if until < terms.starts and (early := not_in_term(terms, until)):
            return early
        self.reached[line.id] = max(until, self.reached.get(line.id, until))
        told: Counter[Standing] = Counter()
        since, known = self.since[line.id], None
        for period in terms.periods():
            if since <= period.ends and period.starts <= until:
                known = self._known(line.id, terms, until) if known is None else known
                if state := self._reconcile(row, line.id, period, known):
                    told[state] += 1
        if not told:
            return Decision("unchanged")
        return Decision("reconciled", ", ".join(f"{state} {count}" for state, count in sorted(told.items())))

    def _known(self, line_id: int, terms: Line, until: date) -> list[Known]:
        """What was in use on the days of a line that are not settled."""
        if terms.report_days is not None:
            return self.reports.get(line_id, [])
        days, quantities = self.movements.get(line_id, NOTHING)
        first = next(period.starts for period in terms.periods() if self.since[line_id] <= period.ends)
        before = self.drawn_before.get(line_id, 0)
        return rules.drawn(days, quantities, first.toordinal(), until.toordinal(), before)

    def _reconcile(self, row: Asked, line_id: int, period: Period, known: Sequence[Known]) -> Standing | None:
        until: date = row.values[2]
        stored = self.stored.get((line_id, period.starts))
        if stored is not None and stored.until > until:  # an earlier night again: what was known later stays
            return None
        last = min(until, period.ends)
        figures = self._figures(line_id, period, known, last)
        standing: Standing | None = None if stored is None else stored.state  # type: ignore[assignment]
        state = next_state(standing, stored is not None and stored.figures == figures, period, until)
        if state is None:
            return None
        place = (line_id, period.starts, state == "adjusted")
        replaces = stored.id if stored is not None and stored.state == "open" else None
        if place in self.made:  # a row of before in this slice: it is not written yet
            replaces = self.made[place].replaces
        causes = self._causes(line_id, period) if state == "adjusted" else ()
        self.made[place] = New(replaces, line_id, period.starts, period.ends, state, last, figures, row.ordinal, causes)
        self.stored[line_id, period.starts] = Stored(0, state, last, figures)
        return state

    def _figures(self, line_id: int, period: Period, known: Sequence[Known], last: date) -> Figures:
        terms, moved = self.pools.rules[line_id], self.drawn_before.get(line_id, 0)
        if line_id in self.movements:
            days, quantities = self.movements[line_id]
            moved += sum(quantities[: bisect_right(days, last.toordinal())])
        told = rules.state(terms, period, rules.fold(terms, period, known, last), last)
        return Figures(
            told.committed,
            moved,
            told.used,
            told.peak,
            told.peak_day,
            told.over,
            told.unused,
            told.is_tolerated,
            told.owed,
            told.owed_from,
            sum(gap.days for gap in told.missing),
        )

    def _causes(self, line_id: int, period: Period) -> list[tuple[int, int]]:
        """The rows that came after a line's last night and say something about a period: batch and row of each."""
        held = timedelta(self.pools.rules[line_id].report_days or 0)  # no report counts where nobody has to report
        return [
            (one.batch_id, one.ordinal)
            for one in self.late.get(line_id, [])
            if one.day <= period.ends and (not one.is_report or (held and one.day + held > period.starts))
        ]

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write the statements, and how far the lines are reconciled now."""
        if self.made:
            statements.write(connection, list(self.made.values()), self.work.batch.id)
        nights = {
            line_id: night
            for line_id, night in self.reached.items()
            if line_id not in self.nights
            or night > self.nights[line_id]
            or (night == self.nights[line_id] and line_id in self.late)
        }
        if nights:
            reconciliations.record(connection, nights, self.seen)
        return {}


KIND = Kind(
    name="reconcile-contracts",
    title={"en": "Reconcile contracts", "it": "Riconciliare contratti"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Reconciliation,
    subject=("contract", "product"),
    domain="statement",
    reports=reports.of_batch,
    most_rows_a_chunk=1_250,  # a year of each line is read at once
)

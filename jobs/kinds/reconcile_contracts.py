"""``reconcile-contracts``: draw-downs, returns and usage reports folded into statements, line by line, up to a day.

What comes of it is reported by ``jobs/reports.py``: lists, a workbook, and a page for each contract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection

from jobs import reports
from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.pools import Pools
from licensing import contracts as rules
from licensing.contracts import Period
from licensing.decisions import Decision
from licensing.drawing import not_in_term
from licensing.field_catalogue import FIELDS
from licensing.reconciling import Standing, next_state
from models import contracts, statements, usage
from models.contracts import ContractLine
from models.statements import Figures, New, Stored

COLUMNS = (
    FIELDS["contract"].needed(),
    FIELDS["product"].needed(),
    FIELDS["date"].needed(),
)


class Reconciliation:
    """The lines of one slice of rows, with all that is known of them."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Reconciliation | None = None
    ) -> None:
        self.work = work
        self.pools = Pools(connection, work, [(row[0], None, row[1]) for row in rows], lock=not work.is_preview)
        found = [self.pools.find(row[0], None, row[1]) for row in rows]
        ids = list({line.id for line in found if not isinstance(line, Decision)})
        self.reports = usage.by_day(connection, ids)
        self.movements = contracts.by_day(connection, ids)
        self.stored: dict[tuple[int, date], Stored] = statements.newest(connection, ids)
        if before is not None:
            self.stored |= before.stored
        self.made: dict[tuple[int, date, bool], New] = {}

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
        told: Counter[Standing] = Counter()
        for period in terms.periods():
            if period.starts <= until and (state := self._reconcile(row, line, period, until)):
                told[state] += 1
        if not told:
            return Decision("unchanged")
        return Decision("reconciled", ", ".join(f"{state} {count}" for state, count in sorted(told.items())))

    def _reconcile(self, row: Asked, line: ContractLine, period: Period, until: date) -> Standing | None:
        stored = self.stored.get((line.id, period.starts))
        if stored is not None and stored.until > until:  # an earlier night again: what was known later stays
            return None
        last = min(until, period.ends)
        figures = self._figures(line, period, last)
        standing: Standing | None = None if stored is None else stored.state  # type: ignore[assignment]
        is_equal = stored is not None and stored.figures == figures
        state = next_state(standing, is_equal, period, until)
        if state is None:
            return None
        place = (line.id, period.starts, state == "adjusted")
        replaces = stored.id if stored is not None and stored.state == "open" else None
        if place in self.made:  # a row of before in this slice: it is not written yet
            replaces = self.made[place].replaces
        self.made[place] = New(replaces, line.id, period.starts, period.ends, state, last, figures, row.ordinal)
        self.stored[line.id, period.starts] = Stored(0, state, last, None, figures)
        return state

    def _figures(self, line: ContractLine, period: Period, last: date) -> Figures:
        terms, movements = self.pools.rules[line.id], self.movements.get(line.id, [])
        if terms.report_days is None:
            spans = list(rules.drawn(movements, terms.starts, last))
        else:
            reports = [one for one in self.reports.get(line.id, []) if one[0] <= last]
            spans = list(rules.reported(reports, terms.report_days))
        told = rules.state(terms, period, rules.fold(terms, period, spans, last), last)
        return Figures(
            told.committed,
            sum(quantity for day, quantity in movements if day <= last),
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

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write the statements."""
        if self.made:
            statements.write(connection, list(self.made.values()), self.work.batch.id)
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
)

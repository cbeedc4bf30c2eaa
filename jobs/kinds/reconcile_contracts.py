"""``reconcile-contracts``: draw-downs, returns and usage reports folded into statements, up to a day.

A row is about a contract with all its lines, or about the line of one product. What comes of it is reported by
``jobs/reports.py``: lists, a workbook, and a page for each contract.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from jobs import reports
from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.pools import NOTHING
from jobs.quiet_periods import QuietPeriods
from licensing import codes
from licensing import contracts as rules
from licensing.contracts import DAY, Commitment, Known, Period
from licensing.decisions import Decision
from licensing.drawing import not_in_term
from licensing.field_catalogue import FIELDS
from licensing.reconciling import Standing, next_state
from models import contracts, reconciliations, statements, usage
from models.contracts import Contract
from models.reconciliations import Late, Night
from models.statements import Figures, New, Stored

COLUMNS = (
    FIELDS["contract"].needed(),
    FIELDS["product"],
    FIELDS["date"].needed(),
)


@dataclass(slots=True)
class Line:
    """A line of a contract; ``night``: its last one. ``since``: the first day that is not settled."""

    id: int
    sku: str
    night: Night | None
    terms: rules.Line
    since: date = date.max
    drawn_before: int = 0


@lru_cache(maxsize=4096)
def _terms(
    commitments: tuple[tuple[date, int, Decimal], ...],
    starts: date,
    months: int,
    unit: rules.Unit,
    metric: rules.Metric,
    policy: rules.Policy,
    growth: Decimal,
    tolerance: Decimal,
    report_days: int | None,
) -> rules.Line:
    """The terms of a line: most lines of an installation share them with others."""
    committed = tuple(Commitment(*one) for one in commitments)
    return rules.Line(starts, months, unit, metric, policy, committed, growth, tolerance, report_days)


class Reconciliation:
    """The lines of one slice of rows, with what is known of them that their statements do not say yet."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Reconciliation | None = None
    ) -> None:
        self.work = work
        self.seen = reconciliations.snapshot(connection)
        self._keys = {row[0]: codes.match_key(row[0]) for row in rows}
        keys = list(set(self._keys.values()))
        self.is_seen_again = work.is_preview or len(keys) < len(rows)  # a later row may be about the same statement
        self.contracts = contracts.by_key(connection, keys, lock=not work.is_preview)
        ids = [contract.id for contract in self.contracts.values()]
        nights = reconciliations.nights(connection, ids)
        self.late: dict[int, list[Late]] = reconciliations.late(connection, ids, nights.values())
        self._today: dict[str, date] = {}
        self.quiet = QuietPeriods(connection, self._goes_on(rows, nights), self.late)
        self.lines = _lines(connection, self.contracts, nights, self.quiet.lines)
        asked = self._asked(rows)
        for line in asked:
            if late := self.late.get(line.id):
                line.since = min(line.since, *(one.day for one in late))
        self._load(connection, asked)
        if before is not None:
            self.stored |= before.stored
        self.made: dict[tuple[int, date, bool], New] = {}
        self.rows: dict[int, int] = {}  # by contract with quiet lines
        self.reached: dict[int, date] = {}  # by line
        self.whole: dict[str, date] = {}  # by contract: the last night of all its lines

    def _goes_on(self, rows: Sequence[Values], nights: Mapping[tuple[int, int], Night]) -> dict[int, tuple[date, date]]:
        """The contracts that as a whole go on from their last night, by id: that night, and this one."""
        apart = {contract_id for contract_id, line_id in nights if line_id}
        found: dict[int, tuple[date, date]] = {}
        for code, sku, until in () if self.is_seen_again else rows:
            contract = self.contracts.get(self._keys[code])
            if contract is None or sku is not None or contract.id in apart or until >= self._day_of(contract):
                continue
            night = nights.get((contract.id, 0))
            if night is not None and night.until < until:
                found[contract.id] = night.until, until
        return found

    def _asked(self, rows: Sequence[Values]) -> list[Line]:
        """The lines that rows are about, each with the first day that a night may have to say something new about.

        Days that its last night counted are settled but for what has come since; all are open for an earlier one.
        """
        asked: dict[int, Line] = {}
        for code, sku, until in rows:
            for line in self._named(code, sku) or ():
                asked[line.id] = line
                since = date.min if line.night is None or until < line.night.until else line.night.until + DAY
                line.since = min(line.since, since)
        return list(asked.values())

    def _named(self, code: str, sku: str | None) -> list[Line] | None:
        """The lines that a row names; None where there is no such contract."""
        found = self.lines.get(self._keys[code])
        if sku is None or found is None:
            return found
        return [line for line in found if line.sku == sku.upper()]

    def _load(self, connection: Connection, lines: Sequence[Line]) -> None:
        """Read statements, reports and movements, of each line from the first period on that is not settled."""
        statements_since: dict[int, date] = {}
        reports_since: dict[int, date] = {}
        movements_since: dict[int, date] = {}
        settled: dict[int, date] = {}  # the first day of the last period that is
        lines = [line for line in lines if line.id not in self.quiet.counted]
        drawn_from = contracts.drawn_from(connection, [line.id for line in lines])
        for line in lines:
            terms = line.terms
            if not (periods := terms.open_since(line.since)):
                continue
            starts, earlier = periods[0].starts, len(terms.periods()) - len(periods)
            statements_since[line.id] = starts
            if line.id in drawn_from:
                movements_since[line.id] = starts if earlier else date.min
                if earlier:
                    settled[line.id] = terms.periods()[earlier - 1].starts
            if terms.report_days is not None:  # a report of before may still hold
                reports_since[line.id] = starts - timedelta(terms.report_days - 1)
        self.stored: dict[tuple[int, date], Stored] = statements.newest(connection, statements_since)
        self.movements = contracts.by_day(connection, movements_since)
        drawn_before = statements.drawn(connection, settled)
        for line in lines:
            line.drawn_before = drawn_before.get(line.id, 0)
        self.reports = usage.by_day(connection, reports_since)

    def decide(self, row: Asked) -> Decision:
        """Which statements of the lines are new, changed, closed or adjusted by what is known up to the row's day."""
        code, sku, until = row.values
        lines = self._named(code, sku)
        if lines is None:
            return Decision("unknown_contract", field="contract")
        contract = self.contracts[self._keys[code]]
        quiet = self.quiet.told.get(contract.id)
        if not lines and quiet is None:
            return Decision("product_not_in_contract", sku or "", field="product")
        if until >= self._day_of(contract):
            return Decision("date_in_future", until.isoformat(), field="date")
        begun = [line for line in lines if line.terms.starts <= until]
        if not begun and quiet is None and (early := not_in_term(lines[0].terms, until)):
            return early
        told: Counter[Standing] = Counter()
        if sku is None:
            key = self._keys[code]
            self.whole[key] = max(until, self.whole.get(key, until))
        for line in begun:
            self.reached[line.id] = max(until, self.reached.get(line.id, until))
            self._fold(row.ordinal, line, until, told)
        if quiet is not None:
            self.rows[contract.id] = row.ordinal
            told += quiet
        if not told:
            return Decision("unchanged")
        return Decision("reconciled", ", ".join(f"{state} {count}" for state, count in sorted(told.items())))

    def _day_of(self, contract: Contract) -> date:
        """The day of the batch's confirmation in the contract's own time zone."""
        zone = contract.time_zone
        if zone not in self._today:
            self._today[zone] = self.work.at.astimezone(ZoneInfo(zone)).date()
        return self._today[zone]

    def _fold(self, ordinal: int, line: Line, until: date, told: Counter[Standing]) -> None:
        """The statements of a line that a night makes or changes."""
        terms, known, counted = line.terms, None, self.quiet.counted.get(line.id)
        days, moved = self.movements.get(line.id, NOTHING)
        for period in terms.open_since(line.since):
            if period.starts > until:
                break
            if counted is None and known is None:
                known = self._known(line, until)
            stored = self.stored.get((line.id, period.starts))
            if stored is not None and stored.until > until:  # an earlier night again: what was known later stays
                continue
            last = min(until, period.ends)
            drawn = line.drawn_before
            if days:
                drawn += sum(moved[: bisect_right(days, last.toordinal())])
            folded = rules.counted(terms, *counted) if counted else rules.fold(terms, period, known or (), last)
            figures = _figures(rules.state(terms, period, folded, last), drawn)
            standing: Standing | None = None if stored is None else stored.state  # type: ignore[assignment]
            state = next_state(standing, stored is not None and stored.figures == figures, period, until)
            if state is not None:
                self._make(ordinal, line, period, state, last, figures, stored)
                told[state] += 1

    def _known(self, line: Line, until: date) -> list[Known]:
        """What was in use on the days of a line that are not settled."""
        if line.terms.report_days is not None:
            return rules.reported(*self.reports.get(line.id, NOTHING), line.terms.report_days)
        first = line.terms.open_since(line.since)[0].starts
        movements = self.movements.get(line.id, NOTHING)
        return rules.drawn(*movements, first.toordinal(), until.toordinal(), line.drawn_before)

    def _make(
        self,
        ordinal: int,
        line: Line,
        period: Period,
        state: Standing,
        last: date,
        figures: Figures,
        stored: Stored | None,
    ) -> None:
        place = (line.id, period.starts, state == "adjusted")
        replaces = stored.id if stored is not None and stored.state == "open" else None
        if place in self.made:  # a row of before in this slice: it is not written yet
            replaces = self.made[place].replaces
        causes = self._causes(line, period) if state == "adjusted" else ()
        self.made[place] = New(replaces, line.id, period.starts, period.ends, state, last, figures, ordinal, causes)
        if self.is_seen_again:
            self.stored[line.id, period.starts] = Stored(0, state, last, figures)

    def _causes(self, line: Line, period: Period) -> list[tuple[int, int]]:
        """The rows that came after a line's last night and say something about a period: batch and row of each."""
        held = timedelta(line.terms.report_days or 0)  # no report counts where nobody has to report
        return [
            (one.batch_id, one.ordinal)
            for one in self.late.get(line.id, [])
            if one.day <= period.ends and (not one.is_report or (held and one.day + held > period.starts))
        ]

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write the statements, and how far the lines are reconciled now."""
        if self.made:
            statements.write(connection, list(self.made.values()), self.work.batch.id)
        self.quiet.write(connection, self.rows, self.work.batch.id)
        nights: dict[int, date] = {}
        single: dict[tuple[int, int], date] = {}
        for key, lines in self.lines.items():
            contract_id, until = self.contracts[key].id, self.whole.get(key)
            moved = {line.id: self.reached[line.id] for line in lines if self._is_further(line)}
            if until is not None and all(self._is_at(line, until) for line in lines):
                if moved or contract_id in self.quiet.told:
                    nights[contract_id] = until
            else:
                single |= {(contract_id, line_id): night for line_id, night in moved.items()}
        if nights or single:
            reconciliations.record(connection, nights, single, self.seen)
        return {}

    def _is_further(self, line: Line) -> bool:
        """Whether a line has come further than its last night, or knows more of it."""
        night = self.reached.get(line.id)
        if night is None or line.night is None:
            return night is not None
        return night > line.night.until or (night == line.night.until and line.id in self.late)

    def _is_at(self, line: Line, until: date) -> bool:
        """Whether a line is as far as its whole contract: a night, unless it has not begun then."""
        return self.reached.get(line.id, until) == until and (line.night is None or line.night.until <= until)


def _lines(
    connection: Connection, found: dict[str, Contract], nights: Mapping[tuple[int, int], Night], but: Sequence[int]
) -> dict[str, list[Line]]:
    """The lines of contracts, but for some, in order of their products, by the contracts' keys."""
    keys = {contract.id: key for key, contract in found.items()}
    lines: dict[str, list[Line]] = {key: [] for key in found}
    stored = reconciliations.lines(connection, list(keys), but)
    committed = reconciliations.commitments(connection, [line[1] for line in stored])
    for contract_id, line_id, sku, *terms in stored:
        night = nights.get((contract_id, line_id)) or nights.get((contract_id, 0))
        lines[keys[contract_id]].append(Line(line_id, sku.upper(), night, _terms(committed[line_id], *terms)))
    return lines


def _figures(told: rules.Statement, drawn: int) -> Figures:
    return Figures(
        told.committed,
        drawn,
        told.used,
        told.peak,
        told.peak_day,
        told.over,
        told.unused,
        told.is_tolerated,
        told.owed,
        told.owed_from,
        sum(gap.days for gap in told.missing) if told.missing else 0,
    )


KIND = Kind(
    name="reconcile-contracts",
    title={"en": "Reconcile contracts", "it": "Riconciliare contratti"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Reconciliation,
    subject=("contract",),
    domain="statement",
    reports=reports.of_batch,
    most_rows_a_chunk=250,  # a year of each line is read at once, and a contract has several
)

"""``report-usage``: how much of a contract was in use on which day, in total or host by host, and corrections of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from jobs.pools import Pools
from licensing import reporting
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import usage
from models.database import copy_line
from models.usage import Report

COLUMNS = (
    FIELDS["contract"],
    FIELDS["customer_number"],
    FIELDS["product"].needed(),
    FIELDS["date"].needed(),
    replace(FIELDS["quantity"], least=0).needed(),
    FIELDS["host_id"],
)


class Reports:
    """The contracts of one slice of rows, and what is reported of them on the days that the rows name."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Reports | None = None
    ) -> None:
        self.work = work
        self.pools = Pools(connection, work, [(row[0], row[1], row[2]) for row in rows])
        places = {
            (line.id, row[3])
            for row in rows
            if not isinstance(line := self.pools.find(row[0], row[1], row[2], row[3]), Decision)
        }
        self.known: dict[tuple[int, date], dict[str, Report]] = defaultdict(
            dict, usage.current(connection, list(places))
        )
        if before is not None:
            self.known |= before.known
        self.gone: list[int] = []

    def decide(self, row: Asked) -> Decision:
        """Whether the day's usage is new, corrected or known, or why it does not count."""
        contract_code, customer_number, sku, day, quantity, host_id = row.values
        line = self.pools.find(contract_code, customer_number, sku, day)
        if isinstance(line, Decision):
            return line
        known, host = self.known[line.id, day], host_id or reporting.TOTAL
        counted = {name: report.quantity for name, report in known.items()}
        decision = reporting.decide_report(
            self.pools.rules[line.id], day, host, quantity, counted, today=self.pools.today(line)
        )
        if decision.code not in ("reported", "corrected"):
            return decision
        if decision.code == "corrected" and known[host].id:
            self.gone.append(known[host].id)
        known[host] = Report(0, quantity)
        return decision._replace(effect=line)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Supersede what is corrected, and write every report; of several rows about the same the last one holds."""
        batch = self.work.batch.id
        if self.gone:
            usage.supersede(connection, self.gone)
        written = {
            row.ordinal: (row.decision.effect.id, row.values[3], row.values[5] or reporting.TOTAL)
            for row in asked
            if row.decision.effect is not None
        }
        holds = {place: ordinal for ordinal, place in written.items()}
        lines = [
            copy_line(
                *written[row.ordinal], row.values[4], holds[written[row.ordinal]] == row.ordinal, batch, row.ordinal
            )
            for row in asked
            if row.ordinal in written
        ]
        usage.add(connection, ["".join(lines)])
        return {}


KIND = Kind(
    name="report-usage",
    title={"en": "Report usage", "it": "Comunicare l'uso"},
    senders=frozenset({"customer", "vendor"}),
    fields=COLUMNS,
    load=Reports,
    subject=("contract|customer_number", "product", "date"),
    domain="usage",
)

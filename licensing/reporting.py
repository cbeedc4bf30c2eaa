"""Usage reports: what a row says of a day, held against what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from licensing.contracts import Line
from licensing.decisions import Decision

TOTAL = ""  # the host of a report that counts everything together


def decide_report(
    line: Line, day: date, host_id: str, quantity: int, known: Mapping[str, int], *, today: date
) -> Decision:
    """The answer to a row of ``report-usage``. ``known``: what is reported of the line on that day, by host.

    A day is counted in total or host by host, never both: one report would be counted twice. ``today`` in the
    contract's time zone.
    """
    if not line.starts <= day <= line.ends:
        return Decision("outside_term", f"{line.starts} - {line.ends}", field="date")
    if day > today:
        return Decision("date_in_future", day.isoformat(), field="date")
    other_form = [reported for host, reported in known.items() if (host == TOTAL) is not (host_id == TOTAL)]
    if quantity and any(other_form):
        return Decision("usage_overlaps", day.isoformat(), field="host_id")
    before = known.get(host_id)
    if before is None:
        return Decision("reported")
    return Decision("unchanged") if before == quantity else Decision("corrected", f"{before} > {quantity}")

"""What is to be said of a contract besides its figures: gaps, adjustments, tolerated excess, amendments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from exporters.statement_words import Writing
from exporters.statements import ReportedContract, ReportedLine
from licensing.contracts import DAY, Period

_MOST_GAPS = 3  # that are named


def notes(contract: ReportedContract, writing: Writing) -> list[str]:
    """The sentences, the weightiest first: what changed, what is not known, what is not owed."""
    found = [
        (rank, place, sentence)
        for place, line in enumerate(contract.lines)
        for rank, sentence in _of_line(line, writing)
    ]
    return [sentence for _, _, sentence in sorted(found, key=lambda one: one[:2])]


def _of_line(line: ReportedLine, writing: Writing) -> Iterator[tuple[int, str]]:
    for entry in line.in_force():
        period = writing.period(Period(entry.starts, entry.ends))
        if entry.is_tolerated:
            tolerance = writing.number(line.terms.tolerance)
            yield 3, writing.word("tolerated", line.sku, period, writing.number(entry.over), tolerance)
    yield from ((2, sentence) for sentence in _gaps(line, writing))
    for entry in line.entries:
        after = line.replaced_by(entry)
        if after is not None:
            sums = (
                writing.money(one.owed, line.currency) if one.owed else writing.word("nothing")
                for one in (entry, after)
            )
            period = writing.period(Period(entry.starts, entry.ends))
            yield 1, writing.word("adjustment", line.sku, period, after.number, entry.number, *sums)
    commitments = line.terms.commitments
    for before, now in pairwise(commitments):
        if now.since <= line.until:
            quantities = writing.number(now.quantity), writing.number(before.quantity)
            yield 4, writing.word("amendment", line.sku, quantities[0], writing.day(now.since), quantities[1])


def _gaps(line: ReportedLine, writing: Writing) -> Iterator[str]:
    """All days without a report that can be named in one sentence, the others period by period."""
    known: list[Period] = []
    for entry in line.in_force():
        gaps = line.gaps.get(entry.number, ())
        if entry.missing_days and not gaps:
            period = writing.period(Period(entry.starts, entry.ends))
            yield writing.word("gap_days", line.sku, period, writing.days(entry.missing_days))
        for gap in gaps:
            if known and known[-1].ends + DAY == gap.starts:  # it goes on in the next period
                known[-1] = Period(known[-1].starts, gap.ends)
            else:
                known.append(gap)
    if known:
        shown = "; ".join(map(writing.period, known[:_MOST_GAPS])) + ("; …" if len(known) > _MOST_GAPS else "")
        yield writing.word("gap", line.sku, writing.days(sum(gap.days for gap in known)), shown)

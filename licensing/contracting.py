"""Bringing contracts: a line is made once, and from then on only amended, from a day on. Nothing is overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from licensing.contracts import DAY
from licensing.decisions import Decision
from licensing.terms import add_months

# What a new line has where the cell is blank.
DEFAULTS: Mapping[str, Any] = {
    "unit": "year",
    "metric": "peak",
    "policy": "true_up",
    "currency": None,
    "growth": Decimal(0),
    "tolerance": Decimal(0),
    "report_days": None,
}
NEEDED = {"starts": "term_start", "months": "term"}  # and the columns that they come from
COLUMN_OF = {"starts": "term_start", "months": "term", "unit": "period"}


class Wanted(NamedTuple):
    """What a row says of a line: the terms that it gives, and the commitment. ``since`` None: from the first day on."""

    terms: Mapping[str, Any]
    quantity: int
    price: Decimal | None
    since: date | None


class Known(NamedTuple):
    """A line as it is: its terms, and its commitments by the day from which on they hold."""

    terms: Mapping[str, Any]
    commitments: Mapping[date, tuple[int, Decimal]]


class Commit(NamedTuple):
    """What is written for a row: the commitment, and the terms of a line that is new (else None)."""

    since: date
    quantity: int
    price: Decimal
    terms: Mapping[str, Any] | None = None


def decide_contract_line(wanted: Wanted, known: Known | None) -> Decision:
    """The answer to a row of ``load-contracts``; ``effect`` of what is written is a :class:`Commit`."""
    if known is None:
        return _create(wanted)
    for name, value in wanted.terms.items():
        if value != known.terms[name]:
            return Decision("contract_terms_fixed", f"{known.terms[name]}", field=COLUMN_OF.get(name, name))
    starts = known.terms["starts"]
    since = wanted.since or starts
    if not starts <= since < add_months(starts, known.terms["months"]):
        ends = add_months(starts, known.terms["months"]) - DAY
        return Decision("outside_term", f"{starts} - {ends}", field="effective")
    in_force = known.commitments[max(day for day in known.commitments if day <= since)]
    asked = wanted.quantity, in_force[1] if wanted.price is None else wanted.price
    if asked == in_force:
        return Decision("unchanged")
    if since in known.commitments:
        return Decision("committed_before", since.isoformat(), field="effective")
    return Decision("amended", since.isoformat(), effect=Commit(since, *asked))


def _create(wanted: Wanted) -> Decision:
    for name, column in NEEDED.items():
        if name not in wanted.terms:
            return Decision("missing_value", column, field=column)
    starts = wanted.terms["starts"]
    if wanted.since not in (None, starts):
        return Decision("nothing_to_amend", field="effective")
    terms = {**DEFAULTS, **wanted.terms}
    return Decision("created", effect=Commit(starts, wanted.quantity, wanted.price or Decimal(0), terms))

"""Statements as one JSON document: sums and rates as strings with all their digits, days as ISO writes them.

``{"format", "batch", "issuer", "contracts": [...]}``, a contract a line, so that it can be written and read piece by
piece. ``batch`` is null where the document was made on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from exporters.statements import Entry, ReportedContract, ReportedLine

MEDIA_TYPE = "application/json"
FORMAT = 1  # grows when a name changes its meaning


def document(contracts: Iterable[ReportedContract], *, issuer: str, batch: int | None) -> Iterator[bytes]:
    """The document's bytes, a contract at a time."""
    head = _json({"format": FORMAT, "batch": batch, "issuer": issuer})
    yield head[:-1] + b',"contracts":['
    between = b"\n"
    for contract in contracts:
        yield between + _json(_contract(contract))
        between = b",\n"
    yield b"\n]}\n"


def _json(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, default=str)  # decimals


def _contract(contract: ReportedContract) -> dict[str, Any]:
    return {
        "contract": contract.code,
        "customer": {"number": contract.customer_number, "name": contract.customer, "country": contract.country},
        "time_zone": contract.time_zone,
        "starts": contract.term.starts,
        "ends": contract.term.ends,
        "lines": [_line(line) for line in contract.lines],
    }


def _line(line: ReportedLine) -> dict[str, Any]:
    terms = line.terms
    return {
        "product": {"sku": line.sku, "name": line.name},
        "starts": terms.starts,
        "ends": terms.ends,
        "period": terms.unit,
        "metric": terms.metric,
        "policy": terms.policy,
        "currency": line.currency,
        "growth_percent": terms.growth,
        "tolerance_percent": terms.tolerance,
        "report_days": terms.report_days,
        "commitments": [
            {"since": one.since, "quantity": one.quantity, "unit_price": one.price} for one in terms.commitments
        ],
        "statements": [_statement(entry) for entry in line.entries],
    }


def _statement(entry: Entry) -> dict[str, Any]:
    facts = entry._asdict()
    facts["statement"] = facts.pop("number")
    facts["causes"] = [{"batch": batch, "row": row} for batch, row in entry.causes or ()]
    facts["flags"] = entry.flags
    return facts

"""Statements as FlexNet's reconciliation summary has them, with columns of our own after its own."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from exporters.listings import Title
from exporters.statements import ReportedContract
from licensing.cells import Cell

_NAMES = (
    "enterpriseName", "accountID", "productName", "productID", "featureName", "friendlyName", "startDate", "endDate",
    "usageUnitName", "usageFromStatement", "entitled", "overageFromStatement", "owed", "currency", "peak", "peakDate",
    "drawn", "missingDays", "statement",
)  # fmt: skip
TITLES: tuple[Title, ...] = tuple({"en": name, "it": name} for name in _NAMES)


def rows(contract: ReportedContract) -> Iterator[list[Cell]]:
    """A row for every statement of a contract, in the order of :data:`TITLES`."""
    for line, entry in contract.rows():
        yield [
            contract.customer,
            contract.customer_number,
            line.name,
            line.sku,
            contract.code,
            entry.state,
            entry.starts,
            entry.ends,
            line.terms.metric,
            _plain(entry.used),
            entry.committed,
            _plain(entry.over),
            _plain(entry.owed),
            line.currency,
            entry.peak,
            entry.peak_day,
            entry.drawn,
            entry.missing_days,
            entry.number,
        ]


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"

"""Reconciliation of a contract's line: which statement comes of what is stored, and whether it may still change."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from licensing.contracts import Period

Standing = Literal["open", "closed", "adjusted"]
Flag = Literal["owed", "over", "tolerated", "adjusted", "missing"]


def next_state(stored: Standing | None, is_equal: bool, period: Period, until: date) -> Standing | None:
    """What a period's statement becomes; None: it stays as it is.

    A period closes with the first run that counts its last day. A closed one never changes: where its figures would
    be others now, an adjustment is written beside it, and beside that one the next.
    """
    is_over = until >= period.ends
    if stored is None or stored == "open":
        state: Standing = "closed" if is_over else "open"
        return None if is_equal and stored == state else state
    return None if is_equal else "adjusted"


def flags(state: str, over: Decimal, is_tolerated: bool, owed: Decimal, missing_days: int) -> tuple[Flag, ...]:
    """Why somebody should look at a statement, the gravest first; empty when nobody need."""
    found: list[Flag] = []
    if owed:
        found.append("owed")
    elif over:
        found.append("tolerated" if is_tolerated else "over")
    if state == "adjusted":
        found.append("adjusted")
    if missing_days:
        found.append("missing")
    return tuple(found)

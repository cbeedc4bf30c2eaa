"""Reconciliation of a contract's line: which statement comes of what is stored, and whether it may still change."""

from __future__ import annotations

from datetime import date
from typing import Literal

from licensing.contracts import Period

Standing = Literal["open", "closed", "adjusted"]


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

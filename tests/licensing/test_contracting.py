"""Bringing contracts and amending them, purely."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from licensing.contracting import Commit, Known, Wanted, decide_contract_line

JANUARY, JULY = date(2026, 1, 1), date(2026, 7, 1)
TERMS: dict[str, Any] = {
    "starts": JANUARY, "months": 12, "unit": "year", "metric": "peak", "policy": "true_up", "currency": "EUR",
    "growth": Decimal(0), "tolerance": Decimal(0), "report_days": None,
}  # fmt: skip
KNOWN = Known(TERMS, {JANUARY: (100, Decimal(12)), JULY: (120, Decimal(11))})


def wanted(quantity: int = 100, price: str | None = "12", since: date | None = None, **terms: Any) -> Wanted:
    """What a row says."""
    return Wanted(terms, quantity, None if price is None else Decimal(price), since)


def test_a_new_line_needs_a_term_and_fills_in_the_rest() -> None:
    """First day and months must be there; the other terms have defaults; the price may be nothing."""
    decision = decide_contract_line(wanted(price=None, starts=JANUARY, months=18, policy="hard_stop"), None)
    assert decision.code == "created"
    commit = decision.effect
    assert (commit.since, commit.quantity, commit.price) == (JANUARY, 100, 0)
    assert (commit.terms["policy"], commit.terms["unit"], commit.terms["growth"]) == ("hard_stop", "year", 0)
    assert decide_contract_line(wanted(months=12), None).field == "term_start"
    assert decide_contract_line(wanted(starts=JANUARY), None).field == "term"
    assert decide_contract_line(wanted(since=JANUARY, starts=JANUARY, months=1), None).code == "created"
    assert decide_contract_line(wanted(since=JULY, starts=JANUARY, months=12), None).code == "nothing_to_amend"


@pytest.mark.parametrize(
    ("row", "code", "effect"),
    [
        (wanted(), "unchanged", None),
        (wanted(price=None), "unchanged", None),
        (wanted(**TERMS), "unchanged", None),
        (wanted(130), "committed_before", None),
        (wanted(120, "11", JULY), "unchanged", None),
        (wanted(120, None, date(2026, 9, 1)), "unchanged", None),
        (wanted(130, "11", JULY), "committed_before", None),
        (wanted(130, None, date(2026, 9, 1)), "amended", Commit(date(2026, 9, 1), 130, Decimal(11))),
        (wanted(90, "13", date(2026, 3, 1)), "amended", Commit(date(2026, 3, 1), 90, Decimal(13))),
        (wanted(0, None, date(2026, 12, 31)), "amended", Commit(date(2026, 12, 31), 0, Decimal(11))),
        (wanted(1, None, date(2027, 1, 1)), "outside_term", None),
        (wanted(1, None, date(2025, 12, 31)), "outside_term", None),
        (wanted(policy="hard_stop"), "contract_terms_fixed", None),
        (wanted(months=13), "contract_terms_fixed", None),
        (wanted(starts=JULY), "contract_terms_fixed", None),
    ],
)
def test_a_line_is_amended_and_never_overwritten(row: Wanted, code: str, effect: Commit | None) -> None:
    """The same again, another quantity from a day on, a day that has one, days outside the term, other terms."""
    decision = decide_contract_line(row, KNOWN)
    assert (decision.code, decision.effect) == (code, effect)
    if code == "contract_terms_fixed":
        assert decision.field in ("policy", "term", "term_start")

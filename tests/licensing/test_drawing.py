"""Drawing from a contract and giving back, purely."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from licensing.contracts import Commitment, Line
from licensing.drawing import Earlier, Request, Returned, decide_draw_down, decide_return, offer_on

JANUARY, TODAY = date(2026, 1, 1), date(2026, 6, 1)
LINE = Line(JANUARY, 12, "year", "peak", "true_up", (Commitment(JANUARY, 10, Decimal(1)),))
HARD = replace(LINE, policy="hard_stop")


@pytest.mark.parametrize(
    ("line", "drawn", "quantity", "code", "detail"),
    [
        (LINE, 0, 10, "issued", ""),
        (LINE, 8, 2, "issued", ""),
        (LINE, 8, 3, "issued_beyond_commitment", "1"),
        (LINE, 15, 1, "issued_beyond_commitment", "6"),
        (HARD, 8, 2, "issued", ""),
        (HARD, 8, 3, "pool_exhausted", "2"),
        (HARD, 12, 1, "pool_exhausted", "0"),
        (replace(HARD, growth=Decimal(25)), 10, 2, "issued_beyond_commitment", "2"),
        (replace(HARD, growth=Decimal(25)), 10, 3, "pool_exhausted", "2"),
        (replace(HARD, commitments=(*LINE.commitments, Commitment(TODAY, 20, Decimal(1)))), 10, 10, "issued", ""),
    ],
)
def test_the_policy_decides_beyond_the_commitment(
    line: Line, drawn: int, quantity: int, code: str, detail: str
) -> None:
    """A hard stop refuses beyond the growth allowance, with what is left; the others issue and say what is beyond."""
    offer = offer_on(line, TODAY, sku="CAD", host_bound=False)
    decision = decide_draw_down(Request(quantity, "", ""), offer, drawn, None)
    assert (decision.code, decision.detail) == (code, detail)


def test_only_the_term_counts_and_a_bound_product_needs_a_host() -> None:
    """The first and the last day are inside; a reference that was used before is told by what it brought."""
    for today, code in ((JANUARY, "issued"), (date(2026, 12, 31), "issued"), (date(2027, 1, 1), "contract_not_active")):
        offer = offer_on(LINE, today, sku="CAD", host_bound=True)
        assert decide_draw_down(Request(1, "H1", ""), offer, 0, None).code == code
    offer = offer_on(LINE, TODAY, sku="CAD", host_bound=True)
    assert decide_draw_down(Request(1, "", ""), offer, 0, None).code == "host_required"
    earlier = Earlier(3, "KML-1", "H1")
    for quantity, host, code in ((3, "H1", "already_issued"), (3, "", "already_issued"), (3, "H2", "reference_reused")):
        decision = decide_draw_down(Request(quantity, host, "R1"), offer, 0, earlier)
        assert (decision.code, decision.license_number) == (code, "KML-1" if code == "already_issued" else None)


@pytest.mark.parametrize(
    ("quantity", "license", "earlier", "code"),
    [
        (3, Returned("active", 3, True), None, "returned"),
        (2, Returned("active", 3, True), None, "returned_in_part"),
        (4, Returned("active", 3, True), None, "quantity_not_left"),
        (3, Returned("active", 3, False), None, "license_of_another_contract"),
        (3, Returned("revoked", 3, True), None, "license_not_active"),
        (3, Returned("revoked", 3, True), Earlier(-3, "KML-1", ""), "already_returned"),
        (2, Returned("revoked", 3, True), Earlier(-3, "KML-1", ""), "reference_reused"),
        (3, Returned("active", 3, True), Earlier(3, "KML-1", ""), "reference_reused"),
    ],
)
def test_what_was_drawn_can_be_given_back(quantity: int, license: Returned, earlier: Earlier | None, code: str) -> None:
    """All or part of an active license of this line, once for each reference."""
    assert decide_return(quantity, license, earlier).code == code

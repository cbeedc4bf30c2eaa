"""The rule of moving a license, answer by answer."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.rehosting import Moved, Offer, Request, decide_rehost, moves_that_count

TODAY = date(2026, 11, 25)
ASKED = Request("KML0", "H2", None)
OFFER = Offer("own", "active", "H1", 5, None, (), None, None)
EARLIER = [Moved("KML-1", "H9", 2)]


@pytest.mark.parametrize(
    ("request_", "offer", "code", "detail"),
    [
        (ASKED, None, "mistyped_code", ""),
        (ASKED._replace(number="L-77"), None, "unknown_license", ""),
        (ASKED._replace(number="L-77"), OFFER._replace(access=None), "unknown_license", ""),
        (ASKED, OFFER._replace(access="read"), "license_read_only", ""),
        (ASKED, OFFER._replace(state="revoked"), "license_not_active", "revoked"),
        (ASKED, OFFER._replace(valid_until=TODAY - timedelta(1)), "license_not_active", "expired"),
        (ASKED, OFFER._replace(valid_until=TODAY), "issued", ""),
        (ASKED, OFFER._replace(host_id=""), "license_without_host", ""),
        (ASKED._replace(new_host_id="H1"), OFFER, "unchanged", ""),
        (ASKED._replace(quantity=6), OFFER, "quantity_not_left", "5"),
        (ASKED._replace(quantity=5), OFFER, "issued", ""),
        (ASKED, OFFER._replace(limit=0), "rehost_limit_reached", "0"),
        (ASKED, OFFER._replace(limit=1, moves=[TODAY]), "rehost_limit_reached", "1"),
        (ASKED, OFFER._replace(limit=1, window=30, moves=[TODAY - timedelta(30)]), "issued", ""),
        (ASKED, OFFER._replace(limit=1, window=30, moves=[TODAY - timedelta(29)]), "rehost_limit_reached", "1"),
        (ASKED._replace(new_host_id="H9"), OFFER._replace(state="rehosted"), "already_issued", ""),
        (ASKED._replace(new_host_id="H9", quantity=2), OFFER._replace(state="rehosted"), "already_issued", ""),
        (ASKED._replace(new_host_id="H9", quantity=3), OFFER, "issued", ""),
    ],
)
def test_each_answer(request_: Request, offer: Offer | None, code: str, detail: str):
    """Every answer of the rule; an earlier row moved two of it to H9."""
    decision = decide_rehost(request_, offer, EARLIER, today=TODAY)
    assert (decision.code, decision.detail) == (code, detail)


@given(st.lists(st.dates(date(2025, 1, 1), TODAY)), st.integers(1, 900))
def test_moves_leave_the_window_one_by_one(moves: list[date], window: int):
    """A window of n days counts today and the n - 1 days before; without a window every move counts."""
    days = {TODAY - timedelta(back) for back in range(window)}
    assert moves_that_count(moves, window, TODAY) == sum(day in days for day in moves)
    assert moves_that_count(moves, None, TODAY) == len(moves)

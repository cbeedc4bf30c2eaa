"""The rule of upgrading a license by a notification."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.upgrading import Earlier, Offer, Release, Request, decide_upgrade, is_covered, offered

RELEASED = date(2026, 6, 1)
FIVE = Release("SUITE", "5.0", RELEASED, host_bound=False)
PRO = Release("PRO", "5.1", RELEASED, host_bound=True)
REACHABLE = (Release("SUITE", "6.0", date(2027, 6, 1), host_bound=False), PRO, FIVE, PRO._replace(version="5.0"))
OFFER = Offer("own", "open", 10, ("SUITE", "5.0"), "active", 10, "", date(2026, 1, 1), date(2026, 12, 31), REACHABLE)
ASKED = Request("N-1", "SUITE", 3, "", "")
EARLIER = [Earlier("KML-1", "SUITE", "H1", 4, "A")]


@pytest.mark.parametrize(
    ("request_", "offer", "code", "detail"),
    [
        (ASKED, None, "unknown_notification", ""),
        (ASKED._replace(key="KMN0"), None, "mistyped_code", ""),
        (ASKED, OFFER._replace(access=None), "unknown_notification", ""),
        (ASKED, OFFER._replace(access="read"), "license_read_only", ""),
        (ASKED._replace(quantity=4, reference="A"), OFFER._replace(remaining=0), "already_issued", ""),
        (ASKED._replace(quantity=4, reference="A", host_id="H1"), OFFER, "already_issued", ""),
        (ASKED._replace(quantity=4, reference="A", host_id="H2"), OFFER, "issued", ""),
        (ASKED._replace(quantity=4, reference="B"), OFFER, "issued", ""),
        (ASKED, OFFER._replace(remaining=0), "notification_used", ""),
        (ASKED, OFFER._replace(license_state="revoked"), "license_not_active", "revoked"),
        (ASKED, OFFER._replace(state="lapsed"), "maintenance_lapsed", "2026-12-31"),
        (ASKED, OFFER._replace(starts=None, ends=None), "maintenance_lapsed", "?"),
        (ASKED, OFFER._replace(ends=date(2026, 5, 31)), "maintenance_lapsed", "2026-05-31"),
        (ASKED._replace(sku="TOOL"), OFFER, "product_not_offered", "PRO, SUITE"),
        (ASKED._replace(quantity=11), OFFER, "quantity_not_left", "10"),
        (ASKED._replace(quantity=6), OFFER._replace(license_quantity=5), "quantity_not_left", "5"),
        (ASKED._replace(sku="PRO"), OFFER, "host_required", "PRO"),
        (ASKED._replace(sku="PRO"), OFFER._replace(host_id="H1"), "issued", ""),
        (ASKED._replace(sku="PRO", host_id="H1"), OFFER, "issued", ""),
    ],
)
def test_each_answer(request_: Request, offer: Offer | None, code: str, detail: str):
    """Every answer of the rule; an earlier row upgraded four of it on H1 under the reference A."""
    decision = decide_upgrade(request_, offer, EARLIER)
    assert (decision.code, decision.detail) == (code, detail)


def test_the_version_is_that_of_the_notification_and_the_newest_of_other_products():
    """SUITE is what was notified, so version 5.0 and not a later one; of PRO the newest that is covered."""
    assert decide_upgrade(ASKED, OFFER, ()).effect == FIVE
    assert decide_upgrade(ASKED._replace(sku="PRO", host_id="H"), OFFER, ()).effect == PRO


@given(st.dates(), st.integers(0, 400), st.integers(-500, 900))
def test_maintenance_covers_its_first_and_last_day(starts: date, length: int, offset: int):
    """A release is covered from the first day to the last, both included; without a date, or maintenance, never."""
    try:
        ends, released = starts + timedelta(length), starts + timedelta(offset)
    except OverflowError:
        return
    assert is_covered(released, starts, ends) == (0 <= offset <= length)
    assert not is_covered(None, starts, ends)
    assert not is_covered(released, None, None)
    assert offered(OFFER._replace(starts=None, ends=None)) == []

"""The rule of renewing maintenance: every answer, and the days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.renewing import Offer, Renewal, decide_renewal, renewed_period

TODAY = date(2026, 11, 25)
OFFER = Offer("own", "active", 1, 5, 7, date(2026, 1, 1), date(2026, 12, 31), "restart")
RENEWAL = Renewal("unregistered", "renewal", 1, 5, 12, None, is_spent_here=False)


@pytest.mark.parametrize(
    ("offer", "renewal", "code", "detail", "field"),
    [
        (None, RENEWAL, "unknown_license", "", "license"),
        (OFFER._replace(access=None), RENEWAL, "unknown_license", "", "license"),
        (OFFER._replace(access="read"), RENEWAL, "license_read_only", "", "license"),
        (OFFER, None, "unknown_serial", "", "renewal_serial"),
        (OFFER, RENEWAL._replace(purpose="license"), "serial_makes_license", "", "renewal_serial"),
        (OFFER, RENEWAL._replace(owner_id=8), "already_registered", "", "renewal_serial"),
        (OFFER, RENEWAL._replace(owner_id=7), "renewed", "2027-12-31", None),
        (OFFER, RENEWAL._replace(is_spent_here=True, remaining=0), "already_renewed", "2026-12-31", None),
        (OFFER, RENEWAL._replace(state="void"), "serial_void", "", "renewal_serial"),
        (OFFER._replace(state="revoked"), RENEWAL, "license_not_active", "revoked", "license"),
        (OFFER, RENEWAL._replace(product_id=2), "renewal_of_another_product", "", "renewal_serial"),
        (OFFER, RENEWAL._replace(remaining=4), "renewal_too_small", "4 < 5", "renewal_serial"),
        (
            OFFER._replace(ends=date(2026, 11, 24), policy="refuse"),
            RENEWAL,
            "maintenance_lapsed",
            "2026-11-24",
            "license",
        ),
        (OFFER._replace(ends=TODAY, policy="refuse"), RENEWAL, "renewed", "2027-11-25", None),
    ],
)
def test_each_answer(offer: Offer | None, renewal: Renewal | None, code: str, detail: str, field: str | None):
    """Every answer of the rule, with the column that is at fault."""
    decision = decide_renewal("L-1", offer, "R-1", renewal, today=TODAY)
    assert (decision.code, decision.detail, decision.field) == (code, detail, field)


def test_typing_errors_are_told_apart():
    """Codes of our own form that fail their check are mistyped, whichever of the two it is."""
    assert decide_renewal("KML0", None, "R-1", RENEWAL, today=TODAY).code == "mistyped_code"
    assert decide_renewal("L-1", OFFER, "KMS0", None, today=TODAY).code == "mistyped_code"


@pytest.mark.parametrize(
    ("starts", "ends", "policy", "expected"),
    [
        (None, None, "refuse", (TODAY, date(2027, 11, 25))),  # never had any
        (date(2025, 1, 1), TODAY, "refuse", (date(2025, 1, 1), date(2027, 11, 25))),  # on the last day
        (date(2025, 1, 1), date(2027, 2, 28), "restart", (date(2025, 1, 1), date(2028, 2, 28))),  # early: nothing lost
        (date(2025, 1, 1), date(2026, 11, 24), "restart", (TODAY, date(2027, 11, 25))),  # a day late
        (date(2025, 1, 1), date(2026, 11, 24), "backdate", (date(2025, 1, 1), date(2027, 11, 24))),
    ],
)
def test_the_period_after_a_renewal(starts: date | None, ends: date | None, policy: str, expected: tuple[date, date]):
    """In time it goes on; after a lapse it restarts, or fills the gap."""
    assert renewed_period(starts, ends, 12, policy, TODAY) == expected


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 60), st.sampled_from(["restart", "backdate"]))
def test_no_renewal_takes_days_away(ends: date, months: int, policy: str):
    """Whatever the day and the policy, maintenance ends later than before; early renewal adds whole months."""
    starts = ends - timedelta(400)
    first, last = renewed_period(starts, ends, months, policy, TODAY)
    assert first <= last
    assert last > ends
    if ends >= TODAY:
        assert first == starts

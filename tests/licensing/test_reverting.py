"""What can be taken back of what rows did, purely."""

from __future__ import annotations

from datetime import date

import pytest

from licensing.decisions import Decision
from licensing.drawing import Offer
from licensing.reverting import decide_drawn_again, decide_license, decide_share_of


@pytest.mark.parametrize("state", ["active", "revoked", "superseded", "rehosted", "expired"])
@pytest.mark.parametrize("is_renewed", [False, True])
def test_only_an_active_license_that_nothing_extended_goes(state: str, is_renewed: bool) -> None:
    """Any other is kept, and the answer names its state, or that it was renewed."""
    decision = decide_license(state, is_renewed=is_renewed)
    if state == "active" and not is_renewed:
        assert decision.code == "reverted"
    else:
        assert (decision.code, decision.detail) == ("kept_in_use", "renewed" if state == "active" else state)


@pytest.mark.parametrize(
    ("left", "total", "code", "detail"),
    [
        (3, 3, "reverted", ""),
        (1, 3, "reverted_in_part", "1 / 3"),
        (0, 3, "kept_in_use", "0 / 3"),
        (0, 0, "reverted", ""),
    ],
)
def test_the_unused_share_goes(left: int, total: int, code: str, detail: str) -> None:
    """All, some with the counts, or none."""
    decision = decide_share_of(left, total)
    assert (decision.code, decision.detail or "") == (code, detail)


@pytest.mark.parametrize(
    ("closed", "most", "drawn", "code", "detail"),
    [
        (None, None, 99, "reverted", ""),
        (None, 10, 5, "reverted", ""),
        (None, 10, 6, "kept_in_use", "pool_exhausted 4 / 5"),
        (None, 10, 12, "kept_in_use", "pool_exhausted 0 / 5"),
        (Decision("contract_not_active"), None, 0, "kept_in_use", "contract_not_active"),
    ],
)
def test_what_was_revoked_is_drawn_again_as_a_draw_down_of_today_would_be(
    closed: Decision | None, most: int | None, drawn: int, code: str, detail: str
) -> None:
    """In the term, and under a hard stop only what is left: five licenses."""
    told = decide_drawn_again(5, Offer(closed, 10, most, date(2026, 12, 31), "", False), drawn)
    assert (told.code, told.detail) == (code, detail)

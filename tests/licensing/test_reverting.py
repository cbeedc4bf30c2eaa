"""What can be taken back of what rows did, purely."""

from __future__ import annotations

import pytest

from licensing.reverting import decide_license, decide_share_of


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

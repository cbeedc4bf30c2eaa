"""Who may do what with a license: every pair of what is held and what is needed."""

from __future__ import annotations

import itertools

import pytest

from licensing.holding import RANKS, Access, refusal, unknown


@pytest.mark.parametrize(("held", "needed"), list(itertools.product(RANKS, RANKS[1:])))
def test_more_is_enough_and_less_is_refused(held: Access | None, needed: Access):
    """What is held must reach what is needed; nothing held looks as if there were no license."""
    answer = refusal("L-1", held, needed)
    if held is None:
        assert answer == unknown("L-1")
    elif RANKS.index(held) >= RANKS.index(needed):
        assert answer is None
    else:
        assert answer is not None
        assert answer.code == ("license_read_only" if held == "read" else "license_of_another")

"""How a batch is cut into chunks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobs.pipeline import tapering


@given(st.integers(0, 300_000), st.integers(1, 20_000), st.sampled_from((2, 8)))
def test_chunks_cover_every_row_once_and_end_small(count: int, size: int, part: int) -> None:
    """One after the other from 1 to the last row, none longer than a chunk may be or than the one before."""
    found = tapering(count, size, size // part)
    assert [first for first, _ in found] + [count + 1] == [1] + [last + 1 for _, last in found]
    lengths = [last - first + 1 for first, last in found]
    assert all(0 < length <= size for length in lengths)
    assert all(after <= before for before, after in pairwise(lengths))
    assert not lengths or lengths[-1] <= max(size // min(part, 4), 1) or count > 4 * size


def test_a_large_batch_ends_in_pieces_of_an_eighth() -> None:
    """No worker works for longer at the end than for an eighth of a chunk after the others are done."""
    lengths = [last - first + 1 for first, last in tapering(200_000, 10_000, 1_250)]
    assert lengths[:16] == [10_000] * 16
    assert 0 < lengths[-1] <= 1_250

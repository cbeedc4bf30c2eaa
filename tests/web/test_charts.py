"""Charts: what they draw is what they say, whatever the numbers are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from licensing.outcomes import OUTCOMES
from web.charts import Period, committed_and_used, outcome_bar

COUNTS = st.fixed_dictionaries({name: st.integers(0, 2_000_000) for name in OUTCOMES})
PERIODS = st.lists(
    st.builds(Period, st.text(max_size=8, alphabet="abc &<>26"), st.integers(0, 10**6), st.integers(0, 10**6)),
    max_size=40,
)


def numbers(svg: str, name: str, tag: str = "rect") -> list[float]:
    """An attribute of every element of a kind."""
    return [float(found) for found in re.findall(rf'<{tag}[^>]*\s{name}="([-\d.]+)"', svg)]


@given(COUNTS)
def test_parts_of_the_bar_lie_side_by_side_and_fill_it(counts: dict[str, int]):
    """One part for each outcome that there is, none of them invisible, none over another."""
    svg = str(outcome_bar(counts, "en"))
    shown = [count for count in counts.values() if count]
    if not shown:
        assert svg == ""
        return
    ElementTree.fromstring(svg)
    lefts, widths = numbers(svg, "x"), numbers(svg, "width")
    assert len(widths) == len(shown) and min(widths) >= 2.9
    ends = [left + width for left, width in zip(lefts, widths, strict=True)]
    assert abs(ends[-1] - 1000) < 1
    assert all(end <= left for end, left in zip(ends, lefts[1:], strict=False))


@given(PERIODS)
def test_columns_stay_inside_the_chart_and_labels_cannot_break_out(periods: list[Period]):
    """Whatever is used and committed, and whatever a label holds."""
    svg = str(committed_and_used(periods, "it"))
    if not periods:
        assert svg == ""
        return
    ElementTree.fromstring(svg)
    for y, height in zip(numbers(svg, "y"), numbers(svg, "height"), strict=True):
        assert y >= 15.9 and height >= 0 and y + height <= 240 - 33.8
    assert svg.count('class="committed"') == len(periods)


def test_a_chart_is_told_to_who_cannot_see_it():
    """With its numbers, in the reader's language."""
    svg = str(outcome_bar({"issued": 1500, "rejected": 2, "skipped": 0}, "it"))
    assert 'role="img"' in svg and "Emesse: 1.500, Rifiutate: 2" in svg and "Saltate" not in svg

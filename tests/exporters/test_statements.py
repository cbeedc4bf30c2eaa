"""What reports take from a contract: which statements hold, what is owed, the points of charts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from licensing.contracts import Known
from tests.exporters.reported import STARTS, UNTIL, contract, line


def test_the_newest_statement_of_a_period_holds() -> None:
    """An adjustment takes the place of what it adjusts, also in the sums."""
    adjusted = line(adjusted=True)
    assert [entry.number for entry in adjusted.entries] == [1, 51, 2, 3, 4]
    assert [entry.number for entry in adjusted.in_force()] == [51, 2, 3, 4]
    after = adjusted.replaced_by(adjusted.entries[0])
    assert after is not None and after.number == 51
    assert adjusted.replaced_by(adjusted.entries[1]) is None
    dollars = line("PLM", currency="USD", first_number=100, used=0, growth_a_month=0)
    whole = contract([adjusted, dollars])
    assert whole.owed("adjusted") == {"EUR": Decimal("1234.50")}
    assert whole.owed("open") == {"EUR": adjusted.entries[-1].owed}
    assert (whole.until, whole.term.ends) == (UNTIL, date(2026, 12, 31))


@given(
    days=st.integers(1, 900),
    most=st.integers(2, 200),
    holes=st.sets(st.integers(0, 899), max_size=30),
    metric=st.sampled_from(["peak", "average"]),
)
def test_points_cover_every_day_once_and_are_few(days: int, most: int, holes: set[int], metric: str) -> None:
    """Steps of days or whole weeks; the highest known day of a step, or their average; None where none is known."""
    whole = line(metric=metric)
    last = STARTS + timedelta(days - 1)
    used = [number % 37 for number in range(days)]
    first = STARTS.toordinal()
    known = [Known(first + number, [used[number]]) for number in range(days) if number not in holes]
    made = type(whole)("X", "X", None, whole.terms, [whole.entries[0]._replace(until=last)], known)
    points = made.points(most)
    assert len(points) <= most + 1
    edges = [*(point.day for point in points), last + timedelta(1)]
    assert edges[0] == STARTS and edges == sorted(set(edges))
    for point, following in zip(points, edges[1:], strict=True):
        places = range((point.day - STARTS).days, (following - STARTS).days)
        told = [used[number] for number in places if number not in holes]
        if not told:
            assert point.used is None
        elif metric == "peak":
            assert point.used == max(told)
        else:
            assert point.used is not None and abs(point.used - Decimal(sum(told)) / len(told)) <= Decimal("0.005")

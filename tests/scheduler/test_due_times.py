"""When a schedule is due, on ordinary days and where the clock is put forward or back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.refusals import Refused
from scheduler.due_times import CronExpression, due_times

LORD_HOWE = "Australia/Lord_Howe"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ZONES = [
    "UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Beirut",
    "Asia/Kathmandu",
]  # fmt: skip
YEARS = (2026, 2027)


def due(expression: str, zone: str, after: str, count: int = 3) -> str:
    """The next due times as the wall clock of the zone shows them, with their distance from UTC."""
    found = due_times(CronExpression(expression), ZoneInfo(zone), datetime.fromisoformat(after).replace(tzinfo=UTC))
    return ", ".join(f"{at.astimezone(ZoneInfo(zone)):%m-%d %H:%M%z}" for at in islice(found, count))


def changes(zone: str) -> list[date]:
    """The days of two years on which the clock of a zone is put forward or back."""
    days = (date(YEARS[0], 1, 1) + n * DAY for n in range(365 * len(YEARS)))
    place = ZoneInfo(zone)

    def offset(day: date) -> timedelta | None:
        return datetime.combine(day, time(12), tzinfo=place).utcoffset()

    return [day for day in days if offset(day) != offset(day - DAY)]


@cache
def shown_minutes(zone: str, first: date, days: int) -> list[tuple[datetime, datetime]]:
    """Every minute as (UTC, what the wall clock shows), from the noon before a day on."""
    start = datetime.combine(first - DAY, time(12), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    minutes = (start + minute * MINUTE for minute in range(days * 24 * 60))
    return [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for at in minutes]


@cache
def named_minutes(expression: str) -> set[tuple[int, int]]:
    """The hours and minutes that an expression of minutes and hours names, by the library that reads it."""
    cron, day = CronExpression(expression), datetime(2026, 6, 1)
    minutes = (day + minute * MINUTE for minute in range(24 * 60))
    return {(wall.hour, wall.minute) for wall in minutes if cron.after(wall - MINUTE) == wall}


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("30 2 * * *", "UTC", "2026-03-28T12:00", "03-29 02:30+0000, 03-30 02:30+0000, 03-31 02:30+0000"),
        # forward: 02:00 does not exist on 29 March
        ("30 2 * * *", "Europe/Rome", "2026-03-28T12:00", "03-29 03:00+0200, 03-30 02:30+0200, 03-31 02:30+0200"),
        ("0 3 * * *", "Europe/Rome", "2026-03-28T12:00", "03-29 03:00+0200, 03-30 03:00+0200, 03-31 03:00+0200"),
        ("*/20 2,3 * * *", "Europe/Rome", "2026-03-29T00:00", "03-29 03:00+0200, 03-29 03:20+0200, 03-29 03:40+0200"),
        ("30 * * * *", "Europe/Rome", "2026-03-29T00:00", "03-29 01:30+0100, 03-29 03:30+0200, 03-29 04:30+0200"),
        # back: 02:00 to 03:00 comes twice on 25 October
        ("30 2 * * *", "Europe/Rome", "2026-10-24T12:00", "10-25 02:30+0200, 10-26 02:30+0100, 10-27 02:30+0100"),
        ("30 2 * * *", "Europe/Rome", "2026-10-25T01:00", "10-26 02:30+0100, 10-27 02:30+0100, 10-28 02:30+0100"),
        ("30 * * * *", "Europe/Rome", "2026-10-25T00:00", "10-25 02:30+0200, 10-25 02:30+0100, 10-25 03:30+0100"),
        ("15 1 * * *", "America/New_York", "2026-10-31T12:00", "11-01 01:15-0400, 11-02 01:15-0500, 11-03 01:15-0500"),
        ("15 2 8 3 *", "America/New_York", "2026-01-01T00:00", "03-08 03:00-0400, 03-08 02:15-0500, 03-08 02:15-0500"),
        # half an hour only
        ("15 2 * * *", LORD_HOWE, "2026-10-03T12:00", "10-04 02:30+1100, 10-05 02:15+1100, 10-06 02:15+1100"),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T12:00", "04-05 01:45+1100, 04-06 01:45+1030, 04-07 01:45+1030"),
        ("40 * * * *", LORD_HOWE, "2026-04-04T14:00", "04-05 01:40+1100, 04-05 01:40+1030, 04-05 02:40+1030"),
        # midnight itself is left out
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00", "09-06 01:00-0300, 09-07 00:00-0300, 09-08 00:00-0300"),
        ("0 9 L * *", "UTC", "2026-02-01T00:00", "02-28 09:00+0000, 03-31 09:00+0000, 04-30 09:00+0000"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", "02-29 00:00+0000, 02-29 00:00+0000, 02-29 00:00+0000"),
    ],
)  # fmt: skip
def test_due_times_by_example(expression: str, zone: str, after: str, expected: str):
    """A time in a gap is due at its end, a repeated one the first time; an expression of every hour by elapsed time."""
    assert due(expression, zone, after) == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", ["0 * * * *", "7,38 * * * *", "*/15 * * * *", "* * * * *", "50-59/3 0-23 * * *"])
def test_an_expression_of_every_hour_is_due_whenever_the_clock_shows_it(zone: str, expression: str):
    """Around each change of each zone: exactly the minutes whose wall clock is named, twice where it comes twice."""
    for day in changes(zone) or [date(YEARS[0], 6, 1)]:
        minutes = shown_minutes(zone, day, 3)
        expected = [at for at, wall in minutes if (wall.hour, wall.minute) in named_minutes(expression)]
        found = due_times(CronExpression(expression), ZoneInfo(zone), minutes[0][0] - MINUTE)
        assert list(takewhile(lambda at: at <= minutes[-1][0], found)) == expected  # noqa: B023


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("minute", [0, 1, 15, 30, 44, 59])
def test_an_expression_that_names_hours_is_due_once_for_each(zone: str, minute: int):
    """Around each change, for every hour of the day: once a day, at the first instant that shows it or a later time."""
    for day in changes(zone) or [date(YEARS[0], 6, 1)]:
        minutes = shown_minutes(zone, day, 3)
        instants: dict[datetime, datetime] = {}
        for at, wall in minutes:
            instants.setdefault(wall, at)
        for hour in range(24):
            expected = []
            for named in (datetime.combine(day + n * DAY, time(hour, minute)) for n in range(-1, 3)):
                if minutes[0][1] <= named <= minutes[-1][1]:
                    later = next(wall for wall in (named + n * MINUTE for n in range(24 * 60)) if wall in instants)
                    expected.append(instants[later])
            found = due_times(CronExpression(f"{minute} {hour} * * *"), ZoneInfo(zone), minutes[0][0] - MINUTE)
            assert list(takewhile(lambda at: at <= minutes[-1][0], found)) == expected  # noqa: B023


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "15 */2 * * *", "0 0,12 * * MON", "59 23 L * *", "* 1-3 * 3,4,10 *"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
def test_due_times_rise_and_do_not_depend_on_where_one_begins(zone: str, expression: str, after: datetime):
    """Each due time is later than the one before, and the same whichever earlier due time one asks from."""
    place, cron = ZoneInfo(zone), CronExpression(expression)
    found = list(islice(due_times(cron, place, after), 6))
    assert after < found[0]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert [next(due_times(cron, place, earlier)) for earlier in found[:-1]] == found[1:]


def test_seconds_may_come_first():
    """An expression of six fields names seconds."""
    after = datetime(2026, 1, 1, 0, 0, 31, 5, tzinfo=UTC)
    found = due_times(CronExpression("*/20 * * * * *"), ZoneInfo("Europe/Rome"), after)
    assert [at.second for at in islice(found, 3)] == [40, 0, 20]


def test_an_expression_that_is_never_due_ends():
    """The first of February is never the fifth Monday of the month."""
    assert list(due_times(CronExpression("0 0 */30 2 MON#5"), ZoneInfo("UTC"), datetime(2026, 1, 1, tzinfo=UTC))) == []


@pytest.mark.parametrize(
    "expression", ["", "bla", "61 * * * *", "* * * *", "0 0 30 2 *", "@daily", "* * * * * * *", "-1 * * * *"]
)
def test_what_is_no_expression_is_refused(expression: str):
    """The sentence says what is wrong with it and how a right one looks."""
    with pytest.raises(Refused) as refusal:
        CronExpression(expression)
    assert refusal.value.code == "bad_expression"
    assert "30 2 * * *" in refusal.value.en and "30 2 * * *" in refusal.value.it


def test_an_expression_is_explained_in_words():
    """In both languages; where there are no Italian ones the expression itself, which is the same in all."""
    assert CronExpression("30 2  * * *").explained("en") == "At 02:30 every day"
    assert CronExpression("30 2  * * *").explained("it") == "Ogni giorno alle 02:30"
    assert CronExpression("0 2  * * MON#1").explained("it") == "0 2 * * MON#1"

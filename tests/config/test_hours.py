"""Hours of the week, and the bandwidth that belongs to a moment."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.hours import Hours, bandwidth_at

#: A Monday.
MONDAY = datetime(2026, 11, 23, tzinfo=ZoneInfo("Asia/Seoul"))


def hours(from_: str, to: str, days: str = "mon-sun", bandwidth: int = 1) -> Hours:
    """Hours as a file says them."""
    return Hours.model_validate({"from": from_, "to": to, "days": days, "bandwidth": bandwidth})


@pytest.mark.parametrize(
    ("day", "clock", "covered"),
    [
        (0, "08:59", False),
        (0, "09:00", True),
        (4, "17:59", True),
        (4, "18:00", False),
        (5, "12:00", False),
        (6, "12:00", False),
    ],
)
def test_office_hours(day: int, clock: str, covered: bool) -> None:
    """They begin with their first minute, end before their last, and not on other days."""
    hour, minute = map(int, clock.split(":"))
    at = MONDAY + timedelta(days=day, hours=hour, minutes=minute)
    assert hours("09:00", "18:00", "mon-fri").covers(at) is covered


@pytest.mark.parametrize(
    ("day", "hour", "covered"),
    [(4, 21, False), (4, 22, True), (5, 5, True), (5, 6, False), (5, 22, False), (4, 5, False)],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(day: int, hour: int, covered: bool) -> None:
    """Friday's night lasts until Saturday morning; Saturday has none."""
    assert hours("22:00", "06:00", "fri").covers(MONDAY + timedelta(days=day, hours=hour)) is covered


def test_days_may_go_over_the_week_s_end() -> None:
    """`fri-mon` is four days, `mon` is one, and names may be joined by commas."""
    assert hours("00:00", "24:00", "fri-mon").days == {4, 5, 6, 0}
    assert hours("00:00", "24:00", "mon").days == {0}
    assert hours("00:00", "24:00", "Sat, tue-wed").days == {5, 1, 2}


def test_the_first_that_fits_counts() -> None:
    """Of several hours the first; outside of all the bandwidth itself."""
    week = [hours("12:00", "13:00", bandwidth=0), hours("09:00", "18:00", "mon-fri", bandwidth=5)]
    at = [bandwidth_at(MONDAY + timedelta(hours=hour), 9, week) for hour in (8, 9, 12, 13, 18)]
    assert at == [9, 5, 0, 5, 9]


def test_the_clock_on_the_wall_counts() -> None:
    """00:30 in UTC is half past nine in Seoul."""
    utc = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
    office = hours("09:00", "18:00", "mon-fri")
    assert office.covers(utc.astimezone(ZoneInfo("Asia/Seoul")))
    assert not office.covers(utc)


@given(st.datetimes(), st.integers(0, 1439), st.integers(0, 1440))
def test_hours_and_those_between_them_are_the_whole_week(at: datetime, start: int, end: int) -> None:
    """Every minute lies in the hours or in those that begin when they end, and in one of them only."""
    clock = [f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (start, end, end % 1440)]
    if start == end % 1440:
        return
    one, rest = hours(clock[0], clock[1]), hours(clock[2], clock[0])
    assert one.covers(at) != (rest.covers(at))

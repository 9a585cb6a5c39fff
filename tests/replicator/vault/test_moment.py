"""Times as people type them."""

from zoneinfo import ZoneInfo

import pytest

from replicator.errors import TimeError
from replicator.moment import parse_time

SEOUL = ZoneInfo("Asia/Seoul")
AT = 1_795_323_785_000_000_000  # 2026-11-22T14:03:05+09:00


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22 14:03:05", AT),
        ("2026-11-22T14:03:05", AT),
        (" 2026-11-22 14:03:05 ", AT),
        ("2026-11-22 14:03", AT - 5_000_000_000),
        ("2026-11-22 14:03:05.123", AT + 123_000_000),
        ("2026-11-22T14:03:05.123456789+09:00", AT + 123_456_789),
        ("2026-11-22T05:03:05Z", AT),
        ("2026-11-22t05:03:05z", AT),
        ("2026-11-21T19:03:05-1000", AT),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_time_is_read(text: str, expected: int) -> None:
    """RFC 3339 and local time of the site give the same nanosecond."""
    assert parse_time(text, SEOUL) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "14:03",
        "2026-13-22 14:03",
        "2026-11-22 24:03",
        "2026-11-22 14:03:05+25:00",
        "1795323785",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """The error says how a time is written."""
    with pytest.raises(TimeError) as caught:
        parse_time(text, SEOUL)
    assert "RFC 3339" in caught.value.hint


@pytest.mark.parametrize("text", ["2026-03-29 02:30:00", "2026-10-25 02:30:00"])
def test_a_local_time_that_is_not_one_moment_is_refused(text: str) -> None:
    """Where the clock is set, the operator must say which of the two he means."""
    with pytest.raises(TimeError, match="clock"):
        parse_time(text, ZoneInfo("Europe/Berlin"))

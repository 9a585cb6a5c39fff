"""Field types that sections share."""

from datetime import timedelta

import pytest

from config.fields import parse_duration, show_duration


@pytest.mark.parametrize("text", ["0s", "250ms", "10s", "90s", "5m", "2h", "7d", "365d"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    """What `check` prints can be typed into the file again."""
    assert show_duration(parse_duration(text)) == text


def test_the_largest_whole_unit_is_shown() -> None:
    """120 seconds are two minutes, 90 are not one and a half."""
    assert [show_duration(timedelta(seconds=each)) for each in (120, 90, 86400)] == ["2m", "90s", "1d"]

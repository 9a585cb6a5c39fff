"""When an alarm's condition holds: timelines of readings against the pure rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.model import Alarm
from sensors.reading import Quality
from sensors.rules import Watched, step
from tests.sensors.support import reading

HOT = {"point": "a.t", "above": 32.0, "deadband": 1.0}


def rule(**settings: Any) -> Alarm:
    """An alarm of these settings."""
    return Alarm.model_validate({"id": "hot", **settings})


def play(alarm: Alarm, *values: tuple[float, float | bool | None], point: str = "a.t") -> list[tuple[float, bool]]:
    """Give (time, value) readings, None for a lost one. Returns when the condition flipped, and to what."""
    state, flips = Watched(), []
    for at, value in values:
        quality = Quality.LOST if value is None else Quality.GOOD
        result = step(alarm, state, reading(point, value, quality), at)
        state = result.state
        if result.flipped:
            flips.append((at, state.active))
    return flips


def test_above_with_deadband() -> None:
    """Raised above the limit, not at it; cleared only at the dead-band's far side."""
    values = [(0, 32.0), (1, 32.1), (2, 31.5), (3, 31.1), (4, 31.0), (5, 31.5), (6, 32.1)]
    assert play(rule(**HOT), *values) == [(1, True), (4, False), (6, True)]


def test_below_with_deadband() -> None:
    """The same, the other way up."""
    alarm = rule(point="a.t", below=5.0, deadband=0.5)
    assert play(alarm, (0, 5.0), (1, 4.9), (2, 5.4), (3, 5.5)) == [(1, True), (3, False)]


@pytest.mark.parametrize(("wanted", "values"), [(True, (False, True, False)), (2, (1.0, 2.0, 3.0))])
def test_is(wanted: bool | int, values: tuple[float, float, float]) -> None:
    """A yes or no, or one number of several."""
    assert play(rule(**{"point": "a.t", "is": wanted}), *enumerate(values)) == [(1, True), (2, False)]


def test_on_delay_needs_the_whole_time() -> None:
    """Ten seconds above without a break raise; a break starts the time anew."""
    alarm = rule(**HOT, on_delay="10s")
    assert play(alarm, (0, 40.0), (5, 40.0), (9, 40.0), (10, 40.0)) == [(10, True)]
    assert play(alarm, (0, 40.0), (9, 30.0), (10, 40.0), (19, 40.0), (20, 40.0)) == [(20, True)]


def test_a_grid_that_is_a_little_early_does_not_cost_a_period() -> None:
    """A reading that comes milliseconds before the delay's end counts as at its end."""
    assert play(rule(**HOT, on_delay="10s"), (0.01, 40.0), (10.0, 40.0)) == [(10.0, True)]


def test_off_delay() -> None:
    """Cleared only after the whole time inside the limit."""
    alarm = rule(**HOT, off_delay="30s")
    values = [(0, 40.0), (10, 20.0), (30, 20.0), (35, 40.0), (40, 20.0), (69, 20.0), (70, 20.0)]
    assert play(alarm, *values) == [(0, True), (70, False)]


def test_a_lost_point_holds_its_alarm() -> None:
    """A point that is lost neither clears an alarm nor raises one, and a delay goes on over the gap."""
    assert play(rule(**HOT), (0, 40.0), (1, None), (2, None)) == [(0, True)]
    assert play(rule(**HOT), (0, 20.0), (1, None), (2, None)) == []
    assert play(rule(**HOT, on_delay="10s"), (0, 40.0), (5, None), (11, None), (12, 40.0)) == [(12, True)]
    assert play(rule(**HOT, on_delay="10s"), (0, 40.0), (5, None), (11, None), (12, 20.0)) == []


def test_a_bad_value_counts_as_none() -> None:
    """A value that cannot be believed does not clear an alarm."""
    alarm = rule(**HOT)
    state = step(alarm, Watched(), reading("a.t", 40.0), 0.0).state
    after = step(alarm, state, reading("a.t", None, Quality.BAD), 1.0)
    assert after.state.active
    assert "no value of a.t" in after.reason


def test_two_of_three_must_agree() -> None:
    """One of three is not enough, two are; a lost one counts for nobody."""
    alarm = rule(points=["a.t", "b.t", "c.t"], votes=2, above=32.0)
    state = Watched()

    def tell(point: str, value: float | None) -> bool:
        nonlocal state
        quality = Quality.LOST if value is None else Quality.GOOD
        state = step(alarm, state, reading(point, value, quality), 0.0).state
        return state.active

    assert not tell("a.t", 40.0)
    assert not tell("b.t", 20.0)
    assert not tell("c.t", 20.0)
    assert tell("b.t", 40.0)
    assert tell("a.t", None)
    assert tell("c.t", 20.0), "a, lost, may still be hot: the alarm holds"
    assert not tell("b.t", 20.0), "even with a there are not two any more"


def test_a_rise_in_time_is_raised() -> None:
    """Five degrees in fifteen minutes raise whatever the height; the same rise in an hour does not."""
    alarm = rule(point="a.t", rises={"by": 5.0, "within": "15m"}, deadband=1.0)
    assert play(alarm, *[(60.0 * n, 20.0 + n) for n in range(6)]) == [(300.0, True)]
    assert play(alarm, *[(60.0 * n, 20.0 + n / 12) for n in range(120)]) == []
    slow_return = [(0.0, 20.0), (60.0, 26.0), (900.0, 26.0), (1000.0, 26.0), (1100.0, 26.0)]
    assert play(alarm, *slow_return) == [(60.0, True), (1000.0, False)]


def test_a_window_stays_small() -> None:
    """A window of readings ten times a second does not grow past its sixty parts."""
    alarm = rule(point="a.t", rises={"by": 5.0, "within": "1m"})
    state = Watched()
    for n in range(3000):
        state = step(alarm, state, reading("a.t", 20.0), n / 10).state
    assert len(state.windows["a.t"]) <= 61


def test_a_reason_says_what_and_how_long() -> None:
    """The reason names the point and the delay that was kept."""
    alarm = rule(**HOT, on_delay="10s")
    state = step(alarm, Watched(), reading("a.t", 40.0), 0.0).state
    assert step(alarm, state, reading("a.t", 40.0), 4.0).reason == "a.t past the limit for 4.0 of 10 s"
    assert step(alarm, state, reading("a.t", 40.0), 10.0).reason == "a.t past the limit for 10 s"


@given(st.lists(st.one_of(st.none(), st.floats(20.0, 40.0)), max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_no_flip_without_its_whole_delay(values: list[float | None], on: int, off: int) -> None:
    """Whatever comes: a flip has behind it, without a contradiction, as many seconds as its delay says."""
    alarm = rule(point="a.t", above=30.0, on_delay=f"{on}s", off_delay=f"{off}s")
    for at, active in play(alarm, *enumerate(values)):
        delay = on if active else off
        behind = [value for value in values[int(at) - delay : int(at) + 1] if value is not None]
        assert all((value > 30.0) is active for value in behind)
        assert values[int(at)] is not None

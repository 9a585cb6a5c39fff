"""When an alarm's condition holds: pure decisions on readings, with steady time passed in.

A condition changes on a reading, never between readings: after `on_delay` the next good reading that still says so
raises. A point without a good value leaves its alarm as it is, neither raised nor cleared.
"""

import msgspec

from config.model import Alarm
from sensors.reading import Quality, Reading
from sensors.words import say_value

#: Readings come a little before or after their grid: a delay that is over but for this is over.
_JITTER = 0.05
_BUCKETS = 60


class Watched(msgspec.Struct, frozen=True):
    """What an alarm's rule remembers.

    Attributes:
        active: whether the condition holds.
        since: when readings began to say the opposite, steady seconds.
        truths: what each point said last; a point that is not there is not known.
        value: the value by which it flipped last, as people read it.
        windows: for `rises`: lowest values of the last stretches of time, oldest first, as (steady seconds, value).
    """

    active: bool = False
    since: float | None = None
    truths: dict[str, bool] = {}
    value: str = ""
    windows: dict[str, tuple[tuple[float, float], ...]] = {}


class Step(msgspec.Struct, frozen=True):
    """What one reading did: the new state, whether the condition flipped, and why."""

    state: Watched
    flipped: bool
    reason: str


def points_of(alarm: Alarm) -> tuple[str, ...]:
    """The points that an alarm looks at, as `device.point`."""
    return tuple(alarm.points or ([alarm.point] if alarm.point else []))


def step(alarm: Alarm, state: Watched, reading: Reading, now: float) -> Step:
    """Apply one reading of one of the alarm's points at a steady time."""
    state = _seen(alarm, state, reading, now)
    verdict, reason = _vote(alarm, state)
    if verdict is None or verdict == state.active:
        since = state.since if verdict is None else None
        return Step(msgspec.structs.replace(state, since=since), flipped=False, reason=reason)
    delay = (alarm.on_delay if verdict else alarm.off_delay).total_seconds()
    since = now if state.since is None else state.since
    if now - since < delay - _JITTER:
        reason = f"{reason} for {max(0.0, now - since):.1f} of {delay:g} s"
        return Step(msgspec.structs.replace(state, since=since), flipped=False, reason=reason)
    held = f"{reason} for {delay:g} s" if delay else reason
    value = say_value(reading.value, reading.unit)
    return Step(msgspec.structs.replace(state, active=verdict, since=None, value=value), flipped=True, reason=held)


def _seen(alarm: Alarm, state: Watched, reading: Reading, now: float) -> Watched:
    truths = {name: truth for name, truth in state.truths.items() if name != reading.name}
    if reading.quality is not Quality.GOOD or reading.value is None:
        return msgspec.structs.replace(state, truths=truths)
    windows = state.windows
    if alarm.rises is not None:
        windows = {**windows, reading.name: _window(alarm, windows.get(reading.name, ()), float(reading.value), now)}
    truths[reading.name] = _true(alarm, reading.value, windows.get(reading.name, ()), held=state.active)
    return msgspec.structs.replace(state, truths=truths, windows=windows)


def _true(alarm: Alarm, value: float | bool, window: tuple[tuple[float, float], ...], *, held: bool) -> bool:
    """Whether one point's value says so; an alarm that is up lets go only past the dead-band."""
    slack = alarm.deadband if held else 0.0
    if alarm.above is not None and value > alarm.above - slack:
        return True
    if alarm.below is not None and value < alarm.below + slack:
        return True
    if alarm.is_ is not None and value == alarm.is_:
        return True
    lowest = min((low for _, low in window), default=value)
    return alarm.rises is not None and value - lowest >= alarm.rises.by - slack


def _window(
    alarm: Alarm, window: tuple[tuple[float, float], ...], value: float, now: float
) -> tuple[tuple[float, float], ...]:
    within = alarm.rises.within.total_seconds() if alarm.rises else 0.0
    kept = tuple((at, low) for at, low in window if now - at <= within)
    if kept and now - kept[-1][0] < within / _BUCKETS:
        at, low = kept[-1]
        return (*kept[:-1], (at, min(low, value)))
    return (*kept, (now, value))


def _vote(alarm: Alarm, state: Watched) -> tuple[bool | None, str]:
    """Whether enough points say so; None when it hangs on points that are not known."""
    points = points_of(alarm)
    votes = alarm.votes or 1
    yes = [point for point in points if state.truths.get(point)]
    unknown = [point for point in points if point not in state.truths]
    if len(yes) >= votes:
        return True, f"{', '.join(yes)} past the limit"
    if len(yes) + len(unknown) < votes:
        return False, "back inside the limit" if state.active else "inside the limit"
    return None, f"no value of {', '.join(unknown)}"

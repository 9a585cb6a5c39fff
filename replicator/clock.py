"""Notices that the machine slept or that its clock was set, by three clocks that go alike while neither happens."""

import time
from typing import NamedTuple

#: A sleep or a jump shorter than this is none: reading three clocks takes time, and NTP turns the clock gently.
LEAST_NS = 500_000_000
_HELD_UP_NS = 50_000_000


class Clocks(NamedTuple):
    """The three clocks at one moment, nanoseconds.

    Attributes:
        wall: since 1970, as somebody set it.
        steady: goes on evenly while the machine is awake.
        boot: goes on evenly also while it sleeps.
    """

    wall: int
    steady: int
    boot: int


class Leap(NamedTuple):
    """What happened between two readings, nanoseconds; 0 for nothing.

    Attributes:
        slept: how long the machine was suspended.
        set: by how much the clock was set; negative when it was set back.
    """

    slept: int
    set: int


def read() -> Clocks:
    """The clocks now, read again when we were held up in between."""
    while True:
        steady = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        clocks = Clocks(time.time_ns(), steady, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        if time.clock_gettime_ns(time.CLOCK_MONOTONIC) - steady < _HELD_UP_NS:
            return clocks


def compare(before: Clocks, now: Clocks) -> Leap:
    """What happened in between."""
    passed = now.boot - before.boot
    slept = passed - (now.steady - before.steady)
    jumped = now.wall - before.wall - passed
    return Leap(slept if slept >= LEAST_NS else 0, jumped if abs(jumped) >= LEAST_NS else 0)

"""The time that decisions are given."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


class SteadyClock:
    """The wall's time in UTC, that never goes back while the process lives.

    A host whose clock is set back by an hour must not hold its alarms back for that hour: time then goes on from
    where it was, by the monotonic clock, until the wall has caught up.
    """

    def __init__(self, wall: Clock = lambda: datetime.now(UTC), ticks: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._ticks = ticks
        self._base, self._mark = wall(), ticks()

    def __call__(self) -> datetime:
        """Return the time."""
        tick = self._ticks()
        steady = self._base + timedelta(seconds=tick - self._mark)
        self._base, self._mark = max(steady, self._wall()), tick
        return self._base

"""When a device is asked next, and when it is lost: pure decisions.

A point is lost when three asks in a row failed *and* nothing came for three of its periods: the later of the two, so
that neither one lost frame of a fast device nor a gateway's restart under slow ones raises an alarm.
"""

from dataclasses import dataclass, field

FAILED_ASKS = 3
SILENT_PERIODS = 3
_FIRST_RETRY = 1.0
_LONGEST_BACKOFF = 30.0
_DOUBLINGS = 10


@dataclass(slots=True)
class Health:
    """What is known of one device; times are steady seconds.

    Attributes:
        every: its period.
        since: when watching began.
        answered_at: its last answer, of whatever kind.
        failing_since: the first ask without an answer after it.
        failures: asks in a row that failed, of the whole device.
        points: for each point, asks in a row that brought no value.
        fresh_at: for each point, when its last value came.
        lost: the points that are lost.
        lost_at: when the first of them was lost.
        aside_until: it raised something unexpected and rests until then.
        reason: why the last ask failed.
    """

    every: float
    since: float
    answered_at: float | None = None
    failing_since: float | None = None
    failures: int = 0
    points: dict[str, int] = field(default_factory=dict)
    fresh_at: dict[str, float] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    lost_at: float | None = None
    aside_until: float | None = None
    reason: str = ""

    def answered(self, now: float) -> None:
        """It answered, whatever it said."""
        self.answered_at, self.failing_since, self.failures = now, None, 0

    def unanswered(self, now: float) -> None:
        """One ask of the whole device brought nothing."""
        self.failures += 1
        self.failing_since = now if self.failing_since is None else self.failing_since

    def good(self, points: tuple[str, ...], now: float) -> None:
        """These points brought values."""
        for point in points:
            self.points[point] = 0
            self.fresh_at[point] = now
            self.lost.discard(point)
        if not self.lost:
            self.lost_at = None

    def bad(self, points: tuple[str, ...], now: float, reason: str) -> set[str]:
        """These points brought no value. Returns those that are lost from now on."""
        self.reason = reason
        for point in points:
            self.points[point] = self.points.get(point, 0) + 1
        fresh = {point for point in points if point not in self.lost and self._is_lost(point, now)}
        return self.lose(fresh, now)

    def lose(self, points: set[str], now: float) -> set[str]:
        """These points are lost from now on. Returns those that were not yet."""
        fresh = points - self.lost
        self.lost |= fresh
        if fresh and self.lost_at is None:
            self.lost_at = now
        return fresh

    def silent_for(self, point: str, now: float) -> float:
        """Seconds since the point's last value."""
        return now - self.fresh_at.get(point, self.since)

    def _is_lost(self, point: str, now: float) -> bool:
        return self.points[point] >= FAILED_ASKS and self.silent_for(point, now) >= SILENT_PERIODS * self.every

    @property
    def all_lost(self) -> bool:
        """Whether no point of the device is left."""
        return bool(self.lost) and len(self.lost) == len(self.points)

    @property
    def known(self) -> bool:
        """Whether it is decided: every point has a value or is lost."""
        return bool(self.points) and all(p in self.fresh_at or p in self.lost for p in self.points)


def next_ask(due: float, now: float, health: Health) -> float:
    """When to ask next, after an ask that was due then.

    Returns:
        Steady seconds: on the device's own grid while it answers (what was missed is not caught up), soon after the
        first failures, then ever later up to 30 s, but in time to find it lost.
    """
    if health.aside_until is not None and health.aside_until > now:
        return health.aside_until
    if health.failures == 0:
        missed = max(0, int((now - due) / health.every))
        return due + (missed + 1) * health.every
    if health.failures < FAILED_ASKS:
        return now + min(health.every, _FIRST_RETRY)
    back = health.every * 2.0 ** min(health.failures - FAILED_ASKS, _DOUBLINGS)
    wait = max(health.every, min(back, _LONGEST_BACKOFF))
    if not health.all_lost:
        wait = min(wait, max(_FIRST_RETRY / 10, SILENT_PERIODS * health.every - _shortest_silence(health, now)))
    return now + wait


def _shortest_silence(health: Health, now: float) -> float:
    return min((health.silent_for(p, now) for p in health.points if p not in health.lost), default=0.0)

"""The two clocks: the wall's for people and restarts, the steady one for everything that is measured."""

import time
from datetime import UTC, datetime


class Clock:
    """The real clocks. Tests pass one of their own."""

    def now(self) -> datetime:
        """The wall's time; it may jump."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Seconds that never jump; their zero means nothing."""
        return time.monotonic()

"""Limits how many bytes a second leave."""

import asyncio
import time


class Bandwidth:
    """A token bucket of one second. A rate of 0 is no limit; `lift` suspends it while documents must flee."""

    def __init__(self, rate: int) -> None:
        self._limit = rate
        self._lifted = False
        self._room = float(rate)
        self._at = time.monotonic()
        self._changed = asyncio.Event()

    @property
    def rate(self) -> int:
        """Bytes a second that may leave now; 0: as many as can."""
        return 0 if self._lifted else self._limit

    def limit(self, rate: int) -> None:
        """Another rate from now on; what was left over the old one is still owed, in the new one's time."""
        if rate == self._limit:
            return
        self._refill()
        self._limit = rate
        self._room = min(self._room, float(rate))
        self._tell()

    def lift(self, *, lifted: bool) -> None:
        """Let everything through, or limit again."""
        if lifted != self._lifted:
            self._refill()
            self._lifted = lifted
            self._tell()

    async def take(self, count: int) -> None:
        """Wait until so many bytes may leave; more than a second's worth leaves in debt, paid by the next."""
        if not self.rate or not count:
            return
        self._refill()
        self._room -= count
        while (rate := self.rate) and self._room < 0:
            changed = self._changed
            try:
                async with asyncio.timeout(-self._room / rate):
                    await changed.wait()
            except TimeoutError:
                pass
            self._refill()

    def _tell(self) -> None:
        """Wake who waits: each looks at the new rate and waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _refill(self) -> None:
        now = time.monotonic()
        if self.rate:
            self._room = min(float(self.rate), self._room + (now - self._at) * self.rate)
        self._at = now

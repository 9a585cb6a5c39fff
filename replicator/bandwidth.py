"""Limits how many bytes a second leave."""

import asyncio
import time


class Bandwidth:
    """A token bucket of one second. A rate of 0 is no limit; `lift` suspends it while documents must flee."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lifted = False
        self._room = float(rate)
        self._at = time.monotonic()
        self._lift = asyncio.Event()

    def lift(self, *, lifted: bool) -> None:
        """Let everything through, or limit again."""
        self._lifted = lifted
        if lifted:
            self._lift.set()
        else:
            self._lift.clear()

    async def take(self, count: int) -> None:
        """Wait until so many bytes may leave; more than a second's worth leaves in debt, paid by the next."""
        if not self._rate or self._lifted or not count:
            return
        self._refill()
        self._room -= count
        while self._room < 0 and not self._lifted:
            try:
                async with asyncio.timeout(-self._room / self._rate):
                    await self._lift.wait()
            except TimeoutError:
                pass
            self._refill()

    def _refill(self) -> None:
        now = time.monotonic()
        self._room = min(float(self._rate), self._room + (now - self._at) * self._rate)
        self._at = now

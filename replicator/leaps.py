"""What the sources do when the machine slept or its clock was set."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from replicator import clock
from replicator.clock import Clocks, Leap
from replicator.errors import JournalError
from replicator.marks import RACY_NS
from replicator.source import Source
from replicator.status import iso

#: Seconds between two looks at the clocks.
_EVERY = 1.0

log = structlog.get_logger(__name__)


class Leaps:
    """Looks at the clocks each second. For the event loop; `run` until cancelled."""

    def __init__(self, sources: Sequence[Source], changed: Callable[[], None]) -> None:
        self._sources = sources
        self._changed = changed
        self._newest: dict[str, Any] = {"slept_seconds": 0.0, "set_seconds": 0.0, "at": None}

    def status(self) -> dict[str, Any]:
        """The newest leap, fit for JSON."""
        return self._newest

    async def run(self) -> None:
        """Look."""
        before = clock.read()
        while True:
            await asyncio.sleep(_EVERY)
            now = clock.read()
            leap = clock.compare(before, now)
            if leap.slept or leap.set:
                await self._leapt(before, now, leap)
            before = now
            for source in self._sources:
                source.missed.settle(time.monotonic())

    async def _leapt(self, before: Clocks, now: Clocks, leap: Leap) -> None:
        slept, jumped = leap.slept / 1e9, leap.set / 1e9
        log.warning("clock leapt", slept_seconds=round(slept, 1), set_seconds=round(jumped, 1))
        self._newest = {"slept_seconds": round(slept, 3), "set_seconds": round(jumped, 3), "at": iso(now.wall)}
        for source in self._sources:
            if leap.set:
                await _clock_set(source, leap.set, now.wall)
            if leap.slept:
                since_ns, sight = before.wall + leap.set, source.sight
                sight.blind_since_ns = min(sight.blind_since_ns or since_ns, since_ns)
                sight.blind(f"this machine slept for {slept:.0f} s", lasting=False)
        self._changed()


async def _clock_set(source: Source, by_ns: int, now_ns: int) -> None:
    """Every time that was noted is as long ago as it was before, and a scan looks at all again."""
    for item in source.pending:
        item.seen_ns += by_ns
        item.again_ns += by_ns
    if by_ns < 0:
        with contextlib.suppress(JournalError):  # told by the journal itself
            await asyncio.to_thread(source.journal.doubt, source.number, now_ns - RACY_NS)
    source.first_copy.shift(by_ns)
    source.sight.shift(by_ns)

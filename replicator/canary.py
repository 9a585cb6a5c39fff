"""Proves each second that a source is seen: something goes the whole way that every change goes.

First leg: an attribute of our own is set on the root, and the watcher must tell that the root changed. What happened
before has then been told too. Second leg: once that is at the vault, a `Mark` is said, and answered when all before it
is durable there. An attribute and not a file: nobody's list of documents shows it, no folder's time changes by it.
Where the source may not be written (the unit for systemd does not allow it) or has no attributes, the watcher's queue
is emptied instead: that proves all but that the kernel still tells.
"""

import asyncio
import contextlib
import os
import time
from typing import Any, Protocol

#: The attribute. It is never sent; it stands there only while the replicator runs.
CANARY = "user.bongsu.canary"
#: Seconds between two.
EVERY = 1.0
#: Seconds in which it must have been seen; else the source is blind and the watcher is made anew.
OVERDUE = 10.0
#: Seconds between two looks whether all before it has been sent.
_GLANCE = 0.02


class Watched(Protocol):
    """What a canary asks of its source's eyes."""

    root: bytes
    method: str
    missing: str

    async def drain(self, limit: float) -> bool:
        """Whether the watcher has told all that happened before, within so many seconds."""

    def lost(self, reason: str) -> None:
        """The watcher sees nothing any more."""


class Unsent(Protocol):
    """What is still to be sent."""

    def waits(self, until_ns: int) -> bool:
        """Whether something that was seen until then is not at the vault."""


class Canary:
    """One source's. For the event loop; `run` until cancelled.

    Attributes:
        by: how the first leg is gone: `root`, `queue`, or empty where nothing is watched.
        why: why it is not `root`, or empty.
        wanted: set while a `Mark` is to be said to the vault.
    """

    def __init__(self, eyes: Watched, unsent: Unsent) -> None:
        self.by = self.why = ""
        self.wanted = asyncio.Event()
        self._eyes = eyes
        self._unsent = unsent
        self._seen = asyncio.Event()
        self._took = 0.0
        self._out: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long the last took the whole way, or how long one that takes longer is out; None before the first."""
        out = time.monotonic() - self._out if self._out is not None else 0.0
        return max(self._took, out) or None

    def status(self) -> dict[str, Any]:
        """For people and programs."""
        seconds = self.seconds
        return {"by": self.by, "reason": self.why, "seconds": None if seconds is None else round(seconds, 4)}

    def seen(self) -> None:
        """The watcher told that the root itself changed."""
        self._seen.set()

    def durable(self) -> None:
        """The vault has answered the mark."""
        self.wanted.clear()
        if self._out is not None:
            self._took, self._out = time.monotonic() - self._out, None

    async def run(self) -> None:
        """One each second."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await asyncio.sleep(EVERY)
                    began = time.monotonic()
                    if await self._first_leg() and self._out is None:
                        self._out = began
                        tasks.create_task(self._second_leg(time.time_ns()))
        finally:
            await asyncio.shield(asyncio.to_thread(self._remove))

    async def _first_leg(self) -> bool:
        """Whether all that happened before has been told."""
        eyes = self._eyes
        if eyes.method not in {"fanotify", "inotify"} or eyes.missing:
            self.by = ""
            return False
        self._seen.clear()
        method = eyes.method
        try:
            await asyncio.to_thread(self._touch)
        except OSError as error:
            self.by, self.why = "queue", f"set {CANARY}: {(error.strerror or str(error)).lower()}"
            told = await eyes.drain(OVERDUE)
        else:
            self.by, self.why = "root", ""
            told = await self._told()
        if not told and eyes.method == method and not eyes.missing:
            eyes.lost(f"the canary was not seen in {OVERDUE:.0f} s")
        return told

    async def _told(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OVERDUE):
                await self._seen.wait()
        return self._seen.is_set()

    async def _second_leg(self, seen_ns: int) -> None:
        while self._unsent.waits(seen_ns):  # noqa: ASYNC110 - what is sent meanwhile tells nobody here
            await asyncio.sleep(_GLANCE)
        self.wanted.set()

    def _touch(self) -> None:
        os.setxattr(self._eyes.root + b"/.", CANARY, b"")

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            os.removexattr(self._eyes.root + b"/.", CANARY)

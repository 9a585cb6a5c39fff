"""How a source is seen: the root judged, a watcher set, scans made, and blindness told until a scan has closed it."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from config.model import Source as Settings
from replicator.errors import JournalError
from replicator.exclude import Excludes
from replicator.handover import HandOver
from replicator.inner import Inner
from replicator.journal import Journal
from replicator.journal_rows import SourceRow
from replicator.scanner import Found, Scanned, Scanner, low_priority
from replicator.standing import Standing
from replicator.watcher import Dirty, Make, ScanWatcher, Watcher

#: Seconds between two looks at the root, and at whether a scan is due.
_TICK = 1.0
#: Seconds between two looks while somebody waits for a scan to end.
_GLANCE = 0.02
#: Seconds before a watcher that cannot see all is made anew; it doubles up to `scan_every`.
_ANEW = 10.0

log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


class Sight:
    """One source's eyes. `run` until cancelled; what it sees it hands on in the event loop.

    Attributes:
        blind_since_ns: since when changes may have gone unseen, 0 when none has. Closed only by a whole scan.
        blind_reason: why.
        missing: why the root cannot be read as the source, or empty. Nothing is sent or deleted meanwhile.
        method: by which the tree is watched: `fanotify`, `inotify`, `scan`, or `none` at the start.
        why: why it is not a better one, or empty.
        held: paths whose deletion is held, since the root is not the one known.
        scanned: what the last whole scan came to.
    """

    def __init__(
        self,
        settings: Settings,
        number: int,
        row: SourceRow,
        journal: Journal,
        *,
        make: Make,
        accept: Path,
        inner: Inner,
        dirty: Callable[[Sequence[Dirty]], None],
        linked: Callable[[Sequence[int]], None],
        found: Callable[[Sequence[Found]], None],
        full: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self.root = os.fsencode(settings.path)
        self.excludes = Excludes(settings.exclude)
        self._settings = settings
        self._number = number
        self._row = row
        self._journal = journal
        self._make = make
        self._accept = accept
        self.inner = inner
        self._dirty, self._linked = dirty, linked
        self._changed = changed
        self.method, self.why = "none", ""
        self.scanning = False
        self.blind_since_ns = time.time_ns()
        self.blind_reason = "starting"
        self.missing, self.held = "", 0
        self.scanned: Scanned | None = None
        self.lasting, self._anew = False, _ANEW
        self._blinds, self._lost = 0, ""
        self._asked = self._answered = 0
        self._next_scan = 0.0
        self._watcher: Watcher = ScanWatcher()
        self._scanner: Scanner | None = None
        self._standing = Standing(self.root, number, row, journal, accept=accept, inner=inner)
        self._wake = asyncio.Event()
        self._full = full
        self._hands = HandOver(self._tell, found, self._must_wait)
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(2, f"sight-{settings.id}")
        self._scans = ThreadPoolExecutor(1, f"scan-{settings.id}", initializer=low_priority)

    # ------------------------------------------------------------------ for the owner

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                try:
                    await self._once()
                except JournalError as error:  # a disk that recovers is a source that is seen again
                    self._set_blind(str(error), lasting=False)
                    await asyncio.sleep(_TICK)
        finally:
            self._hands.close()
            if self._scanner is not None:
                self._scanner.stop()
            self._threads.shutdown(wait=False)
            self._scans.shutdown(wait=False)

    async def _once(self) -> None:
        verdict = await self._thread(self._standing.judge)
        if verdict.fit:
            await self._look(replaced=verdict.replaced)
        else:
            self._set_missing(verdict.reason)
            await self._pause(_TICK)

    def fit(self) -> bool:
        """Whether the root is still the folder that was judged; from any thread."""
        return self._standing.fit()

    def trust(self) -> None:
        """Something that stood here is at the vault: this root is the source."""
        if self._row.root == (0, 0):
            self._standing.trust()

    async def settle(self, until: float) -> bool:
        """Wait until all that happened before has been handed over, at most until then (monotonic).

        It waits for the scan that is due and, where nothing else would tell, makes one.
        """
        if self.blind_since_ns or self._watcher.method == "scan":
            self._ask()
        asked = self._asked
        while self._answered < asked and not self.missing:
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_GLANCE)
        return await self.drain(max(0.0, until - time.monotonic()))

    @property
    def behind(self) -> bool:
        """Whether the scan waits, or has waited, for what it found to be sent."""
        return self._hands.waited

    async def drain(self, limit: float) -> bool:
        """Whether the watcher has told all that happened before, within so many seconds."""
        return await self._thread(self._watcher.drain, limit)

    # ------------------------------------------------------------------ from the watcher's thread

    def dirty(self, batch: Sequence[Dirty]) -> None:
        """As of `Listener`."""
        self._tell(self._dirty, batch)

    def linked(self, inodes: Sequence[int]) -> None:
        """As of `Listener`."""
        self._tell(self._linked, inodes)

    def blind(self, reason: str, *, lasting: bool) -> None:
        """As of `Listener`."""
        self._tell(self._set_blind, reason, lasting)

    def lost(self, reason: str) -> None:
        """As of `Listener`."""
        self._tell(self._set_lost, reason)

    def _tell(self, call: Callable[..., None], *values: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(call, *values)

    # ------------------------------------------------------------------ looking

    async def _look(self, *, replaced: bool) -> None:
        """Watch first, then scan; until the root is lost or the watcher must be made anew."""
        self._lost, self.lasting = "", False
        watcher = self._make() if self._settings.watch == "events" else ScanWatcher()
        try:
            try:
                await self._thread(watcher.start, self.root, self)
            except OSError as error:
                self._set_blind(f"watch {self._settings.path}: {(error.strerror or str(error)).lower()}", lasting=True)
                watcher = ScanWatcher()
            self._watcher, self.method, self.why = watcher, watcher.method, watcher.why
            self._set_missing("")
            self._ask()
            await self._watch(replaced=replaced)
        finally:
            self._watcher = ScanWatcher()
            # In its own thread, also when we are cancelled: the watch ends with the source.
            await asyncio.shield(self._loop.run_in_executor(None, watcher.stop))

    async def _watch(self, *, replaced: bool) -> None:
        made = time.monotonic()
        while not self._lost and await self._thread(self._standing.fit):
            if self._answered < self._asked or time.monotonic() >= self._next_scan:
                await self._scan(replaced=replaced)
            if self.lasting and time.monotonic() - made > self._anew:
                self._anew = min(self._anew * 2, max(_ANEW, self._settings.scan_every.total_seconds()))
                return
            if (self.held or self.inner.lost) and await self._thread(self._accept.exists):
                return
            await self._pause(_TICK)
        self._set_blind(self._lost or self._standing.lost or "the root is another folder", lasting=False)

    async def _scan(self, *, replaced: bool) -> None:
        asked, blinds, began_ns = self._asked, self._blinds, time.time_ns()
        tree, lost = (self.root, self._number, self._journal, self.excludes), self.inner.covers
        self._scanner = Scanner(*tree, self._hands.hand, lost=lost)
        self.scanning, self._hands.waited = True, False
        self._changed()
        try:
            scanned = await self._loop.run_in_executor(self._scans, partial(self._scanner.scan, replaced=replaced))
        except OSError as error:
            self._lost = f"list {self._settings.path}: {(error.strerror or str(error)).lower()}"
            return
        finally:
            self.scanning = False
        if not scanned.whole or not await self._thread(self._standing.fit):
            return
        self.scanned, self.held = scanned, scanned.held
        self._row.scanned_ns = began_ns
        if not scanned.held and (scanned.paths or self._row.root != (0, 0)):
            self._standing.trust()
        self._journal.remember(self._number, self._row)
        self._next_scan = time.monotonic() + self._settings.scan_every.total_seconds()
        if blinds == self._blinds:
            self._see(began_ns)
        self._answered = max(self._answered, asked)

    def _must_wait(self) -> bool:
        """In the scan's thread: whether it waits until more is sent; a root that has gone meanwhile ends the scan."""
        if not self._full():
            return False
        if self._scanner is not None and (self._lost or not self._standing.fit()):
            self._scanner.stop()
            return False
        return True

    def _see(self, began_ns: int) -> None:
        """A whole scan ended and nothing went unseen since it began."""
        self.blind_since_ns = began_ns if self.lasting else 0
        if not self.lasting:
            self.blind_reason, self._anew = "", _ANEW
        self._changed()

    # ------------------------------------------------------------------ states

    def _ask(self) -> None:
        self._asked += 1
        self._wake.set()

    def _set_blind(self, reason: str, lasting: bool) -> None:
        self._blinds += 1
        self.lasting = self.lasting or lasting
        if not self.blind_since_ns or reason != self.blind_reason:
            log.warning("source blind", source=self._settings.id, reason=reason)
        self.blind_since_ns = self.blind_since_ns or time.time_ns()
        self.blind_reason = reason
        self._ask()
        self._changed()

    def shift(self, by_ns: int) -> None:
        """The clock was set by so much."""
        self.blind_since_ns += by_ns if self.blind_since_ns else 0
        self._row.scanned_ns += by_ns if self._row.scanned_ns else 0
        self._ask()

    def _set_lost(self, reason: str) -> None:
        self._lost = reason
        self._wake.set()

    def _set_missing(self, reason: str) -> None:
        if reason == self.missing:
            return
        self.missing = reason
        if reason:
            self._blinds += 1
            self.blind_since_ns = self.blind_since_ns or time.time_ns()
            self.blind_reason = reason
            log.error("source missing", source=self._settings.id, path=str(self._settings.path), reason=reason)
        else:
            log.info("source found", source=self._settings.id, path=str(self._settings.path))
        self._changed()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
            self._wake.clear()

    async def _thread(self, call: Callable[..., _Result], *values: object) -> _Result:
        return await self._loop.run_in_executor(self._threads, call, *values)

"""One source as the daemon holds it: how it is seen, what of it is pending, and what came of each path."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from config.model import Source as Settings
from replicator import backoff
from replicator.canary import Canary
from replicator.choice import BestWatcher
from replicator.exclude import Excludes
from replicator.first_copy import FirstCopy
from replicator.inner import Inner
from replicator.journal import Journal
from replicator.journal_rows import Known
from replicator.leftover import Leftovers
from replicator.link import Sent
from replicator.looks import Looks
from replicator.messages import Refused
from replicator.missed import Missed
from replicator.other_names import OtherNames
from replicator.outcome import Outcome
from replicator.paths import is_path, show
from replicator.pending import Pending
from replicator.reader import Reader
from replicator.replicator_metrics import SourceMetrics
from replicator.room import NO_ROOM, Room
from replicator.scanner import Found
from replicator.sight import Sight
from replicator.signatures import Signatures
from replicator.source_gauges import SourceGauges
from replicator.stranded import Stranded
from replicator.turns import Item
from replicator.watcher import Dirty

#: Paths that wait to be sent before a scan waits for them, some 250 bytes of memory each.
_AHEAD = 100_000
#: Paths to be sent beyond which what only makes later sendings cheaper waits.
_MUCH = 64
#: Seconds between two looks whether a missing root is back.
_MISSING = 0.2

log = structlog.get_logger(__name__)


class Source:
    """One watched tree. For the event loop; `read` alone runs in a thread of its own, one batch after another."""

    def __init__(
        self, settings: Settings, journal: Journal, state: Path, metrics: SourceMetrics, changed: Callable[[], None]
    ) -> None:
        self.id = settings.id
        self.settings = settings
        self.number, self.row = journal.source(settings.id)
        self.journal = journal
        self.metrics = metrics
        #: Whether the journal is known to speak of the vault that we are connected with.
        self.trusted = False
        self.pending = Pending(lambda path, waiting: journal.wait(self.number, path, waiting))
        self.wake = asyncio.Event()
        self.room = Room(self.pending)
        self._changed = changed
        #: Made by an operator, this file says that the root is right although it is another.
        self.accept = state / f"accept.{settings.id}"
        excludes = Excludes(settings.exclude)
        inner = Inner(os.fsencode(settings.path), self.number, journal, state / f"mounts.{settings.id}")
        self.sight = Sight(
            settings,
            self.number,
            self.row,
            journal,
            make=lambda: BestWatcher(excludes),
            accept=self.accept,
            inner=inner,
            dirty=self._on_dirty,
            linked=self._on_linked,
            found=self._on_found,
            full=lambda: self.pending.ready >= _AHEAD,
            changed=changed,
        )
        self.missed = Missed()
        self.canary = Canary(self.sight, self.pending)
        self.first_copy = FirstCopy(self.number, self.row, self.sight, self.pending, journal)
        self.gauges = SourceGauges(
            self.id, self.pending, self.sight, self.row, self.missed, self.canary, self.first_copy
        )
        self._reader = Reader(self.sight.root, self.number, journal, self.sight.fit, inner.covers)
        self.signatures = Signatures(state / "signatures" / settings.id, lambda: self.sight.root, busy=self._is_busy)
        self.threads = ThreadPoolExecutor(1, f"read-{settings.id}")
        self.large_threads = ThreadPoolExecutor(2, f"large-{settings.id}")
        looks = Looks(self.threads, pending=self.pending, named=self.named, blind=self.sight.blind)
        self._other_names = OtherNames(self._reader.linked, looks)
        self._leftovers = Leftovers(self.sight.root, self.number, journal, looks)
        self._stranded = Stranded(self.number, journal, self.named, self._doubted)

    def load(self) -> None:
        """What was pending when the last process ended goes first."""
        now, now_ns = time.monotonic(), time.time_ns()
        for path, waiting in self.journal.waiting(self.number):
            self.pending.add(path, min(waiting.seen_ns, now_ns), now, size=waiting.size, force=True)

    def close(self) -> None:
        """Give the threads back."""
        self.threads.shutdown(wait=True)
        self.large_threads.shutdown(wait=True)
        self.signatures.close()

    # ------------------------------------------------------------------ what was seen

    def _on_dirty(self, batch: Sequence[Dirty]) -> None:
        now = time.monotonic()
        for dirty in batch:
            if not dirty.path:
                self.canary.seen()
                continue
            self.missed.told(dirty.path)
            self.pending.add(dirty.path, dirty.seen_ns, now, grade=dirty.grade)
        self.wake.set()

    def _on_linked(self, inodes: Sequence[int]) -> None:
        self._other_names.look(inodes)

    def _on_found(self, batch: Sequence[Found]) -> None:
        now, seen_ns = time.monotonic(), time.time_ns()
        seeing = self.sight.method != "scan" and not self.sight.blind_since_ns
        if not seeing:
            self.missed.forget()
        for found in batch:
            before = len(self.pending)
            self.pending.add(found.path, seen_ns, now, size=found.size)
            if seeing and len(self.pending) > before:
                self.missed.found(found.path)
        self.wake.set()

    def mark(self, paths: Sequence[bytes]) -> None:
        """What the vault has of these is not what the journal held: they are sent whatever it holds, if they can be."""
        self._stranded.forget()
        self._doubted([path for path in paths if self._is_ours(path)])

    def _is_ours(self, path: bytes) -> bool:
        if not (sound := is_path(path)):  # whoever holds the vault may not read what lies beside the documents
            log.error("vault names what is no document", source=self.id, path=show(path))
        return sound and path not in self.sight.excludes

    # ------------------------------------------------------------------ taking and reading

    async def take(self, most: int) -> list[Item]:
        """The next ones that are due; waits for one."""
        while True:
            self.wake.clear()
            if not self.sight.missing:
                now = time.monotonic()
                taken = self.pending.take(most, now)
                if taken:
                    return taken
            await self._until_due()

    async def _until_due(self) -> None:
        due = time.monotonic() + _MISSING if self.sight.missing else self.pending.next_due()
        try:
            async with asyncio.timeout_at(None if due is None else max(due, time.monotonic() + 0.001)):
                await self.wake.wait()
        except TimeoutError:
            return

    async def read(self, items: list[Item]) -> list[Outcome]:
        """What to say of each; those that did not fit are ready again."""
        loop = asyncio.get_running_loop()
        outcomes, rest = await loop.run_in_executor(self.threads, self._reader.read, items)
        self.pending.give_back(rest)
        return outcomes

    def recall(self) -> None:
        """The connection is gone."""
        self.threads.submit(self._reader.forget)  # behind a batch that is still being read for nobody
        self._stranded.forget()
        self.pending.recall()

    # ------------------------------------------------------------------ what came of it

    def same(self, item: Item, known: Known | None) -> None:
        """There was nothing to send."""
        if known is not None:
            self.journal.put(self.number, item.path, known)
        self._leftovers.after(item, known)
        self.missed.same(item.path)
        self._finish(item, sent=False)

    def named(self, paths: list[bytes], seen_ns: int = 0) -> None:
        """These changed together with a path that was read; at `seen_ns`, 0 for now."""
        now = time.monotonic()
        for path in paths:
            self.missed.told(path)
            if seen_ns:
                self.pending.add_late(path, seen_ns, now)
            else:
                self.pending.add(path, time.time_ns(), now)
        if paths:
            self.wake.set()

    def _doubted(self, paths: list[bytes]) -> None:
        """The vault may have lost these with the folder that they were in."""
        now, seen_ns = time.monotonic(), time.time_ns()
        for path in paths:
            self.missed.told(path)
            self.pending.add(path, seen_ns, now, force=True)
        if paths:
            self.wake.set()

    def inside(self, item: Item, paths: list[bytes]) -> None:
        """What is in a gone folder goes first."""
        now = time.monotonic()
        for path in paths:
            self.pending.add(path, item.seen_ns, now)
        self._later(item)

    def busy(self, item: Item) -> None:
        """It changed while it was read."""
        self._later(item)

    def held(self, item: Item) -> None:
        """The root is not there, or was not looked at yet: nothing can be said of it."""
        self._later(item)

    def _later(self, item: Item) -> None:
        self.pending.retry(item, time.monotonic(), backoff.busy(item.tries))
        self.wake.set()  # whoever waits for the next one that is due knows of another

    def failed(self, item: Item, reason: str) -> None:
        """It cannot be read."""
        self.metrics.failed("unreadable")
        self._aside(item, f"read: {reason}", backoff.retry(item.tries))

    def refused(self, sent: Sent, refused: Refused) -> None:
        """The vault did not take it."""
        self.metrics.failed("refused-again" if refused.again else "refused")
        if sent.item is None:
            self.threads.submit(self._reader.forget)
            return
        wait = backoff.retry(sent.item.tries) if refused.again else backoff.PERMANENT
        full = refused.code == "full"
        if full:
            wait = self.room.refused(refused.text, wait)
        self._aside(sent.item, f"{NO_ROOM if full else 'vault: '}{refused.text}", wait)

    def needed(self, sent: Sent) -> None:
        """The vault has not got the bytes."""
        if sent.item is not None:
            sent.item.whole = sent.item.force = True
            self.signatures.drop(sent.path)
            self.pending.requeue(sent.item)
            self.wake.set()

    def done(self, sent: Sent) -> None:
        """It is durable at the vault."""
        self.journal.put(self.number, sent.path, sent.known)
        self.signatures.durable(sent.path, sent.known, sent.regions)
        if sent.known is None:
            self._stranded.gone(sent.path)
        else:
            self.sight.trust()
            self._stranded.put(sent.path, sent.known)
        if sent.item is not None:
            if self.room.taken(sent.item):
                self.wake.set()
            if sent.known is None and self.pending.nudge(sent.path.rpartition(b"/")[0]):
                self.wake.set()  # a gone folder goes once what was in it is gone
            if sent.known is not None:
                self._leftovers.after(sent.item, sent.known)
            self.metrics.durable(sent.item)
            self.missed.sent(sent.path, time.monotonic())
            self._finish(sent.item, sent=True)

    def _is_busy(self) -> bool:
        """Whether so much is pending that all else waits; from any thread."""
        return self.pending.moving > _MUCH

    def at(self, position: int) -> None:
        """How far the vault is; the end of what one word of it acknowledges."""
        self.row.position = position
        if self.trusted:
            self.journal.remember(self.number, self.row)

    def _finish(self, item: Item, *, sent: bool) -> None:
        self.pending.finish(item, time.monotonic(), sent=sent)
        if item.again is not None:
            self.wake.set()

    def _aside(self, item: Item, reason: str, wait: float) -> None:
        if item.reason != reason:
            log.warning("path set aside", source=self.id, path=show(item.path), reason=reason)
            self._changed()
        self.pending.retry(item, time.monotonic(), wait, reason=reason)
        self.wake.set()

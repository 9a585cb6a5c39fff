"""The thread that makes things durable: all that wait go into one write and one flush."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from replicator.appender import Appender
from replicator.batch import Batch
from replicator.catalog import Catalog, damaged
from replicator.errors import FullError
from replicator.item import Item, Outcome
from replicator.known import Known
from replicator.objects import Objects
from replicator.segments import Found

#: Bytes and items of one commit at most.
_BATCH_BYTES = 8 * 1024 * 1024
_BATCH_ITEMS = 2000
#: The catalog is written when nothing has come for so many seconds, or when so many records wait for it.
_IDLE = 0.02
#: The same when only few wait: their files in `current/` wait for it.
_IDLE_FEW = 0.002
_FEW = 16
_UNAPPLIED = 2000
_log = structlog.get_logger(__name__)


class Committer:
    """Takes items from any thread, commits them in order, tells what came of them from its own thread.

    A flush that fails, or any other error, ends it: `on_failed` is called once, and nothing more is written. What was
    being flushed when something else failed is told as ever, once it is durable.
    """

    def __init__(
        self,
        catalog: Catalog,
        appender: Appender,
        objects: Objects,
        *,
        on_outcomes: Callable[[list[Outcome], float], None],
        on_failed: Callable[[Exception], None],
        on_applied: Callable[[], None],
    ) -> None:
        self.known = Known(catalog, objects)
        #: Each source's durable position; `known` may be one commit ahead.
        self.positions = dict(self.known.positions)
        self.full = False
        self._catalog = catalog
        self._appender = appender
        self._queue: queue.SimpleQueue[tuple[Item, ...] | None] = queue.SimpleQueue()
        self._unapplied: list[Found] = []
        self._catalog_waits = False
        self._flusher = ThreadPoolExecutor(1, "vault-flush")
        self._flushing: Future[None] | None = None
        self._on_outcomes, self._on_failed, self._on_applied = on_outcomes, on_failed, on_applied
        self._thread = threading.Thread(target=self._run, name="vault-commit", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, *items: Item) -> None:
        """Commit these, after what was submitted before."""
        self._queue.put(items)

    def stop(self) -> None:
        """Commit what waits, write the catalog, end. Blocks."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._flusher.shutdown()
        self._appender.close()
        self._catalog.close()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
            self._settle()
            self._apply()
        except sqlite3.OperationalError as error:  # the disk, not the file
            self._on_failed(error)
        except sqlite3.DatabaseError as error:
            self._on_failed(damaged(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be acknowledged after it
            self._on_failed(error)

    def _turn(self) -> bool:
        """One commit, or the catalog when nothing waits; False at the end."""
        try:
            first = self._queue.get(timeout=self._patience())
        except queue.Empty:
            self._apply()
            return True
        items, more = self._collect(first)
        if items:
            self._commit(items)
        if len(self._unapplied) >= _UNAPPLIED:
            self._apply()
        return more

    def _patience(self) -> float | None:
        """Seconds to wait for the next item before the catalog is written; None when nothing is to be written."""
        if not self._unapplied:
            return None
        return _IDLE_FEW if len(self._unapplied) <= _FEW else _IDLE

    def _collect(self, first: tuple[Item, ...] | None) -> tuple[list[Item], bool]:
        """All that waits, until it is enough for one commit."""
        items: list[Item] = []
        size, more = 0, first
        while more is not None:
            items += more
            size += sum(len(item.payload) for item in more)
            if size >= _BATCH_BYTES or len(items) >= _BATCH_ITEMS:
                return items, True
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                return items, True
        return items, False

    def _commit(self, items: list[Item]) -> None:
        """Decide what these become while the last commit is still being flushed, write it, and have it flushed.

        Where others are likely to come meanwhile the flush goes to a thread of its own.
        """
        started = time.monotonic()
        batch = Batch(self.known, items)
        self._settle()
        if not self._written(batch):
            self._on_outcomes(batch.outcomes + batch.waiting, time.monotonic() - started)
        elif len(items) > _FEW or not self._queue.empty():
            self._flushing = self._flusher.submit(self._flush, batch, started)
        else:
            self._flush(batch, started)

    def _written(self, batch: Batch) -> bool:
        """Write a commit's records; False when there are none, or no room for them."""
        if not batch.records:
            return False
        try:
            found = self._appender.write(batch.records, time.time_ns())
        except FullError as error:
            self.full = True
            batch.refuse(error)
            return False
        self.known.add(found)
        self._unapplied += found
        self.full = False
        return True

    def _flush(self, batch: Batch, started: float) -> None:
        self._appender.flush()
        self.positions.update(batch.positions)
        self._on_outcomes(batch.outcomes + batch.waiting, time.monotonic() - started)

    def _settle(self) -> None:
        """Wait until what was written is durable, and told."""
        if self._flushing is not None:
            flushing, self._flushing = self._flushing, None
            flushing.result()

    def _apply(self) -> None:
        """Write the catalog. Where it cannot be written for want of room, the journal has everything."""
        if not self._unapplied:
            return
        self._settle()
        try:
            self._catalog.apply(self._unapplied)
        except sqlite3.OperationalError as error:
            if not self._catalog_waits:
                self._catalog_waits = True
                _log.warning("catalog waits", reason=str(error), records=len(self._unapplied))
            time.sleep(_IDLE)
            return
        if self._catalog_waits:
            self._catalog_waits = False
            _log.info("catalog goes on")
        self._unapplied.clear()
        self.known.applied()
        self._on_applied()

"""The thread that makes things durable: all that wait go into one write and one flush."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable

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

    A flush that fails ends it: `on_failed` is called once and no outcome is told from then on.
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
        self.full = False
        self._catalog = catalog
        self._appender = appender
        self._queue: queue.SimpleQueue[tuple[Item, ...] | None] = queue.SimpleQueue()
        self._unapplied: list[Found] = []
        self._catalog_waits = False
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
        self._appender.close()
        self._catalog.close()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
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
        started = time.monotonic()
        batch = Batch(self.known, items)
        try:
            if batch.records:
                found = self._appender.write(batch.records, time.time_ns())
                self.known.add(found)
                self._unapplied += found
                self.full = False
        except FullError as error:
            self.full = True
            batch.waiting = [
                Outcome(item=each.item, code="full", text=str(error), again=True)
                if each.item.message is not None
                else each
                for each in batch.waiting
            ]
        self._on_outcomes(batch.outcomes + batch.waiting, time.monotonic() - started)

    def _apply(self) -> None:
        """Write the catalog. Where it cannot be written for want of room, the journal has everything."""
        if not self._unapplied:
            return
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

"""Keeps `current/` as the newest state, some moments behind, by reading the journal from its own mark."""

import contextlib
import ctypes
import os
import sqlite3
import threading
import time
from pathlib import Path

import msgspec
import structlog

from replicator.durable import NO_SPACE, write_file
from replicator.errors import BrokenError, ReplicatorError
from replicator.mirror import Mirror
from replicator.paths import show
from replicator.records import What
from replicator.segments import Found, Mark, read

#: Records that are shown at once: what `_PATIENCE` holds back at 250 a second, which no office saves for long.
_BATCH = 1000
#: Seconds without a new commit after which files are written; commits come first.
_IDLE = 0.03
#: The same when only few records wait: people see their document at once, a burst is not slowed by them.
_IDLE_FEW = 0.002
_FEW = 16
#: Seconds that files may wait while commits never stop.
_PATIENCE = 4.0
#: Seconds between two marks on disk. What came after the last one is done again at the next start, which is
#: quick; a flush of the whole file system at each stop is not.
_MARK_EVERY = 30.0
#: Records that may be done again after a clean stop.
_AGAIN_MAX = 20_000
_libc = ctypes.CDLL(None, use_errno=True)
_log = structlog.get_logger(__name__)


class Current:
    """The thread that writes `current/`. `advance` is for any thread."""

    def __init__(self, root: Path, vault: str) -> None:
        self.failed = 0
        self._root = root
        self._vault = vault
        self._target = self._mark = _load(root / "current.json")
        self._marked = time.monotonic()
        self._saved = self._mark.sequence
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._advanced = 0.0
        self._waits = ""
        self._told: set[tuple[str, int | None]] = set()
        self._thread = threading.Thread(target=self._run, name="vault-current", daemon=True)

    def start(self) -> None:
        """Begin; the first mark has been told by then."""
        if self._mark.sequence > self._target.sequence:  # the journal lost its end: nobody knows what is shown
            self._mark = Mark()
        self._thread.start()

    def advance(self, mark: Mark) -> None:
        """The journal and the catalog are whole up to here."""
        self._target = mark
        self._advanced = time.monotonic()
        self._wake.set()

    def yield_to_commit(self) -> None:
        """A commit is going on or just was; from any thread."""
        self._advanced = time.monotonic()

    def stop(self, limit: float = 5.0) -> None:
        """Write what is left, at most for `limit` seconds; the rest is written at the next start. Blocks."""
        deadline = time.monotonic() + limit
        while (
            self._thread.is_alive()
            and self.done < self._target.sequence
            and not self._waits
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def done(self) -> int:
        """The sequence number up to which `current/` shows the journal."""
        return self._mark.sequence

    @property
    def waits(self) -> str:
        """Why it does not go on; empty when it does."""
        return self._waits

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            self._let_commits_pass()
            try:
                self._catch_up()
                self._waits = ""
            except (OSError, sqlite3.Error, ReplicatorError) as error:
                self._pause(error)
        if self._mark.sequence - self._saved > _AGAIN_MAX:
            with contextlib.suppress(ReplicatorError, OSError):
                self._save()

    def _pause(self, error: Exception) -> None:
        if not self._waits:
            _log.warning("current waits", reason=str(error))
        self._waits = str(error)
        self._stopping.wait(1.0)
        self._wake.set()

    def _let_commits_pass(self) -> None:
        patience = time.monotonic() + _PATIENCE
        while (now := time.monotonic()) < patience and now - self._advanced < (idle := self._idle()):
            if self._stopping.wait(idle):
                return

    def _idle(self) -> float:
        return _IDLE_FEW if self._target.sequence - self._mark.sequence <= _FEW else _IDLE

    def _catch_up(self) -> None:
        target = self._target
        if self._mark.sequence >= target.sequence:
            return
        batch: list[Found] = []
        with Mirror(self._root) as writer:
            ahead = self._mark
            writer.expect(ahead)
            for item in read(self._root / "journal", self._vault, self._mark, contents=False):
                if isinstance(item, Found):
                    if item.segment != ahead.segment:
                        ahead = item.mark
                        writer.expect(ahead)
                    batch.append(item)
                    if len(batch) >= _BATCH or item.record.sequence >= target.sequence:
                        self._write(writer, batch)
                        batch = []
                    if item.record.sequence >= target.sequence or self._stopping.is_set():
                        break
                    if not batch:
                        self._let_commits_pass()
        if time.monotonic() - self._marked > _MARK_EVERY:
            self._save()

    def _write(self, writer: Mirror, batch: list[Found]) -> None:
        last = {(found.record.source, found.record.path): number for number, found in enumerate(batch)}
        for number, found in enumerate(batch):
            record = found.record
            if record.what in {What.PUT, What.DELETE} and last[record.source, record.path] == number:
                self._write_one(writer, found)
        writer.dress()
        if len(batch) > _FEW:
            writer.forget(batch[0], batch[-1])
        self._mark = batch[-1].mark

    def _write_one(self, writer: Mirror, found: Found) -> None:
        """One path; what cannot be written is told and left out, a full disk waits."""
        record = found.record
        try:
            writer.write(found)
        except (OSError, ReplicatorError, ValueError) as error:
            number = error.errno if isinstance(error, OSError) else None
            if number in NO_SPACE:
                raise
            self.failed += 1
            if (record.source, number) not in self._told:
                self._told.add((record.source, number))
                _log.warning("current leaves out", source=record.source, path=show(record.path), reason=str(error))

    def _save(self) -> None:
        """Remember how far it is, once the files are on disk."""
        self._marked = time.monotonic()
        descriptor = os.open(self._root / "current", os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _libc.syncfs(descriptor):
                raise BrokenError(f"flush {self._root / 'current'}: {os.strerror(ctypes.get_errno()).lower()}")
        finally:
            os.close(descriptor)
        write_file(self._root / "current.json", msgspec.json.encode(self._mark))
        self._saved = self._mark.sequence


def _load(path: Path) -> Mark:
    """How far it was; the beginning when nobody knows."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return Mark()

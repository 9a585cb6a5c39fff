"""The source side's memory: what the vault has of each path, and which paths are still to be sent.

It is a cache. The vault's list is the truth about the vault and a scan the truth about the files, so a journal that
lost its last moments costs work, never a file. Therefore SQLite runs with `synchronous=NORMAL`: what was committed
survives a kill (it is in the kernel's hands), a power cut may take the last commits, and the scan at the next start
heals that. Sending never waits for it, nor for a disk that takes nothing: what is to be written stays in memory.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from replicator.errors import JournalError
from replicator.journal_commit import commit
from replicator.journal_file import checkpoint, connect, put_aside, reader, spoiled
from replicator.journal_rows import Known, Marks, SourceRow, Waiting, from_row, join, signed, split
from replicator.overlay import Key, Overlay
from replicator.strangers import Strangers

_GET = "SELECT ino, ctime_ns, racy, hash, meta FROM known WHERE source = ? AND parent = ? AND name = ?"
_MARKS = "SELECT name, ino, CASE racy WHEN 0 THEN ctime_ns END FROM known WHERE source = ? AND parent = ?"
_CHILDREN = "SELECT name, ino, ctime_ns, racy, hash, meta FROM known WHERE source = ? AND parent = ?"
# Without statistics SQLite would rather read the whole source in the order of its paths.
_BY_INODE = (
    "SELECT parent, name, ino, ctime_ns, racy, hash, meta FROM known INDEXED BY known_by_inode"
    " WHERE source = ? AND ino = ?"
)
_ALL = "SELECT parent, name FROM known WHERE source = ?"
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM known WHERE source = ? LIMIT ?)"
_UNDER = _ALL + " AND (parent = ? OR (parent > ? AND parent < ?))"
#: Seconds between two commits while there is work.
_EVERY = 0.05
#: Seconds before a commit that did not succeed (a full disk) is tried again.
_AGAIN = 1.0

log = structlog.get_logger(__name__)


class Journal:
    """One SQLite file for all sources of a host. Every method may be called from any thread.

    Writes go to memory and are committed together by a thread, at most 50 ms later or at `flush`; reads see them at
    once. A file that is no database any more is put aside and a new one begun: the vault's list fills it again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Why the last commit did not succeed, or empty. Nothing is lost by it until the process ends.
        self.trouble = ""
        #: Why the file is no journal any more, or empty. The process must end: `close` puts the file aside.
        self.damage = ""
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._known = Overlay()
        self._known_out = Overlay()
        self._waiting: dict[Key, Waiting | None] = {}
        self._sources: dict[int, SourceRow] = {}
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._writer = self._open()
        #: Of a journal that held nothing at the start; one that did would have to be read whole first.
        self._strangers = Strangers() if self._is_new() else None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Commit what is in memory and close. No other method may be called after."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        with contextlib.suppress(JournalError):
            self.flush()
        for connection in (*self._readers, self._writer):
            connection.close()
        if self.damage:
            put_aside(self.path, self.damage)

    # ------------------------------------------------------------------ sources

    def source(self, name: str) -> tuple[int, SourceRow]:
        """The number of a source, made at need, and what is remembered of it."""
        self._write("INSERT OR IGNORE INTO source VALUES (NULL, ?, '', 0, 0, 0, 0)", (name,))
        row = self._read("SELECT * FROM source WHERE name = ?", (name,))[0]
        known = SourceRow(vault=row[2], position=row[3], root=(row[4], row[5]), scanned_ns=row[6], copied=bool(row[6]))
        return row[0], known

    def remember(self, source: int, row: SourceRow) -> None:
        """Keep this of a source."""
        with self._lock:
            self._sources[source] = replace(row)
        self._wake.set()

    # ------------------------------------------------------------------ what the vault has

    def put(self, source: int, path: bytes, known: Known | None) -> None:
        """The vault has this path so, or (None) not any more."""
        with self._lock:
            if self._strangers is not None and known is not None:
                self._strangers.add((source, path))
                self._strangers.add((source, known.ino))
            self._known.put(source, path, known)
        self._rouse()

    def get(self, source: int, path: bytes) -> Known | None:
        """What the vault has of this path."""
        key = (source, path)
        if self._strangers is not None and key in self._strangers:
            return None
        with self._lock:
            for part in (self._known, self._known_out):
                if key in part.paths:
                    return part.paths[key]
        rows = self._read(_GET, (source, *split(path)))
        return from_row(*rows[0]) if rows else None

    def children(self, source: int, parent: bytes) -> dict[bytes, Known]:
        """What the vault has in this folder, by name; not what is deeper."""
        parts = self._parts()
        rows = self._read(_CHILDREN, (source, parent))
        found: dict[bytes, Known | None] = {row[0]: from_row(*row[1:]) for row in rows}
        with self._lock:
            for part in parts:
                found.update((split(path)[1], known) for path, known in part.children(source, parent))
        return {name: known for name, known in found.items() if known is not None}

    def marks(self, source: int, parent: bytes) -> dict[bytes, Marks]:
        """By which marks each name in this folder is unchanged."""
        parts = self._parts()
        found: dict[bytes, Marks] = {row[0]: row for row in self._read(_MARKS, (source, parent))}
        with self._lock:
            for part in parts:
                for path, known in part.children(source, parent):
                    name = split(path)[1]
                    if known is None:
                        found.pop(name, None)
                    else:
                        found[name] = (name, signed(known.ino), None if known.racy else known.ctime_ns)
        return found

    def under(self, source: int, folder: bytes) -> list[bytes]:
        """Every path under a folder, the deepest first; needs memory for their names. Empty: the whole source."""
        parts = self._parts()
        if folder:
            rows = self._read(_UNDER, (source, folder, folder + b"/", folder + b"0"))  # 0 follows /
        else:
            rows = self._read(_ALL, (source,))
        paths = {join(*row) for row in rows}
        with self._lock:
            for part in parts:
                for (number, path), known in part.paths.items():
                    if number == source and (not folder or path.startswith(folder + b"/")):
                        (paths.discard if known is None else paths.add)(path)
        return sorted(paths, key=lambda path: (-path.count(b"/"), path))

    def by_inode(self, source: int, ino: int) -> dict[bytes, Known]:
        """What the vault has that was read from this inode: a renamed file's old name, a file's other names."""
        if self._strangers is not None and (source, ino) in self._strangers:
            return {}
        parts = self._parts()
        found = {join(*row[:2]): from_row(*row[2:]) for row in self._read(_BY_INODE, (source, signed(ino)))}
        with self._lock:
            for part in parts:
                found = {path: known for path, known in found.items() if (source, path) not in part.paths}
                found.update(part.by_inode(source, ino))
        return found

    def doubt(self, source: int, since_ns: int) -> None:
        """What was changed since then, by the times of its file, may change again and bear the same times."""
        self.flush()
        self._write("UPDATE known SET racy = 1 WHERE source = ? AND ctime_ns > ?", (source, since_ns))

    def _parts(self) -> tuple[Overlay, Overlay]:
        """What is not committed, older first: to be taken before the database is read, or a commit slips between."""
        with self._lock:
            return self._known_out, self._known

    def count(self, source: int, most: int = -1) -> int:
        """How many paths the vault has, as of the last commit; counted up to `most`, for ten million take a second."""
        return int(self._read(_COUNT, (source, most))[0][0])

    # ------------------------------------------------------------------ what is still to be sent

    def wait(self, source: int, path: bytes, waiting: Waiting | None) -> None:
        """This path is still to be sent, or (None) not any more."""
        with self._lock:
            self._waiting[source, path] = waiting
        self._rouse()

    def waiting(self, source: int) -> Iterator[tuple[bytes, Waiting]]:
        """What was still to be sent when the last process ended, the oldest first."""
        rows = self._read("SELECT path, seen_ns, size FROM waiting WHERE source = ? ORDER BY seen_ns", (source,))
        return ((path, Waiting(seen_ns, size)) for path, seen_ns, size in rows)

    # ------------------------------------------------------------------ writing

    def flush(self) -> None:
        """Commit what is in memory.

        Raises:
            JournalError: the disk did not take it; it stays in memory.
        """
        with self._writing:
            with self._lock:
                known, self._known, self._known_out = self._known, Overlay(), self._known
                waiting, self._waiting = self._waiting, {}
                sources, self._sources = self._sources, {}
            try:
                commit(self._writer, known.paths, waiting, sources)
            except sqlite3.Error as error:
                with contextlib.suppress(sqlite3.Error):  # SQLite has mostly done it by itself
                    self._writer.rollback()
                with self._lock:
                    self._known.below(known)
                    self._waiting = waiting | self._waiting
                    self._sources = sources | self._sources
                    self._known_out = Overlay()
                raise self._refused(error) from None
            with self._lock:
                self._known_out = Overlay()
            self.damage = self.damage or checkpoint(self._writer, self.path)

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        """One statement of its own, on disk when this returns."""
        try:
            with self._writing, self._writer:
                self._writer.execute(sql, values)
        except sqlite3.Error as error:
            raise self._refused(error) from None

    def _refused(self, error: sqlite3.Error) -> JournalError:
        self.damage = str(error) if spoiled(error) else self.damage
        return JournalError(
            f"write journal {self.path}: {error}", hint="is there space, and may the replicator write there?"
        )

    def _rouse(self) -> None:
        if not self._wake.is_set():  # setting it takes a lock and tells everybody, each time
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            try:
                self.flush()
            except JournalError as error:
                if str(error) != self.trouble:
                    log.warning("journal not written", error=str(error), hint=error.hint)
                self.trouble = str(error)
                self._wake.set()
                time.sleep(_AGAIN)
            except Exception as error:  # noqa: BLE001 - a journal that is not written must not pass for one that is
                self.damage = str(error) or repr(error)
                return
            else:
                if self.trouble:
                    log.info("journal written again")
                self.trouble = ""
                time.sleep(_EVERY)

    def _open(self) -> sqlite3.Connection:
        try:
            return connect(self.path)
        except sqlite3.OperationalError as error:
            if spoiled(error):
                put_aside(self.path, f"flush: {error}")
            raise JournalError(
                f"open journal {self.path}: {error}", hint="does the folder exist, and may the replicator write there?"
            ) from None
        except sqlite3.DatabaseError as error:
            put_aside(self.path, str(error))
            return connect(self.path)

    def _is_new(self) -> bool:
        try:
            return not self._read("SELECT 1 FROM known LIMIT 1", ())
        except JournalError:
            return False  # the damage is told by `damage`

    def _read(self, sql: str, values: Iterable[object]) -> list[Any]:
        try:
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = reader(self.path)
                with self._lock:
                    self._readers.append(connection)
            rows: list[Any] = connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            self.damage = str(error) if spoiled(error) else self.damage
            raise JournalError(f"read journal {self.path}: {error}") from None
        return rows

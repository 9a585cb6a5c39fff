"""The state file: one SQLite database, opened with care; every failure has a name and a next step."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock

import msgspec
import structlog

from alerts.errors import DamagedError, StoreError

SCHEMA = 1  # goes to `user_version`; a file with a higher one is left alone
APPLICATION = 0x626F6E67  # "bong", in the file's header
_BUSY = 5.0  # seconds
_LOG_PAGES = 128  # half a mebibyte of write-ahead log, then it is written over: on a full disk it must not grow
# Bytes held back beside the state file. When the disk is full they are given up, so that the alarm of a fire that comes
# then can still be written down and told: a thousand alarms and more with their notices.
RESERVE = 4 * 1024 * 1024
_log = structlog.get_logger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)

_TABLES = """
CREATE TABLE alarms (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, active INTEGER NOT NULL, part TEXT NOT NULL, shelved_until INTEGER,
    view BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE events (
    id TEXT PRIMARY KEY, alarm TEXT NOT NULL, occurrence TEXT NOT NULL, at INTEGER NOT NULL, view BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE calls (
    alarm TEXT NOT NULL, route INTEGER NOT NULL, step INTEGER NOT NULL, told INTEGER NOT NULL, next_at INTEGER,
    PRIMARY KEY (alarm, route, step)
) WITHOUT ROWID;
CREATE TABLE notifications (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL, kind TEXT NOT NULL,
    alarm TEXT NOT NULL, occurrence TEXT NOT NULL, contact TEXT NOT NULL,
    queue TEXT NOT NULL,
    rank INTEGER NOT NULL,
    channels TEXT NOT NULL, dropped TEXT NOT NULL DEFAULT '[]', channel TEXT NOT NULL,
    rounds INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL, due_at INTEGER NOT NULL, lease_until INTEGER NOT NULL DEFAULT 0,
    halted TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', finished_at INTEGER
);
CREATE INDEX notifications_open ON notifications (channel, due_at) WHERE finished_at IS NULL;
CREATE INDEX notifications_queue ON notifications (queue, seq) WHERE finished_at IS NULL;
CREATE INDEX notifications_occurrence ON notifications (occurrence, contact);
CREATE TABLE attempts (
    notification TEXT NOT NULL, number INTEGER NOT NULL, channel TEXT NOT NULL, accepted INTEGER NOT NULL,
    reason TEXT NOT NULL, text TEXT NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL,
    PRIMARY KEY (notification, number)
) WITHOUT ROWID;
"""


def stamp(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970, as the tables keep it."""
    return (moment - _EPOCH) // _MICRO


def moment(stamped: int) -> datetime:
    """Return the moment of a stamp, in UTC."""
    return _EPOCH + stamped * _MICRO


class Store:
    """One connection, shared by threads under one lock."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._path = path
        self._reserve = reserve_of(path)
        self._lock = RLock()

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open the file, or make it; on a full disk in the room that was held back.

        Raises:
            DamagedError: it is no sound database.
            StoreError: it cannot be made or written, is another program's, or a newer version's.
        """
        try:
            connection = _connect(path)
        except DamagedError:
            raise
        except StoreError:
            # Whatever a full disk makes SQLite say: a monitor that starts in a fire must not need room.
            if not (_is_full(path.parent) and _give_up(reserve_of(path))):
                raise
            connection = _connect(path)
        else:
            _hold_back(reserve_of(path))
        return cls(connection, path)

    @contextmanager
    def transaction(self, verb: str) -> Iterator[sqlite3.Connection]:
        """Do everything inside in one durable commit, or nothing of it.

        Raises:
            StoreError: it could not be kept.
        """
        with self._lock, self._errors(verb):
            connection = self._open(verb)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has already rolled it back
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self, verb: str) -> Iterator[sqlite3.Connection]:
        """Read what is committed.

        Raises:
            StoreError: it cannot be read.
        """
        with self._lock, self._errors(verb):
            yield self._open(verb)

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _spend(self) -> None:
        """Give up the room that was held back, and the log's where it can be emptied; the next try finds it."""
        _give_up(self._reserve)
        with suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _open(self, verb: str) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{verb} in {self._path}: it is closed", "the daemon is stopping; start it again")
        return self._connection

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
                self._spend()
            raise _named(f"{verb} in {self._path}", error, self._path) from error
        except msgspec.MsgspecError as error:
            raise StoreError(f"{verb} in {self._path}: a row is damaged: {error}", _damaged(self._path)) from error


def reserve_of(path: Path) -> Path:
    """Return where the room is that is held back for a full disk."""
    return path.with_name(f"{path.name}.reserve")


def _hold_back(path: Path) -> None:
    """Take the room, if there is any to take; a disk that is full already has none, and the file may work without."""
    try:
        with path.open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        _log.warning("no room held back", path=str(path), cause=error.strerror)


def _give_up(reserve: Path) -> bool:
    """Give the room back to the disk. Returns whether there was any."""
    try:
        reserve.unlink()
    except OSError:
        return False
    _log.error("disk full, held-back room given up", path=str(reserve), bytes=RESERVE)
    return True


def _is_full(folder: Path) -> bool:
    """Tell whether a disk has less free than is held back."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < RESERVE


def _connect(path: Path) -> sqlite3.Connection:
    verb = f"open state file {path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise _named(verb, error, path) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise _named(verb, error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION:
        raise StoreError(f"open state file {path}: it is another program's", "correct `site.state`, or move the file")
    if version > SCHEMA:
        text = f"open state file {path}: it has version {version}, this bongsu knows {SCHEMA}"
        raise StoreError(text, "install the bongsu that wrote it, or a newer one")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedError(f"open state file {path}: it is damaged: {found}", _damaged(path))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    if not tables:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA}; COMMIT;"
        )
    # A file that can be read and not written must be told now, not at the first fire.
    connection.executescript(f"BEGIN IMMEDIATE; PRAGMA user_version = {SCHEMA}; COMMIT;")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _damaged(path: Path) -> str:
    return f"move {path} away, with its -wal and -shm, and start again: open alarms are raised anew"


def _named(verb: str, error: Exception, path: Path) -> StoreError:
    """Map what SQLite or the system says to an error with a next step."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    hints = {
        sqlite3.SQLITE_FULL: f"make room on the disk of {path.parent}",
        sqlite3.SQLITE_READONLY: f"let this user write {path} and its folder",
        sqlite3.SQLITE_PERM: f"let this user write {path} and its folder",
        sqlite3.SQLITE_CANTOPEN: f"make {path.parent}, writable for the user that the daemon runs as",
        sqlite3.SQLITE_NOTADB: _damaged(path),
        sqlite3.SQLITE_CORRUPT: _damaged(path),
        sqlite3.SQLITE_BUSY: "another process holds the file: stop the second daemon",
        sqlite3.SQLITE_IOERR: f"look at the disk of {path.parent}: `dmesg`, `df`",
    }
    if isinstance(error, OSError):
        cause, hint = error.strerror or str(error), f"make {path.parent}, writable for the user that the daemon runs as"
    else:
        cause, hint = str(error), hints.get(code, "this is a fault of bongsu: report it with the log")
    kind = DamagedError if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT} else StoreError
    return kind(f"{verb}: {cause.lower()}", hint)

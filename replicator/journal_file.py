"""The journal's file: how it is opened, how its log is carried over, and what is done when it is damaged."""

import sqlite3
import time
from pathlib import Path

import structlog

from replicator.journal_rows import SCHEMA

#: What SQLite says of a damaged file, as against a disk that is full or does not answer.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
#: A flush that failed, of a file and of a folder.
_FLUSH = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
#: Bytes of the log above which it is carried over.
LOG_MOST = 4 * 1024 * 1024
#: Its codes have a second part above this one.
_FIRST = 0xFF

log = structlog.get_logger(__name__)


def connect(path: Path) -> sqlite3.Connection:
    """For reading and writing, from any thread; the file is made at need.

    Raises:
        sqlite3.Error: it cannot be opened, or is no journal.
    """
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    try:
        connection.executescript(SCHEMA)
        connection.execute("SELECT count(*) FROM source").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def reader(path: Path) -> sqlite3.Connection:
    """For reading, from any thread."""
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA query_only = 1")
    return connection


def spoiled(error: sqlite3.Error) -> bool:
    """Whether the file itself is damaged, or may be: a disk may come back, a damaged file does not.

    After a flush that failed the kernel forgets the pages, and the next flush of them lies: what of a cache is not
    certain is not kept.
    """
    code = getattr(error, "sqlite_errorcode", 0)
    return code & _FIRST in _DAMAGE or code in _FLUSH


def checkpoint(connection: sqlite3.Connection, path: Path) -> str:
    """Carry SQLite's log over into the database when it has grown; why the database is damaged now, or empty.

    SQLite would do it by itself, and keep to itself that a flush failed. Any other error costs nothing: the log has
    all, and it is tried again.
    """
    try:
        if path.with_name(path.name + "-wal").stat().st_size < LOG_MOST:
            return ""
    except FileNotFoundError:
        return "its log is gone"
    except OSError:  # the next commit tells what ails the disk
        return ""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error as error:
        return f"flush: {error}" if spoiled(error) else ""
    return ""


def put_aside(path: Path, why: str) -> None:
    """Rename a damaged file, so that a new one is begun."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    log.warning("journal damaged, begun anew", journal=str(path), kept=str(aside), error=why)
    path.rename(aside)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)

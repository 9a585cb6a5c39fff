"""A journal's file that is no database any more: how it is known, and how it is put aside."""

import sqlite3
import time
from pathlib import Path

import structlog

#: What SQLite says of a damaged file, as against a disk that is full or does not answer.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
#: Its codes have a second part above this one.
_FIRST = 0xFF

log = structlog.get_logger(__name__)


def spoiled(error: sqlite3.Error) -> bool:
    """Whether the file itself is damaged: a disk may come back, a damaged file does not."""
    return getattr(error, "sqlite_errorcode", 0) & _FIRST in _DAMAGE


def put_aside(path: Path, why: str) -> None:
    """Rename a damaged file, so that a new one is begun."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    log.warning("journal damaged, begun anew", journal=str(path), kept=str(aside), error=why)
    path.rename(aside)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)

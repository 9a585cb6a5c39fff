"""A damaged state file does not keep the room from being watched: it is put aside, and people hear of it."""

import time
from pathlib import Path

import structlog

from alerts.errors import DamagedError, StoreError
from alerts.store import Store

_log = structlog.get_logger(__name__)
_PIECES = ("", "-wal", "-shm")  # that a SQLite database is made of


def open_or_renew(path: Path) -> tuple[Store, Path | None]:
    """Open the state file; one that is damaged is kept under another name, and a new one made.

    Returns:
        The store, and where the damaged file is now, if it was.

    Raises:
        StoreError: it cannot be used, and is not damaged.
    """
    try:
        return Store.open(path), None
    except DamagedError as error:
        aside = _put_aside(path)
        _log.critical("state file put aside", reason=str(error), put_aside=str(aside))
    return Store.open(path), aside


def _put_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    try:
        for piece in _PIECES:
            found = path.with_name(path.name + piece)
            if found.exists():
                found.rename(aside.with_name(aside.name + piece))
    except OSError as error:
        text = f"put damaged state file {path} aside: {error.strerror or error}"
        raise StoreError(text, f"let this user write {path.parent}") from error
    return aside

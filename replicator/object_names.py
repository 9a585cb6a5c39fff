"""Names of objects, and whether they are on disk: a name that can be seen may still be lost with the power."""

import threading
from pathlib import Path

from replicator.durable import flush_folder, name
from replicator.errors import BrokenError

_FOLDERS = 256


class ObjectNames:
    """Gives objects their names, and answers for names that were found. From any thread.

    A name that another connection has just given, or a process that was killed then, is relied on only after a
    flush of its folder. In a process each folder needs that once: what comes later is flushed as it comes.
    """

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(_FOLDERS)]
        self._flushed = [False] * _FOLDERS
        self._error: BrokenError | None = None

    def give(self, temporary: Path, final: Path, digest: bytes) -> None:
        """Name a flushed file; the name is on disk when this returns.

        Raises:
            FullError: no room for the name.
            BrokenError: the disk did not take it, or did not take one before.
        """
        with self._locks[digest[0]]:
            self._check()
            try:
                name(temporary, final)
            except BrokenError as error:
                self._error = error
                raise
            self._flushed[digest[0]] = True

    def settle(self, final: Path, digest: bytes) -> None:
        """A name that was seen is on disk when this returns.

        Raises:
            BrokenError: the disk did not take it, or did not take one before.
        """
        with self._locks[digest[0]]:
            self._check()
            if self._flushed[digest[0]]:
                return
            try:
                flush_folder(final.parent)
            except BrokenError as error:
                self._error = error
                raise
            self._flushed[digest[0]] = True

    def _check(self) -> None:
        """A folder whose flush failed is not flushed again: the next flush would lie."""
        if self._error is not None:
            raise self._error

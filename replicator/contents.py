"""The bytes behind a hash, wherever they stand: an object, or the record that first brought them."""

import hashlib
import os
import sqlite3
from collections.abc import Generator, Iterator
from pathlib import Path

from replicator.errors import DamagedError
from replicator.objects import Objects
from replicator.segments import read_content

_EMPTY = hashlib.sha256(b"").digest()
_PIECE = 256 * 1024


class Contents:
    """Reads contents of a vault. For one thread at a time, as its connection is."""

    def __init__(self, root: Path, db: sqlite3.Connection) -> None:
        self._journal = root / "journal"
        self._objects = Objects(root)
        self._db = db

    def read(self, digest: bytes, offset: int = 0) -> Generator[bytes, None, None]:
        """A content's bytes from an offset on, in pieces, not checked.

        Raises:
            UnknownError: there is no such content.
            DamagedError: the disk does not give it.
        """
        if digest == _EMPTY:
            return
        # An object wins: it is how a damaged record's content is repaired.
        row = self._row(digest) if not self._objects.path(digest).exists() else None
        if row is None:
            yield from self._objects.read(digest, offset)
            return
        data = read_content(self._journal, *row)
        for start in range(offset, len(data), _PIECE):
            yield data[start : start + _PIECE]

    def has(self, digest: bytes) -> bool:
        """Whether this content is known here; its bytes are not looked at."""
        return digest == _EMPTY or self._objects.path(digest).exists() or self._row(digest) is not None

    def repaired(self, digest: bytes, size: int) -> bool:
        """Whether a content that came in a record is an object too: then the object is right."""
        return self._objects.has(digest, size)

    def descriptor(self, digest: bytes) -> int | None:
        """An open object, when the content is one; the caller closes it."""
        try:
            return os.open(self._objects.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def _row(self, digest: bytes) -> tuple[int, int, int] | None:
        row = self._db.execute("SELECT segment, offset, size FROM contents WHERE hash = ?", (digest,)).fetchone()
        return None if row is None else (row[0], row[1], row[2])


def checked(pieces: Iterator[bytes], digest: bytes) -> Generator[bytes, None, None]:
    """The same pieces; at the end their hash must be right.

    Raises:
        DamagedError: it is not. What was taken so far is not the content.
    """
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
        yield piece
    if found.digest() != digest:
        raise DamagedError(f"read content {digest.hex()}: its bytes are other than its name says", hint="bongsu verify")

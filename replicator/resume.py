"""Where a large file goes on after a cut: at what the vault has of it, if that is what stands here."""

import hashlib
import os
from typing import Protocol

from replicator.messages import Have

#: Bytes from which on it is worth a question. At 10 Mbit/s it is a second's work.
RESUME_FROM = 1024 * 1024


class Readable(Protocol):
    """A large file that is read from its beginning."""

    def read(self) -> bytes | None:
        """The next bytes; None when it changed meanwhile."""
        ...

    def rewind(self) -> None:
        """Begin anew."""
        ...


def identity(found: os.stat_result) -> bytes:
    """Names one state of one file: another state has another name."""
    text = f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    return hashlib.sha256(text.encode()).digest()


def skip(file: Readable, have: Have) -> int:
    """Read over what the vault has.

    Returns:
        The offset to go on from: `have.offset`, or 0 with the file at its beginning when its bytes are others.

    Raises:
        OSError: it cannot be read.
    """
    digest, offset = hashlib.sha256(), 0
    while offset < have.offset and (data := file.read()):
        digest.update(data)
        offset += len(data)
    if offset == have.offset and (not offset or digest.digest() == have.hash):
        return offset
    file.rewind()
    return 0

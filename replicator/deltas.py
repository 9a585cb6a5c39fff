"""Sends a large file that has changed as what is new in it."""

import zlib
from typing import NamedTuple

from replicator.delta import Delta
from replicator.largefile import LargeFile
from replicator.link import Link
from replicator.messages import Base
from replicator.outcome import Large
from replicator.signature import REGION, SMALLEST, Signature, numbers
from replicator.source import Source

#: Regions looked at, beside the first, before a file is believed to have only grown.
_LOOKS = 8


class Start(NamedTuple):
    """What a file is said against, and how it is read."""

    base: Signature
    delta: Delta


def begin(source: Source, file: LargeFile, large: Large, known: Signature | None) -> Start | None:
    """Whether this file can be said by what the vault has of it; for a thread, it may read the file.

    Args:
        source: whose file it is.
        file: open, nothing read of it.
        large: what is to be sent.
        known: the path's signature.

    Returns:
        None when it is to be sent whole; nothing of the file is read then.

    Raises:
        OSError: as of `LargeFile.read`.
    """
    if large.item.whole or file.size < SMALLEST:
        return None
    if known is not None:
        return Start(known, Delta(file, known, grown=_grown(file, known)))
    before = source.journal.get(source.number, large.item.path)
    if before is None or not before.hash or not SMALLEST <= before.meta.size < file.size:
        return None
    # Without a signature an append can still be seen: the old bytes have the old hash.
    if file.hash_first(before.meta.size) == before.hash:
        base = Signature(before.hash, before.meta.size, b"", b"", b"")
        delta = Delta(file, base)
        delta.prefix()
        return Start(base, delta)
    file.rewind()
    return None


def _grown(file: LargeFile, known: Signature) -> bool:
    """Whether a few regions, the first and the last among them, are as they were, and more has come behind them."""
    if file.size <= known.size:
        return False
    sums = numbers(known.regions)
    last = known.size // REGION - 1
    some = {last * part // _LOOKS for part in range(_LOOKS + 1)}
    return all(zlib.crc32(file.peek(index * REGION, REGION)) == sums[index] for index in some)


class Line:
    """One upload of a delta; it begins when the first thing differs."""

    def __init__(self, link: Link, base: Signature, size: int) -> None:
        self.upload = 0
        self._link = link
        self._base = base
        self._size = size
        self._offset = 0

    async def say(self, commands: bytes) -> None:
        """The delta's next bytes; none are none.

        Raises:
            StreamError: the connection is over.
        """
        if not commands:
            return
        if not self.upload:
            self.upload = self._link.begin_upload()
            base = self._base
            self._link.post(Base(upload=self.upload, base=base.hash, base_size=base.size, size=self._size))
        with memoryview(commands) as view:
            at = 0
            while at < len(view):
                part = view[at : at + self._link.chunk_bytes(self.upload)]
                await self._link.chunk(self.upload, self._offset, self._size, part)
                self._offset += len(part)
                at += len(part)

    def cancel(self) -> None:
        """Give it up."""
        if self.upload:
            self._link.cancel(self.upload)

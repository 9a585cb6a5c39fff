"""What the source remembers of a large file that the vault has, so that a change of it travels as a delta.

Three views of the same bytes, each finer and dearer: a CRC-32 of each region, a CRC-32 of each block within it, and
librsync's signature, which finds what has moved. None of them needs to be strong: they only choose what to say, and
what the vault makes of it must have the file's SHA-256.
"""

import struct
import zlib
from array import array
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from replicator import holes
from replicator.delta_librsync import ENTRY, entries

#: Files smaller than this have no signature: they are sent whole in less time than a delta is made.
SMALLEST = 256 * 1024
#: Bytes of a region and of a block.
REGION = 64 * 1024
BLOCK = 4 * 1024
_PER_REGION = REGION // BLOCK
#: Bytes of librsync's blocks for files up to so many bytes: 2-4 KiB wins for scattered changes, and memory bounds it.
_SUMS = ((64 << 20, 2 * 1024), (1 << 30, 4 * 1024), (1 << 63, 16 * 1024))
#: Regions read in one go.
_TOGETHER = 16
_MAGIC = b"BSG1"
#: CRC-32 of a region of zeros: a file's holes are not summed each time anew.
_ZEROS = zlib.crc32(bytes(REGION))


if TYPE_CHECKING:
    Sums = array[int]
else:  # Python 3.11 knows no `array[int]`
    Sums = array


class Signature(msgspec.Struct, frozen=True, array_like=True):
    """A file that the vault has.

    Attributes:
        hash: SHA-256 of its bytes.
        size: how many.
        regions: CRC-32 of each region, four bytes each as this machine writes them; the last region may be shorter.
        blocks: the same of each block.
        sums: librsync's signature without its header; empty when only the start of a longer file is known by it.
    """

    hash: bytes
    size: int
    regions: bytes
    blocks: bytes
    sums: bytes


class Regions:
    """CRC-32 of each region of bytes that come in pieces."""

    def __init__(self) -> None:
        self._done = array("I")
        self._sum = 0
        self._in = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._in and not len(data) % REGION and holes.empty(data):
            self._done += array("I", (_ZEROS,)) * (len(data) // REGION)
            return
        view, at = memoryview(data), 0
        while at < len(view):
            part = view[at : at + REGION - self._in]
            self._sum = zlib.crc32(part, self._sum)
            self._in += len(part)
            at += len(part)
            if self._in == REGION:
                self._done.append(self._sum)
                self._sum = self._in = 0

    def resume(self, sums: Sums, size: int) -> None:
        """Go on behind so many bytes that have these sums."""
        self._in = size % REGION
        self._done = Sums("I", sums[: size // REGION])
        self._sum = sums[-1] if self._in else 0

    def sums(self) -> Sums:
        """Those of all bytes so far, the last one of a region that may not be full."""
        return self._done + array("I", (self._sum,)) if self._in else array("I", self._done)

    def __getitem__(self, index: int) -> int:
        return self._sum if index == len(self._done) else self._done[index]


def sum_bytes(size: int) -> int:
    """Bytes of librsync's blocks for a file of this size."""
    return next(block for limit, block in _SUMS if size <= limit)


def length_of(size: int, index: int, unit: int) -> int:
    """Bytes of a file's region or block; 0 or less behind its end."""
    return min(unit, size - index * unit)


def numbers(packed: bytes) -> Sums:
    """The numbers that were packed with `tobytes`."""
    found = array("I")
    found.frombytes(packed)
    return found


def renew(
    read: Callable[[int, int], bytes], digest: bytes, size: int, regions: Sums, old: Signature | None
) -> Signature | None:
    """The signature of a file that was just sent; what has not changed is taken from the old one.

    Args:
        read: gives bytes from an offset on, as many as asked for unless the file has become shorter.
        digest: the hash of what was sent.
        size: its bytes.
        regions: CRC-32 of its regions as they were sent.
        old: what was known before.

    Returns:
        None when the file is not any more what was sent.
    """
    kept = _unchanged(size, regions, old)
    blocks, sums = array("I"), []
    old_blocks = numbers(old.blocks) if old else array("I")
    each = REGION // sum_bytes(size) * ENTRY
    index = 0
    while index < len(regions):
        if old and kept[index]:
            blocks += old_blocks[index * _PER_REGION : (index + 1) * _PER_REGION]
            sums.append(old.sums[index * each : (index + 1) * each])
            index += 1
            continue
        end = index + 1
        while end < min(len(regions), index + _TOGETHER) and not kept[end]:
            end += 1
        wanted = min(size, end * REGION) - index * REGION
        data = read(index * REGION, wanted)
        if len(data) != wanted or _sums_of(data, REGION) != regions[index:end]:
            return None
        blocks += _sums_of(data, BLOCK)
        sums.append(_entries(data, sum_bytes(size)))
        index = end
    return Signature(digest, size, regions.tobytes(), blocks.tobytes(), b"".join(sums))


def _unchanged(size: int, regions: Sums, old: Signature | None) -> list[bool]:
    if old is None or not old.sums or sum_bytes(old.size) != sum_bytes(size):
        return [False] * len(regions)
    before = numbers(old.regions)
    return [
        index < len(before)
        and before[index] == crc
        and length_of(size, index, REGION) == length_of(old.size, index, REGION)
        for index, crc in enumerate(regions)
    ]


def _entries(data: bytes, block: int) -> bytes:
    if len(data) % block or not holes.empty(data):
        return entries(data, block)
    return _entry_of_zeros(block) * (len(data) // block)


@cache
def _entry_of_zeros(block: int) -> bytes:
    return entries(bytes(block), block)


def _sums_of(data: bytes, unit: int) -> Sums:
    if not len(data) % unit and holes.empty(data):
        return array("I", (zlib.crc32(holes.zeros(unit)),)) * (len(data) // unit)
    view = memoryview(data)
    return array("I", (zlib.crc32(view[start : start + unit]) for start in range(0, len(view), unit)))


def pack(signature: Signature) -> bytes:
    """As it is kept on disk."""
    body = msgspec.msgpack.encode(signature)
    return b"".join((_MAGIC, struct.pack(">I", zlib.crc32(body)), body))


def unpack(data: bytes) -> Signature | None:
    """Back again; None when the bytes are no signature."""
    start = len(_MAGIC) + 4
    body = memoryview(data)[start:]
    if (
        len(data) < start
        or data[: len(_MAGIC)] != _MAGIC
        or data[len(_MAGIC) : start] != struct.pack(">I", zlib.crc32(body))
    ):
        return None
    try:
        return msgspec.msgpack.decode(body, type=Signature)
    except msgspec.DecodeError:
        return None

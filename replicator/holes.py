"""Files with holes: whether one has any, and writing one so that it has them again."""

import errno
import os
from collections.abc import Iterable
from functools import lru_cache

from replicator.mounts import mounts

#: What a file system gives a file at least, nearly everywhere; shorter runs of zeros are written.
BLOCK = 4096
_READ = 256 * 1024
#: Bytes that `st_blocks` counts in.
_SECTOR = 512


@lru_cache(maxsize=16)
def zeros(size: int) -> bytes:
    """So many zero bytes; the same ones each time."""
    return bytes(size)


def empty(data: bytes) -> bool:
    """Whether these bytes are all zero."""
    return data[:1] == b"\0" and data == zeros(len(data))


def has_holes(descriptor: int, found: os.stat_result) -> bool:
    """Whether an open file takes less room than it has bytes because of holes; one that is compressed has none."""
    if found.st_blocks * _SECTOR >= found.st_size or found.st_size < BLOCK:
        return False
    try:
        at = os.lseek(descriptor, 0, os.SEEK_CUR)
        hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
        os.lseek(descriptor, at, os.SEEK_SET)
    except OSError:
        return False
    return hole < found.st_size


def all_hole(descriptor: int, start: int, end: int) -> bool:
    """Whether nothing but a hole is there in an open file between two places; False where nobody can say.

    Its zeros need not be read then: the kernel would make a page of its memory for each. It moves the file's position.
    """
    if not _believed(os.fstat(descriptor).st_dev):
        return False
    try:
        return os.lseek(descriptor, start, os.SEEK_DATA) >= end
    except OSError as error:  # nothing but a hole is left, or the file has become shorter
        return error.errno == errno.ENXIO and os.fstat(descriptor).st_size >= end


@lru_cache(maxsize=64)
def _believed(device: int) -> bool:
    """Whether a file system says where holes are; ZFS before 2.2.2 called what was not on its disks yet a hole."""
    number = b"%d:%d" % (os.major(device), os.minor(device))
    return not any(mount.device == number and mount.kind == b"zfs" for mount in mounts())


def fill(descriptor: int, pieces: Iterable[bytes]) -> None:
    """Write a new file, its blocks of zeros as holes."""
    at = 0
    for piece in pieces:
        put(descriptor, piece, at)
        at += len(piece)
    os.ftruncate(descriptor, at)


def copy(source: int, target: int) -> None:
    """Copy an open file to a new one, its holes and its blocks of zeros as holes."""
    size = os.fstat(source).st_size
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # nothing but a hole is left
        end = os.lseek(source, at, os.SEEK_HOLE)
        while at < end:
            piece = os.pread(source, min(_READ, end - at), at)
            if not piece:
                break
            put(target, piece, at)
            at += len(piece)
    os.ftruncate(target, size)


def put(descriptor: int, data: bytes, at: int) -> None:
    """Write bytes to their place in a new file, but for whole blocks of zeros."""
    if empty(data):
        return
    start = 0
    if zeros(BLOCK) in data:
        for block in range(-at % BLOCK, len(data) - BLOCK + 1, BLOCK):
            if empty(data[block : block + BLOCK]):
                _write(descriptor, data, start, block, at)
                start = block + BLOCK
    _write(descriptor, data, start, len(data), at)


def _write(descriptor: int, data: bytes, start: int, end: int, at: int) -> None:
    with memoryview(data) as view:
        while start < end:
            start += os.pwrite(descriptor, view[start:end], at + start)

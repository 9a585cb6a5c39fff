"""The one place where bytes are made durable and files get their names."""

import contextlib
import ctypes
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from replicator.errors import BrokenError, FullError

_libc = ctypes.CDLL(None, use_errno=True)
_Offset = ctypes.c_int64
#: SYNC_FILE_RANGE_WRITE. The flags that wait would take an error away from the flush that must see it.
_WRITE = ctypes.c_uint(2)
#: Pieces of one write at most: IOV_MAX of Linux.
_PIECES = 1024
#: What a write says when there is no room: a later try may do better.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def flush(descriptor: int, name: str) -> None:
    """Put a file's bytes and length on disk.

    Raises:
        BrokenError: the disk did not take them. Never flush these bytes again: the next flush would lie.
    """
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        raise _broken("flush", name, error) from None


def start_flush(descriptor: int, offset: int, length: int) -> None:
    """Let the disk begin with these bytes, so that `flush` finds little left to wait for; promises nothing.

    An error of the disk itself is kept by the kernel for `flush`; what is returned here is only ours.
    """
    _libc.sync_file_range(descriptor, _Offset(offset), _Offset(length), _WRITE)


def forget(descriptor: int, offset: int, length: int) -> None:
    """Give the memory of bytes that are on disk to others; whoever reads them waits for the disk."""
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def expect(descriptor: int, offset: int, length: int) -> None:
    """Let the disk begin to read these bytes, if they are not in memory."""
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_WILLNEED)


def flush_folder(folder: Path | str) -> None:
    """Put a folder's names on disk.

    Raises:
        BrokenError: the disk did not take them.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _broken("flush folder", str(folder), error) from None


def make_folder(folder: Path) -> None:
    """A folder with all above it; the names of those that were made are on disk.

    Raises:
        OSError: it cannot be made.
        BrokenError: the disk did not take a name.
    """
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        flush_folder(each.parent)


def name(temporary: Path, final: Path) -> None:
    """Give a flushed file its name in a folder that is on disk; it appears with the whole file or not at all.

    Raises:
        FullError: no room for the name.
        BrokenError: the disk did not take it.
    """
    try:
        temporary.rename(final)
    except OSError as error:
        raise write_error("name", str(final), error) from None
    flush_folder(final.parent)


def write_all(descriptor: int, data: bytes | memoryview, offset: int, name: str) -> None:
    """Write all bytes at an offset.

    Raises:
        FullError: no room; part of it may stand there.
        BrokenError: the disk did not take them.
    """
    view = memoryview(data)
    try:
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
    except OSError as error:
        raise write_error("write", name, error) from None


def write_pieces(descriptor: int, pieces: Sequence[bytes], offset: int, name: str) -> None:
    """Write pieces one behind the other at an offset; they are not joined before.

    Raises:
        FullError: no room; part of it may stand there.
        BrokenError: the disk did not take them.
    """
    for start in range(0, len(pieces), _PIECES):
        some = pieces[start : start + _PIECES]
        size = sum(map(len, some))
        try:
            written = os.pwritev(descriptor, some, offset)
        except OSError as error:
            raise write_error("write", name, error) from None
        if written < size:
            write_all(descriptor, memoryview(b"".join(some))[written:], offset + written, name)
        offset += size


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """A small file, whole and durable, over whatever had the name before.

    Raises:
        FullError: no room.
        BrokenError: the disk did not take it.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    except OSError as error:
        raise write_error("make", str(temporary), error) from None
    try:
        write_all(descriptor, data, 0, str(temporary))
        flush(descriptor, str(temporary))
    finally:
        os.close(descriptor)
    name(temporary, path)


def write_error(doing: str, name: str, error: OSError) -> FullError | BrokenError:
    """What a failed write means: no room, which may pass, or a broken disk."""
    if error.errno in NO_SPACE:
        return FullError(f"{doing} {name}: {str(error.strerror).lower()}", hint="make room on the vault's disk")
    return _broken(doing, name, error)


def _broken(doing: str, name: str, error: OSError) -> BrokenError:
    return BrokenError(
        f"{doing} {name}: {str(error.strerror).lower()}",
        hint="check the vault's disk; nothing that was acknowledged is lost, the sender keeps the rest",
    )

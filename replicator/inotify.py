"""The kernel's inotify through watchdog's own binding: one descriptor, its watches and its events.

watchdog's observer is left aside: it tells nobody of an overflow, swallows a watch limit, feeds on its own walk in
big trees and holds events back for 0.5 s to pair renames. Its binding of the system calls is used with our mask,
which is the event filter; recursion, new folders and overflow are `events.py`'s.
"""

import contextlib
import ctypes
import errno
import os
import select
import struct
from collections.abc import Iterator
from typing import NamedTuple

from watchdog.observers.inotify_c import (
    InotifyConstants,
    WatchDescriptor,
    inotify_add_watch,
    inotify_init,
    inotify_rm_watch,
)

MODIFY = int(InotifyConstants.IN_MODIFY)
CLOSE_WRITE = int(InotifyConstants.IN_CLOSE_WRITE)
MOVED_FROM = int(InotifyConstants.IN_MOVED_FROM)
MOVED_TO = int(InotifyConstants.IN_MOVED_TO)
CREATE = int(InotifyConstants.IN_CREATE)
DELETE = int(InotifyConstants.IN_DELETE)
SELF_GONE = int(InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF)
UNMOUNT = int(InotifyConstants.IN_UNMOUNT)
OVERFLOW = int(InotifyConstants.IN_Q_OVERFLOW)
IGNORED = int(InotifyConstants.IN_IGNORED)
IS_FOLDER = int(InotifyConstants.IN_ISDIR)

#: What a folder is watched for. Neither opening nor reading: a walk must not feed on itself.
FILTER = (
    MODIFY
    | int(InotifyConstants.IN_ATTRIB)
    | CLOSE_WRITE
    | MOVED_FROM
    | MOVED_TO
    | CREATE
    | DELETE
    | int(InotifyConstants.IN_ONLYDIR)
    | int(InotifyConstants.IN_DONT_FOLLOW)
)
#: Bytes of one read: some thousand events.
_READ = 256 * 1024
_EVENT = struct.Struct("iIII")


class Raw(NamedTuple):
    """One event as the kernel tells it: watch, what happened, the name in that folder (empty: itself).

    `cookie` is the same for both halves of a move.
    """

    watch: int
    mask: int
    cookie: int
    name: bytes


class Inotify:
    """One inotify descriptor. For one thread, `wake` and `close` excepted."""

    def __init__(self) -> None:
        self._fd = _descriptor()
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def add(self, path: bytes, *, root: bool = False) -> int:
        """Watch a folder; the same folder gets the same number again.

        Raises:
            OSError: ENOSPC when the limit of watches is reached, ENOENT or ENOTDIR when it is gone.
        """
        watch = inotify_add_watch(self._fd, path, FILTER | (SELF_GONE if root else 0))
        if watch < 0:
            raise _failure()
        return int(watch)

    def remove(self, watch: int) -> None:
        """Watch it no more; one that is gone already does no harm."""
        inotify_rm_watch(self._fd, WatchDescriptor(watch))

    def read(self, limit: float | None) -> Iterator[Raw]:
        """The events that wait; without any, wait up to `limit` seconds (None: until one comes or `wake`)."""
        ready = self._poll.poll(None if limit is None else int(limit * 1000))
        if any(fd == self._woken for fd, _ in ready):
            os.read(self._woken, 4096)
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return iter(())
        return _parse(data)

    def renew(self) -> None:
        """Drop every watch and every event at once: taking watches back one by one would fill the queue again.

        Raises:
            OSError: no new descriptor; the old one stays.
        """
        fd = _descriptor()
        self._poll.unregister(self._fd)
        os.close(self._fd)
        self._fd = fd
        self._poll.register(fd, select.POLLIN)

    def wake(self) -> None:
        """End a `read` that waits; from any thread."""
        with contextlib.suppress(BlockingIOError):  # it is awake many times over
            os.write(self._wake, b"!")

    def close(self) -> None:
        """Give the descriptor and with it every watch back."""
        for fd in (self._fd, self._woken, self._wake):
            os.close(fd)


def _descriptor() -> int:
    fd = inotify_init()
    if fd < 0:
        raise _failure()
    os.set_inheritable(fd, False)
    os.set_blocking(fd, False)
    return fd


def _parse(data: bytes) -> Iterator[Raw]:
    at = 0
    while at < len(data):
        watch, mask, cookie, length = _EVENT.unpack_from(data, at)
        start = at + _EVENT.size
        at = start + length
        yield Raw(watch, mask, cookie, data[start:at].rstrip(b"\0"))


def _failure() -> OSError:
    number = ctypes.get_errno()
    text = os.strerror(number)
    if number == errno.ENOSPC:
        text = "the limit of inotify watches is reached"
    elif number == errno.EMFILE:
        text = "the limit of inotify instances is reached"
    return OSError(number, text)

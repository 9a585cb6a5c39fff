"""The kernel's fanotify by ctypes: one mark for a whole file system, events that name folder and name.

Needs Linux 5.9, CAP_SYS_ADMIN (a mark on a file system) and CAP_DAC_READ_SEARCH (from a folder's handle to the folder).
From Linux 5.17 on the file is told too, by its handle, so that it is known where its name has gone. Numbers and
layouts are those of `linux/fanotify.h`.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import struct
import termios
from collections.abc import Iterator
from typing import NamedTuple

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
OVERFLOW = 0x4000
IS_FOLDER = 0x40000000

#: What a file system is watched for. Neither opening nor reading: a walk must not feed on itself.
FILTER = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | IS_FOLDER

_CLOEXEC, _NONBLOCK, _UNLIMITED_QUEUE = 0x1, 0x2, 0x10
_REPORT_FOLDER_AND_NAME = 0x400 | 0x800
_REPORT_FILE = 0x200 | 0x1000
_MARK_ADD, _MARK_FILESYSTEM = 0x1, 0x100
_FILE, _FOLDER_AND_NAME = 1, 2
_HANDLE_MAX = 128
#: Bytes of one read: some thousand events.
_READ = 256 * 1024
_EVENT = struct.Struct("=IBBHQii")
_INFO = struct.Struct("=BBH")
_HANDLE = struct.Struct("=Ii")
_FSID = 8

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]
_libc.open_by_handle_at.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
_libc.name_to_handle_at.argtypes = [
    ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int), ctypes.c_int,
]  # fmt: skip


class Raw(NamedTuple):
    """One event as the kernel tells it; one event may tell of several changes of the same name.

    Attributes:
        mask: what happened.
        place: file system and handle of the folder; empty with an overflow, and where a file is told of itself: it was
            given another name, or lost one, or was written by no name at all.
        name: the name in that folder; `.` is the folder itself.
        file: file system and handle of what bears the name; empty before Linux 5.17, and where nothing is told of it.
    """

    mask: int
    place: bytes
    name: bytes
    file: bytes


class Fanotify:
    """One fanotify group. For one thread, `wake` and `close` excepted.

    Its queue has no limit in the kernel (a limit of 16,384 would overflow in a burst), so whoever reads must look at
    `backlog` and `renew` when it grows beyond all bounds.
    """

    def __init__(self) -> None:
        self._fd = _group()
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        self._poll.register(self._mounts, select.POLLPRI)
        #: Whether file systems were mounted or unmounted since somebody set this to false.
        self.mounted = False

    def mark(self, folder: bytes) -> None:
        """Watch the whole file system that this folder stands on.

        Raises:
            OSError: the kernel, the rights or the file system do not allow it.
        """
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _libc.fanotify_mark(self._fd, _MARK_ADD | _MARK_FILESYSTEM, FILTER, descriptor, None) < 0:
                raise _failure()
        finally:
            os.close(descriptor)

    def marked(self) -> set[int]:
        """Device numbers of the file systems that are watched now: one that is unmounted is not any more."""
        found = set()
        with open(f"/proc/self/fdinfo/{self._fd}") as lines:  # noqa: PTH123 - one of our own descriptors
            for line in lines:
                if line.startswith("fanotify sdev:"):
                    device = int(line.split(":", 2)[1].split()[0], 16)
                    found.add(os.makedev(device >> 20, device & 0xFFFFF))
        return found

    @property
    def backlog(self) -> int:
        """How many events wait in the kernel."""
        size = bytearray(4)
        fcntl.ioctl(self._fd, termios.FIONREAD, size)
        return int.from_bytes(size, "little") // _EVENT.size

    def read(self, limit: float | None) -> Iterator[Raw]:
        """The events that wait; without any, wait up to `limit` seconds (None: until one comes or `wake`)."""
        for fd, _ in self._poll.poll(None if limit is None else int(limit * 1000)):
            if fd == self._woken:
                os.read(self._woken, 4096)
            elif fd == self._mounts:
                self.mounted = True
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return iter(())
        return _parse(data)

    def renew(self, folders: list[bytes]) -> None:
        """Drop every event that waits, and watch these folders' file systems anew.

        Raises:
            OSError: as of `mark`; the old group stays.
        """
        old, self._fd = self._fd, _group()
        try:
            for folder in folders:
                self.mark(folder)
        except OSError:
            os.close(self._fd)
            self._fd = old
            raise
        self._poll.unregister(old)
        self._poll.register(self._fd, select.POLLIN)
        os.close(old)

    def wake(self) -> None:
        """End a `read` that waits; from any thread."""
        with contextlib.suppress(BlockingIOError):  # it is awake many times over
            os.write(self._wake, b"!")

    def close(self) -> None:
        """Give everything back."""
        for fd in (self._fd, self._woken, self._wake, self._mounts):
            os.close(fd)


def open_place(handle: bytes, mounted: int) -> int:
    """A descriptor (`O_PATH`) of the folder or file with this handle, on the file system that `mounted` stands on.

    Raises:
        OSError: ESTALE when it is gone, EPERM without the right.
    """
    descriptor = _libc.open_by_handle_at(mounted, handle, os.O_PATH | os.O_CLOEXEC)
    if descriptor < 0:
        raise _failure()
    return int(descriptor)


def inode_of(handle: bytes, mounted: int) -> int:
    """The number of the file with this handle, as of `open_place`; 0 when it has no name any more."""
    descriptor = _libc.open_by_handle_at(mounted, handle, os.O_PATH | os.O_CLOEXEC)
    if descriptor < 0:  # the rule for a file of one name that was deleted: no exception is made for that
        return 0
    found = os.fstat(descriptor)
    os.close(descriptor)
    return found.st_ino if found.st_nlink else 0


def handle_of(folder: int) -> bytes:
    """The handle of an open folder, as events name it.

    Raises:
        OSError: its file system has no handles.
    """
    at_empty_path = 0x1000
    return _handle(folder, b"", at_empty_path)


def handle_at(path: bytes) -> bytes:
    """The handle of what bears this name, which may be a link, as events name it.

    Raises:
        OSError: nothing does, or its file system has no handles.
    """
    at_fdcwd = -100
    return _handle(at_fdcwd, path, 0)


def _handle(folder: int, name: bytes, flags: int) -> bytes:
    buffer = ctypes.create_string_buffer(_HANDLE.pack(_HANDLE_MAX, 0), _HANDLE.size + _HANDLE_MAX)
    if _libc.name_to_handle_at(folder, name, buffer, ctypes.byref(ctypes.c_int()), flags) < 0:
        raise _failure()
    length, _ = _HANDLE.unpack_from(buffer.raw)
    return buffer.raw[: _HANDLE.size + length]


def split_place(place: bytes) -> tuple[int, bytes]:
    """A place's or a file's file system (as `statvfs` numbers it) and handle."""
    return int.from_bytes(place[:_FSID], "little"), place[_FSID:]


def _group() -> int:
    flags = _CLOEXEC | _NONBLOCK | _UNLIMITED_QUEUE | _REPORT_FOLDER_AND_NAME
    fd = _libc.fanotify_init(flags | _REPORT_FILE, os.O_RDONLY | os.O_LARGEFILE)
    if fd < 0 and ctypes.get_errno() == errno.EINVAL:  # before Linux 5.17
        fd = _libc.fanotify_init(flags, os.O_RDONLY | os.O_LARGEFILE)
    if fd < 0:
        raise _failure()
    return int(fd)


def _parse(data: bytes) -> Iterator[Raw]:
    at = 0
    while at < len(data):
        length, _, _, start, mask, _, _ = _EVENT.unpack_from(data, at)
        if mask & OVERFLOW:
            yield Raw(mask, b"", b"", b"")
        elif length > start:
            yield _named(mask, data[at + start : at + length])
        at += length


def _named(mask: int, info: bytes) -> Raw:
    """Folder and name come first, then the file, since nothing else was asked for; or a file alone, or a folder."""
    kind, _, length = _INFO.unpack_from(info)
    if kind == _FILE:
        return Raw(mask, b"", b"", info[_INFO.size :])
    handle_length, _ = _HANDLE.unpack_from(info, _INFO.size + _FSID)
    end = _INFO.size + _FSID + _HANDLE.size + handle_length
    name = info[end:length].split(b"\0", 1)[0] if kind == _FOLDER_AND_NAME else b"."
    return Raw(mask, info[_INFO.size : end], name or b".", info[length + _INFO.size :])


_REASONS = {
    errno.EPERM: "no right (CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH)",
    errno.ENOSYS: "the kernel has none",
    errno.EINVAL: "the kernel is older than 5.9",
    errno.EMFILE: "the limit of fanotify groups is reached",
    errno.EXDEV: "the file system has parts with numbers of their own",
    errno.ENODEV: "the file system has no number",
    errno.EOPNOTSUPP: "the file system has no handles",
}


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, _REASONS.get(number, os.strerror(number)))

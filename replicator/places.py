"""From the handles of folders, as fanotify names them, to paths in a tree; and what is mounted in that tree."""

import contextlib
import errno
import os
from collections.abc import Iterable

from replicator.exclude import Excludes
from replicator.fanotify import handle_at, handle_of, inode_of, open_place, split_place
from replicator.mounts import Mount, inside, mounts

#: Folders whose paths are remembered, some 200 bytes each.
_REMEMBERED = 200_000
_UNKNOWN = b"/"


class Places:
    """The paths of folders by their handles. For one thread.

    No descriptor is kept open, so that the file system can be unmounted.

    Raises:
        OSError: the root is not there, or its file system cannot be asked for folders by handle, or other places in
            the tree cannot be told apart.
    """

    def __init__(self, root: bytes, excludes: Excludes) -> None:
        self.root = root
        self._excludes = excludes
        self._paths: dict[bytes, bytes | None] = {}
        descriptor = _open(root)
        try:
            self._real = _where(descriptor)
            self._identity = _identity(os.fstat(descriptor))
            os.close(open_place(handle_of(descriptor), descriptor))
        finally:
            os.close(descriptor)
        self._start = self._real.rstrip(b"/") + b"/"
        self._inside = self._mounted()
        #: By the file system's number: a folder on it, and its device.
        self._systems = {_number(folder): (folder, os.lstat(folder + b"/.").st_dev) for folder in self.folders}
        devices = {device for _, device in self._systems.values()}
        if not len(self.folders) == len(self._systems) == len(devices):
            raise OSError(errno.EXDEV, "the same file system is mounted inside the tree once more")

    @property
    def folders(self) -> list[bytes]:
        """One on each file system of the tree, the root first."""
        return [self.root, *sorted({mount.point for mount in self._inside})]

    def path(self, place: bytes) -> bytes | None:
        """The folder's path relative to the root, empty for the root; None for one that is elsewhere, or gone."""
        known = self._paths.get(place, _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        number, handle = split_place(place)
        try:
            found = self._find(number, handle)
        except OSError:
            return None  # gone: the folder above tells
        if len(self._paths) >= _REMEMBERED:
            self._paths.clear()
        self._paths[place] = found
        return found

    def gone(self, place: bytes) -> bool:
        """Whether the folder of which `path` has just said None is not elsewhere, but gone."""
        return place not in self._paths

    def files(self, files: Iterable[bytes]) -> dict[bytes, int]:
        """The numbers of these files, by their handles; without those that are gone."""
        systems: dict[int, list[tuple[bytes, bytes]]] = {}
        for file in files:
            number, handle = split_place(file)
            systems.setdefault(number, []).append((file, handle))
        found: dict[bytes, int] = {}
        for number, handles in systems.items():
            with contextlib.suppress(OSError):  # unmounted
                mounted = self._mount(number)
                inodes = [(file, inode_of(handle, mounted)) for file, handle in handles]
                os.close(mounted)
                found.update((file, ino) for file, ino in inodes if ino)
        return found

    def bears(self, path: bytes, file: bytes) -> bool:
        """Whether this name is the file's; it may be where its file system says otherwise of events and of names."""
        try:
            return handle_at(self.root + b"/" + path) == split_place(file)[1]
        except OSError:
            return False

    def forget(self) -> None:
        """A folder was renamed: any path may be another."""
        self._paths.clear()

    def check(self, marked: set[int]) -> None:
        """Compare with what stands there now.

        Raises:
            OSError: ESTALE when a file system was mounted or unmounted in the tree; else the root is another folder.
        """
        if _identity(os.lstat(self.root + b"/.")) != self._identity:
            raise OSError(errno.ENOENT, "another folder")
        descriptor = _open(self.root)
        try:
            if _where(descriptor) != self._real:
                raise OSError(errno.ENOENT, "moved")
        finally:
            os.close(descriptor)
        if self._mounted() != self._inside or not {device for _, device in self._systems.values()} <= marked:
            raise OSError(errno.ESTALE, "a file system was mounted or unmounted in the tree")

    def _find(self, number: int, handle: bytes) -> bytes | None:
        """Ask the kernel.

        Raises:
            OSError: the folder is gone.
        """
        mounted = self._mount(number)
        try:
            found = open_place(handle, mounted)
        finally:
            os.close(mounted)
        try:
            if not os.fstat(found).st_nlink:
                raise OSError(errno.ENOENT, "gone")
            path = _where(found)
        finally:
            os.close(found)
        if path == self._real:
            return b""
        return path[len(self._start) :] if path.startswith(self._start) else None

    def _mount(self, number: int) -> int:
        """A descriptor of a folder on the file system of this number.

        Raises:
            OSError: it is not mounted in the tree any more.
        """
        folder, device = self._systems.get(number, (self.root, -1))
        descriptor = _open(folder)
        if os.fstat(descriptor).st_dev != device:
            os.close(descriptor)
            raise OSError(errno.ESTALE, "unmounted")
        return descriptor

    def _mounted(self) -> list[Mount]:
        """What is mounted in the tree, excluded folders left out."""
        return [
            mount for mount in inside(self._real, mounts()) if mount.point[len(self._start) :] not in self._excludes
        ]


def _open(folder: bytes) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _where(descriptor: int) -> bytes:
    """The path of an open folder."""
    return os.readlink(b"/proc/self/fd/%d" % descriptor)  # noqa: PTH115 - names are bytes


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _number(folder: bytes) -> int:
    return os.statvfs(folder).f_fsid

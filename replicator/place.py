"""Writing a tree part by part, so that no link and no name leads out of it."""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterable

from replicator import holes
from replicator.attributes import carried, set_xattrs
from replicator.change import Kind, Meta
from replicator.durable import start_flush

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY = 64 * 1024 * 1024
_READ = 256 * 1024
#: Copies from so many bytes on are given to the disk at once: what gathers in memory comes in the way of a flush later.
_EARLY = 8 * 1024 * 1024
#: What opening a folder says when something else has its name.
_CLASH = frozenset({errno.ENOTDIR, errno.ELOOP})


class Place:
    """A folder to write a tree into. For one thread. Close it.

    Every method may be called again with the same state; what stands in the way of a path is removed.

    Args:
        root: an open folder; `close` leaves it open.
        staging: an open folder of the same file system, in which files grow before they get their names.
        modes: permission bits that are kept.
        own: whether owners are set.
        may: which extended attributes are set.
        refused: is told of each attribute that could not be set: path, attribute, reason.
    """

    def __init__(
        self,
        root: int,
        staging: int,
        *,
        modes: int = 0o7777,
        own: bool = False,
        may: Callable[[bytes], bool] = carried,
        refused: Callable[[bytes, bytes, str], None] = lambda *_: None,
    ) -> None:
        self._root = root
        self._staging = staging
        self._modes = modes
        self._own = own
        self._may = may
        self._refused = refused
        self._last: tuple[bytes, int] = (b"", root)
        self._temporary = f"file-{os.getpid()}"

    def close(self) -> None:
        """Let go of the folder that was open last."""
        path, descriptor = self._last
        if path:
            os.close(descriptor)
        self._last = (b"", self._root)

    def file(self, path: bytes, meta: Meta, content: Iterable[bytes] | int) -> None:
        """A file with its bytes, or those of an open file; the name appears with the whole file."""
        parent, name = self._parent(path)
        temporary = self._temporary
        try:
            descriptor = os.open(temporary, _NEW, 0o600, dir_fd=self._staging)
        except FileExistsError:  # left by a process that was killed
            os.unlink(temporary, dir_fd=self._staging)
            descriptor = os.open(temporary, _NEW, 0o600, dir_fd=self._staging)
        try:
            _write(descriptor, content, sparse=meta.sparse)
            self._dress(path, descriptor, meta)
        except BaseException:
            os.unlink(temporary, dir_fd=self._staging)
            raise
        finally:
            os.close(descriptor)
        self._swap(temporary, parent, name)

    def name(self, path: bytes, other: bytes) -> None:
        """One more name of a file that was made here.

        Raises:
            OSError: the file system does not give it one; nothing has changed.
        """
        folder, its = self._parent(other, make=False)
        folder = os.dup(folder)
        try:
            parent, name = self._parent(path)
            os.link(its, name, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(folder)

    def link(self, path: bytes, meta: Meta) -> None:
        """A symbolic link; it is never followed."""
        parent, name = self._parent(path)
        temporary = f"link-{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=self._staging)
        os.symlink(meta.target, temporary.encode(), dir_fd=self._staging)
        if self._own:
            os.chown(temporary, meta.uid, meta.gid, dir_fd=self._staging, follow_symlinks=False)
        os.utime(temporary, ns=(meta.mtime_ns, meta.mtime_ns), dir_fd=self._staging, follow_symlinks=False)
        self._swap(temporary, parent, name)

    def folder(self, path: bytes) -> None:
        """A folder, whatever it holds; `dress` gives it mode, owner and time once its content is there."""
        parent, name = self._parent(path)
        os.close(_enter(parent, name, make=True))

    def dress(self, path: bytes, meta: Meta) -> None:
        """A folder's mode, owner and time; nothing when it is no longer a folder."""
        try:
            parent, name = self._parent(path, make=False)
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        except OSError as error:
            if error.errno in {*_CLASH, errno.ENOENT}:
                return
            raise
        try:
            self._dress(path, descriptor, meta)
        finally:
            os.close(descriptor)

    def remove(self, path: bytes) -> None:
        """Whatever has this name, with all in it; nothing when there is nothing."""
        try:
            parent, name = self._parent(path, make=False)
        except OSError as error:
            if error.errno in {*_CLASH, errno.ENOENT}:
                return
            raise
        self._clear(parent, name)

    def remove_empty(self, path: bytes) -> bool:
        """Whether nothing has this name; an empty folder that had it is gone then."""
        try:
            parent, name = self._parent(path, make=False)
            os.rmdir(name, dir_fd=parent)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _dress(self, path: bytes, descriptor: int, meta: Meta) -> None:
        if self._own:
            os.fchown(descriptor, meta.uid, meta.gid)
        for name, reason in set_xattrs(descriptor, meta.xattrs, may=self._may):
            self._refused(path, name, reason)
        mode = meta.mode & self._modes
        if meta.kind is Kind.FOLDER and not self._own and self._modes != 0o7777:  # noqa: PLR2004 - all bits
            mode |= 0o700  # who is not root must get in again
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(meta.mtime_ns, meta.mtime_ns))

    def _swap(self, temporary: str, parent: int, name: bytes) -> None:
        try:
            os.rename(temporary, name, src_dir_fd=self._staging, dst_dir_fd=parent)
        except OSError as error:
            if error.errno not in {errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST}:
                raise
            self._clear(parent, name)
            os.rename(temporary, name, src_dir_fd=self._staging, dst_dir_fd=parent)

    def _clear(self, parent: int, name: bytes) -> None:
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return
        except (IsADirectoryError, PermissionError):
            shutil.rmtree(name, dir_fd=parent)

    def _parent(self, path: bytes, *, make: bool = True) -> tuple[int, bytes]:
        """The open folder that a path lies in, and its name there."""
        above, _, name = path.rpartition(b"/")
        if above == self._last[0]:
            return self._last[1], name
        self.close()
        if not above:
            return self._root, name
        descriptor = self._root
        for part in above.split(b"/"):
            try:
                inner = _enter(descriptor, part, make=make)
            finally:
                if descriptor != self._root:
                    os.close(descriptor)
            descriptor = inner
        self._last = (above, descriptor)
        return descriptor, name


def _write(descriptor: int, content: Iterable[bytes] | int, *, sparse: bool) -> None:
    """Bytes, or those of an open file, to a new one."""
    if isinstance(content, int):
        (holes.copy if sparse else _copy)(content, descriptor)
        if (size := os.fstat(descriptor).st_size) >= _EARLY:
            start_flush(descriptor, 0, size)
    elif sparse:
        holes.fill(descriptor, content)
    else:
        _fill(descriptor, content)


def _fill(descriptor: int, content: Iterable[bytes]) -> None:
    for piece in content:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]


def _copy(source: int, target: int) -> None:
    """Copy a file; where the file system can, the two share their blocks until one is written to."""
    with contextlib.suppress(OSError):
        while os.copy_file_range(source, target, _COPY):
            pass
        return
    os.ftruncate(target, 0)
    os.lseek(source, 0, os.SEEK_SET)
    os.lseek(target, 0, os.SEEK_SET)
    while piece := os.read(source, _READ):
        _fill(target, (piece,))


def _enter(parent: int, name: bytes, *, make: bool) -> int:
    """An open folder; made where it is missing, and where something else has its name."""
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        if not make or error.errno not in {*_CLASH, errno.ENOENT}:
            raise
        if error.errno in _CLASH:
            os.unlink(name, dir_fd=parent)
    os.mkdir(name, 0o700, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)

"""Opens the folders of a tree one below the other, so that no link leads out of it."""

import errno
import os
from typing import Self

_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST = 256
#: Names that lead out of a folder, or back into it.
_ELSEWHERE = frozenset({b"", b".", b".."})


class OpenFolders:
    """Descriptors of folders under a root, for one batch: `with` closes them. Not for two threads at once."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._open: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def of(self, path: bytes) -> tuple[int, bytes]:
        """The descriptor of the folder that this path stands in, and its name there.

        Raises:
            OSError: as of `open`: ENOENT, ENOTDIR or ELOOP when the folder is no folder of this tree (any more), or
                the path leads out of it.
        """
        parent, _, name = path.rpartition(b"/")
        _demand_below(name)
        if len(self._open) > _MOST:
            self._close()
        return self._folder(parent), name

    def _folder(self, path: bytes) -> int:
        fd = self._open.get(path)
        if fd is None:
            if path:
                parent, _, name = path.rpartition(b"/")
                _demand_below(name)
                fd = os.open(name, _FLAGS, dir_fd=self._folder(parent))
            else:
                fd = os.open(self._root + b"/.", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._open[path] = fd
        return fd

    def _close(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()


def _demand_below(name: bytes) -> None:
    if name in _ELSEWHERE:
        raise NotADirectoryError(errno.ENOTDIR, "the path leads out of the tree")

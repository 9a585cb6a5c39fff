"""Walks the folders of a tree and sets a watch on each before it is listed."""

import errno
import os
from collections import deque
from collections.abc import Callable

from replicator.exclude import Excludes
from replicator.inotify import Inotify
from replicator.journal_rows import join
from replicator.watched import Folder, Folders

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Walk:
    """The folders that are still to be walked. For one thread.

    Args:
        root: the tree.
        inotify: where the watches are set.
        excludes: what is not walked.
        tell: is told of each path found in a folder that is walked to be told.
        blind: is told why a folder cannot be watched or listed.
    """

    def __init__(
        self,
        root: bytes,
        inotify: Inotify,
        excludes: Excludes,
        *,
        tell: Callable[[bytes], None],
        blind: Callable[[str], None],
    ) -> None:
        self._root = root
        self._inotify = inotify
        self._excludes = excludes
        self._tell = tell
        self._blind = blind
        self._walk: deque[tuple[Folder, bool]] = deque()
        self.folders = Folders(inotify.add(root + b"/.", root=True))
        self._walk.append((self.folders.root, False))

    def __bool__(self) -> bool:
        return bool(self._walk)

    def again(self, folder: Folder) -> None:
        """What is in this folder is to be told, and its watches looked at."""
        self._walk.append((folder, True))

    def step(self, most: int) -> None:
        """Walk up to so many folders."""
        for _ in range(min(most, len(self._walk))):
            folder, tell = self._walk.popleft()
            self._list(folder, tell=tell)

    def enter(self, parent: Folder, name: bytes, path: bytes, *, tell: bool) -> None:
        """Watch a folder and put it on the walk."""
        folder = self.folders.add(parent, name)
        if self._watch(folder, path):
            self._walk.append((folder, tell))
        else:
            self.folders.drop(folder)

    def _watch(self, folder: Folder, path: bytes) -> bool:
        """Set the watch on what stands at a folder's path now; whether a folder does.

        Events lag behind the tree, so it may be another folder than the event meant, with a watch that stands for
        another place. The place that loses its watch so is looked at again, unless it is the same folder (a bind
        mount): then one place is enough.
        """
        watch = self._add(path)
        if watch is None:
            return False
        before = self.folders.of(watch)
        if before is None or before is folder:
            self.folders.bind(folder, watch)
            return True
        other = self.folders.path(before)
        if other is None or self._add(other) != watch:
            self.folders.bind(folder, watch)
            if other is not None:
                self.again(before)
        return True

    def _add(self, path: bytes) -> int | None:
        try:
            return self._inotify.add(self._root + b"/" + path)
        except OSError as error:
            if error.errno not in _GONE:
                self._blind(f"watch folder {os.fsdecode(path)}: {why(error)}")
            return None

    def _list(self, folder: Folder, *, tell: bool) -> None:
        """What stands in a folder whose watch is set: folders are entered, the rest is told if asked."""
        path = self.folders.path(folder)
        if path is None or (tell and path and not self._watch(folder, path)):
            return
        gone = set(folder.children)
        try:
            with os.scandir(self._root + b"/" + path) as entries:
                for entry in entries:
                    self._found(folder, join(path, entry.name), entry, tell=tell)
                    gone.discard(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return  # gone again: its parent's event tells
        except OSError as error:
            self._blind(f"list folder {os.fsdecode(path)}: {why(error)}")
            return
        for name in gone:
            self.folders.drop(folder.children[name])

    def _found(self, folder: Folder, path: bytes, entry: "os.DirEntry[bytes]", *, tell: bool) -> None:
        if path in self._excludes:
            return
        if tell:
            self._tell(path)
        child = folder.children.get(entry.name)
        if child is not None:
            if tell:
                self.again(child)
        elif entry.is_dir(follow_symlinks=False):
            self.enter(folder, entry.name, path, tell=tell)


def why(error: OSError) -> str:
    """The reason in the words of our texts."""
    return (error.strerror or str(error)).lower()

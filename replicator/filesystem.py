"""The watcher that hears of every change on a whole file system, and tells those under a root."""

import errno
import os
import time
from collections import deque

from replicator.events import being_written
from replicator.exclude import Excludes
from replicator.fanotify import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    IS_FOLDER,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    OVERFLOW,
    Fanotify,
    Raw,
)
from replicator.journal_rows import join
from replicator.linked import Linked
from replicator.places import Places
from replicator.walk import why
from replicator.watch_thread import WatchThread
from replicator.watcher import Dirty, Grade, Listener

#: Events that may wait in the kernel, some 100 bytes each, before they are dropped and a scan takes their place.
BACKLOG = 1_000_000
#: Folders listed between two looks at the kernel's queue.
_STRIDE = 64
#: Readings that a drain takes at most; one reading is some thousand events.
_DRAIN = 1024
#: Seconds of rest after nothing but writes without end or changes outside the tree: the next are told together. It
#: grows from the first to the second while nothing else comes, and is what a change then waits at most.
_REST, _REST_MOST = 0.001, 0.004
_WRITTEN = MODIFY | ATTRIB | CLOSE_WRITE
_NAMES = CREATE | DELETE | MOVED_FROM | MOVED_TO
_OVERFLOWED = "the kernel's queue of events overflowed"


class FanotifyWatcher(WatchThread):
    """fanotify with one mark for the whole file system: nothing to set up for a folder, so nothing slips between.

    Events name a folder by its handle; its path is looked up once and remembered until a folder is renamed. A folder
    that was moved into or within the tree is walked, since what is in it has new paths. File systems mounted inside
    the tree are marked too. Each source has a group of its own: an event costs some 5 µs a source, and none waits for
    another's.
    """

    method = "fanotify"
    why = ""

    def __init__(self, excludes: Excludes | None = None) -> None:
        super().__init__()
        self._excludes = excludes or Excludes(())
        self._told: dict[tuple[bytes, Grade], Dirty] = {}
        self._walk: deque[bytes] = deque()
        self._lost = self._doubt = self._news = False

    # ------------------------------------------------------------------ for the owner

    def start(self, root: bytes, listener: Listener) -> None:
        """Mark the file systems of `root` and go on in a thread of its own.

        Raises:
            OSError: the root is not there, or the kernel, the rights or a file system do not allow it.
        """
        self._listener = listener
        self._fanotify = Fanotify()
        try:
            self._places = Places(root, self._excludes)
            for folder in self._places.folders:
                self._fanotify.mark(folder)
            self._places.check(self._fanotify.marked())
            self._linked = Linked(self._places)
        except OSError:
            self._fanotify.close()
            raise
        self._go_on(self._fanotify)

    # ------------------------------------------------------------------ in the thread

    def _run(self) -> None:
        rest = _REST
        while not self._stopping:
            waiting = len(self._drains)
            heard = self._step(0 if self._walk or waiting else None)
            if waiting:
                self._drain(_DRAIN)
            elif heard and not self._news:
                time.sleep(rest)
                rest = min(rest * 2, _REST_MOST)
            else:
                rest = _REST
            self._drained(waiting)

    def _walking(self) -> bool:
        return bool(self._walk)

    def _step(self, limit: float | None) -> bool:
        """Some folders of the walk, one look at the kernel's queue, and what came of both is told."""
        self._news = False
        for _ in range(min(_STRIDE, len(self._walk))):
            self._list(self._walk.popleft())
        if self._fanotify.backlog > BACKLOG:
            self._renew()
        heard = False
        for raw in self._fanotify.read(limit):
            heard = True
            if raw.mask & OVERFLOW:
                self._overflow()
            else:
                self._hear(raw)
        if self._fanotify.mounted or self._doubt:
            self._look()
        inodes = self._linked.inodes()
        if self._told:
            batch, self._told = list(self._told.values()), {}
            self._listener.dirty(batch)
        if inodes:
            self._news = True
            self._listener.linked(inodes)
        return heard

    def _hear(self, raw: Raw) -> None:
        if not raw.place:
            self._linked.alone(raw.file)
            return
        written = bool(raw.mask & _WRITTEN) and not raw.mask & IS_FOLDER
        folder = self._places.path(raw.place)
        if folder is None:
            self._linked.named(raw.file, None, written=written and self._places.gone(raw.place))
            if raw.mask & IS_FOLDER and raw.mask & _NAMES:
                self._doubt = True  # the root itself, or a folder above it, may have moved or gone
            return
        path = join(folder, raw.name) if raw.name != b"." else folder
        if raw.mask & IS_FOLDER and raw.mask & (MOVED_FROM | MOVED_TO):
            self._places.forget()
        if not path:
            self._tell(path)
        elif path not in self._excludes:
            self._linked.named(raw.file, path, written=written)
            self._name(folder, path, raw)
        else:
            self._linked.named(raw.file, None, written=written)

    def _name(self, folder: bytes, path: bytes, raw: Raw) -> None:
        if raw.mask & _NAMES:
            self._tell(folder, Grade.FOLDER)
        if raw.mask & IS_FOLDER:
            self._tell(path)
            if raw.mask & MOVED_TO:
                self._walk.append(path)
        elif raw.mask & CLOSE_WRITE or raw.mask & ~MODIFY & ~CREATE:
            self._tell(path)
        elif raw.mask & MODIFY or being_written(self._places.root + b"/" + path):
            self._tell(path, Grade.OPEN)
        else:
            self._tell(path)

    def _list(self, folder: bytes) -> None:
        """Tell all in a folder that came from elsewhere."""
        try:
            with os.scandir(self._places.root + b"/" + folder) as entries:
                for entry in entries:
                    path = join(folder, entry.name)
                    if path in self._excludes:
                        continue
                    self._tell(path)
                    if entry.is_dir(follow_symlinks=False):
                        self._walk.append(path)
        except (FileNotFoundError, NotADirectoryError):
            return  # moved or gone again: its own event tells
        except OSError as error:
            self._listener.blind(f"list folder {os.fsdecode(folder)}: {why(error)}", lasting=False)

    def _overflow(self) -> None:
        """Any folder may have moved: paths are looked up anew, and a scan must close the gap."""
        self._places.forget()
        self._listener.blind(_OVERFLOWED, lasting=False)

    def _renew(self) -> None:
        try:
            self._fanotify.renew(self._places.folders)
        except OSError as error:
            self._lose(f"watch anew: {why(error)}")
            return
        self._overflow()

    def _look(self) -> None:
        """Whether the root and what is mounted in it are what they were."""
        self._fanotify.mounted = self._doubt = False
        try:
            self._places.check(self._fanotify.marked())
        except OSError as error:
            self._lose(why(error) if error.errno == errno.ESTALE else "the root was removed or moved")

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._lost = True
            self._listener.lost(reason)

    def _tell(self, path: bytes, grade: Grade = Grade.NOW) -> None:
        if path or grade is Grade.NOW:
            self._news = self._news or grade is not Grade.OPEN
            self._told.setdefault((path, grade), Dirty(path, grade, time.time_ns()))

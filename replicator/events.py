"""The watcher that hears from the kernel of every change under a root, folder by folder."""

import os
import stat
import time
from functools import partial

from replicator.exclude import Excludes
from replicator.inotify import (
    CREATE,
    DELETE,
    IGNORED,
    IS_FOLDER,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    OVERFLOW,
    SELF_GONE,
    UNMOUNT,
    Inotify,
    Raw,
)
from replicator.journal_rows import join
from replicator.walk import Walk, why
from replicator.watch_thread import WatchThread
from replicator.watched import Folder
from replicator.watcher import Dirty, Grade, Listener

#: Folders walked between two looks at the kernel's queue, so that a big walk does not let it overflow.
_STRIDE = 64
#: Readings that a drain takes at most: the kernel's default queue of 16,384 longest events is 17 of them.
_DRAIN = 64
#: Seconds after which a folder that was moved away without coming back is let go.
_MOVE = 0.1
_OVERFLOWED = "the kernel's queue of events overflowed"


class InotifyWatcher(WatchThread):
    """inotify with a recursion of its own: first the watch on a folder, then its list, so nothing slips between.

    Names are bytes. A moved folder keeps its watches and its content is told at the new place; no event waits
    for the other half of a move. The kernel's overflow and its limit of watches are told as `blind`.

    inotify does not say which file bears a name: what was written by a name that came and was gone before anybody
    looked is told of that name alone. By the file's other names the next scan finds it, and counts it as missed.
    """

    method = "inotify"
    why = ""

    def __init__(self, excludes: Excludes | None = None) -> None:
        super().__init__()
        self._excludes = excludes or Excludes(())
        self._root = b""
        self._told: dict[tuple[bytes, Grade], Dirty] = {}
        self._lost = self._rewatching = False

    # ------------------------------------------------------------------ for the owner

    def start(self, root: bytes, listener: Listener) -> None:
        """Watch every folder under `root`, then go on in a thread of its own."""
        self._root, self._listener = root, listener
        self._inotify = Inotify()
        try:
            self._begin()
        except OSError:
            self._inotify.close()
            raise
        while self._walk and not self._stopping:
            self._step(0)
        self._go_on(self._inotify)

    @property
    def folders(self) -> int:
        """How many folders are watched."""
        return len(self._walk.folders)

    # ------------------------------------------------------------------ in the thread

    def _begin(self) -> None:
        """Watch the root (which may itself be reached by a link) and put it on the walk."""
        self._walk = Walk(
            self._root,
            self._inotify,
            self._excludes,
            tell=self._tell,
            blind=partial(self._listener.blind, lasting=True),
        )

    def _run(self) -> None:
        while not self._stopping:
            waiting = len(self._drains)
            busy = self._walk or waiting or self._walk.folders.dropping
            self._step(0 if busy else _MOVE if self._walk.folders.detached else None)
            self._drain(rounds=_DRAIN if waiting else 0)
            self._drained(waiting)

    def _walking(self) -> bool:
        return bool(self._walk)

    def _step(self, limit: float | None) -> bool:
        """Some folders of the walk, one look at the kernel's queue, and what came of both is told."""
        self._walk.step(_STRIDE)
        heard = False
        for raw in self._inotify.read(limit):
            heard = True
            if raw.mask & OVERFLOW:
                self._overflow()
                break  # what follows speaks of watches that are no more
            self._hear(raw)
        self._settle()
        return heard

    def _settle(self) -> None:
        """Give back what is not needed, and tell what came of a step."""
        self._walk.folders.expire()
        for watch in self._walk.folders.dropped(_STRIDE):
            self._inotify.remove(watch)
        if self._told:
            batch, self._told = list(self._told.values()), {}
            self._listener.dirty(batch)
        if self._rewatching and not self._walk:
            self._rewatching = False
            self._listener.blind(_OVERFLOWED, lasting=False)  # only a scan that begins now sees all

    def _hear(self, raw: Raw) -> None:
        folder = self._walk.folders.of(raw.watch)
        if folder is None:
            return
        if raw.mask & (SELF_GONE | UNMOUNT | IGNORED):
            self._gone(folder, raw.mask)
            return
        path = self._walk.folders.path(folder)
        if path is None:
            return  # moved away: told anew where it arrives
        if raw.name:
            self._name(folder, path, raw)
        else:
            self._tell(path, Grade.NOW)

    def _name(self, folder: Folder, parent: bytes, raw: Raw) -> None:
        path = join(parent, raw.name)
        if path in self._excludes:
            if raw.mask & IS_FOLDER and raw.mask & (MOVED_FROM | MOVED_TO):
                self._leave(folder, raw)
            return
        if raw.mask & (CREATE | DELETE | MOVED_FROM | MOVED_TO):
            self._tell(parent, Grade.FOLDER)
        if raw.mask & IS_FOLDER:
            self._tell(path, Grade.NOW)
            self._folder(folder, path, raw)
        elif raw.mask & MODIFY or (raw.mask & CREATE and being_written(self._root + b"/" + path)):
            self._tell(path, Grade.OPEN)
        else:
            self._tell(path, Grade.NOW)

    def _folder(self, parent: Folder, path: bytes, raw: Raw) -> None:
        if raw.mask & (MOVED_FROM | DELETE):
            self._leave(parent, raw)
            if raw.mask & MOVED_FROM:  # two folders that changed places: what came here was told before this
                self._walk.enter(parent, raw.name, path, tell=True)
        elif raw.mask & (CREATE | MOVED_TO):
            self._leave(parent, raw)  # what stood here unseen
            folder = self._walk.folders.attach(parent, raw.name, raw.cookie) if raw.mask & MOVED_TO else None
            if folder is not None:
                self._walk.again(folder)
            else:
                self._walk.enter(parent, raw.name, path, tell=True)

    def _leave(self, parent: Folder, raw: Raw) -> None:
        folder = parent.children.get(raw.name)
        if folder is None:
            return
        if raw.mask & MOVED_FROM:
            self._walk.folders.detach(folder, raw.cookie)
        else:
            self._walk.folders.drop(folder)

    def _overflow(self) -> None:
        """Any folder may have come, gone or moved: every watch is made anew, and a scan must close the gap."""
        self._listener.blind(_OVERFLOWED, lasting=False)
        try:
            self._inotify.renew()
            self._begin()
        except OSError as error:
            self._listener.lost(f"watch anew: {why(error)}")
            return
        self._rewatching = True

    def _gone(self, folder: Folder, mask: int) -> None:
        if folder is self._walk.folders.root:
            if not self._lost:
                self._lost = True
                self._listener.lost("the root was unmounted" if mask & UNMOUNT else "the root was removed or moved")
            return
        if mask & UNMOUNT:
            self._listener.blind(
                f"folder {os.fsdecode(self._walk.folders.path(folder) or b'')} was unmounted", lasting=False
            )
        if mask & IGNORED:
            self._walk.folders.drop(folder)

    def _tell(self, path: bytes, grade: Grade = Grade.NOW) -> None:
        if path or grade is Grade.NOW:
            self._told.setdefault((path, grade), Dirty(path, grade, time.time_ns()))


def being_written(path: bytes) -> bool:
    """Whether a new name is a file that a writer will close; links and hard links are whole at once."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1

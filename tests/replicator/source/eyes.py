"""The three ways to see a tree behind one face, for the suite that all of them must pass."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from replicator.events import InotifyWatcher
from replicator.exclude import Excludes
from replicator.fanotify import Fanotify
from replicator.filesystem import FanotifyWatcher
from replicator.journal import Journal
from replicator.marks import RACY_NS, kind_of, meta_of
from replicator.reader import known_of
from replicator.scanner import Found, Scanner
from replicator.watcher import Watcher
from tests.replicator.source.support import LIMIT, Heard


def allowed() -> bool:
    """Whether this machine lets us watch a whole file system."""
    try:
        fanotify = Fanotify()
    except OSError:
        return False
    try:
        fanotify.mark(os.fsencode(Path.cwd()))
    except OSError:
        return False
    finally:
        fanotify.close()
    return True


#: The kinds of watcher that hear from the kernel here.
WATCHERS: list[type[InotifyWatcher | FanotifyWatcher]] = [InotifyWatcher]
if allowed():
    WATCHERS.append(FanotifyWatcher)


class Eyes(Protocol):
    """Sees a tree from `open` to `close`."""

    heard: Heard

    def open(self) -> None:
        """Begin; what is there already counts as seen."""

    def see(self) -> set[bytes]:
        """Which paths may have changed since it was asked last."""

    def close(self) -> None:
        """End."""


class Events:
    """A watcher's eyes."""

    def __init__(self, root: Path, state: Path, make: type[Watcher]) -> None:
        del state
        self._root = os.fsencode(root)
        self._watcher = make()
        self.heard = Heard()

    def open(self) -> None:
        """As of `Eyes`."""
        self._watcher.start(self._root, self.heard)

    def see(self) -> set[bytes]:
        """As of `Eyes`."""
        assert self._watcher.drain(LIMIT)
        assert not self.heard.blinds
        seen = {dirty.path for dirty in self.heard.told}
        self.heard.clear()
        return seen

    def close(self) -> None:
        """As of `Eyes`."""
        self._watcher.stop()


class Scans:
    """The scanner's eyes: what differs from a journal that takes note of all that was seen."""

    def __init__(self, root: Path, state: Path) -> None:
        self._root = os.fsencode(root)
        self._journal = Journal(state / "replicator.sqlite")
        self._number, _ = self._journal.source("docs")
        self._seen: set[bytes] = set()
        self.heard = Heard()

    def open(self) -> None:
        """As of `Eyes`."""
        self.see()

    def see(self) -> set[bytes]:
        """As of `Eyes`."""
        self._seen = set()
        Scanner(self._root, self._number, self._journal, Excludes(()), self._take).scan(replaced=False)
        return self._seen

    def close(self) -> None:
        """As of `Eyes`."""
        self._journal.close()

    def _take(self, batch: Sequence[Found]) -> None:
        for path in (found.path for found in batch):
            self._seen.add(path)
            try:
                found = os.lstat(self._root + b"/" + path)
            except (FileNotFoundError, NotADirectoryError):
                gone = [path, *self._journal.under(self._number, path)]
                self._seen.update(gone)
                for each in gone:
                    self._journal.put(self._number, each, None)
                continue
            kind = kind_of(found)
            assert kind is not None
            # As if it had been read long after it was changed: what changes within a second is another test's.
            known = known_of(found, meta_of(found, kind), b"", time.time_ns() + 2 * RACY_NS)
            self._journal.put(self._number, path, known)

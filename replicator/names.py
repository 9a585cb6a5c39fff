"""Hard links: a file that is changed by one of its names changes by all, and an event tells only of one."""

import os
import stat
import time
from collections import OrderedDict
from collections.abc import Mapping

from replicator.change import Kind
from replicator.journal import Journal
from replicator.journal_rows import Known
from replicator.marks import RACY_NS

_Seen = tuple[int, bytes]
#: Files with one name that are remembered: more than can be under way and not in the journal yet.
_RECENT = 8192
#: Names that files with others have lost that are remembered, some 300 bytes each.
_LOST = 32_768


class Names:
    """Remembers with which change time and hash each name of a linked file was last read. For one thread.

    Bounded by the number of names of files that have more than one.
    """

    def __init__(self, source: int, journal: Journal) -> None:
        self._source = source
        self._journal = journal
        self._seen: dict[int, dict[bytes, _Seen]] = {}
        self._recent: OrderedDict[int, tuple[bytes, _Seen]] = OrderedDict()
        self._lost: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def forget(self) -> None:
        """What was told may not have been sent: it is told once more."""
        self._lost = OrderedDict((path, (lost, 0)) for path, (lost, _) in self._lost.items())

    def others(self, root: bytes, path: bytes, found: os.stat_result, digest: bytes) -> list[bytes]:
        """The names that were last read in another state; `digest` is empty where it is not known.

        One that is gone is told once more, and is none any longer: it would be in another state for ever.
        """
        if stat.S_ISDIR(found.st_mode):
            return []
        if found.st_nlink == 1:
            self._seen.pop(found.st_ino, None)
            self._alone(path, found, digest)
            return []
        names = self._seen.get(found.st_ino)
        if names is None:
            names = self._seen[found.st_ino] = self._names(found.st_ino)
            self._recent.pop(found.st_ino, None)
        ctime_ns = found.st_ctime_ns
        names[path] = (ctime_ns, digest)
        told = [
            name for name, (at_ns, seen) in names.items() if at_ns != ctime_ns or (digest and seen and seen != digest)
        ]
        for name in told:
            if not _changed_at(root + b"/" + name, found.st_ino):
                del names[name]
        return told

    def left(self, root: bytes, path: bytes, known: Known | None, ino: int = 0) -> list[bytes]:
        """The names that are left of a file that has lost this one, where it is not as it was read by them.

        What was written by the name that is gone is told of that name alone, also what a writer who opened the file by
        it writes later.

        Args:
            root: the source's folder.
            path: the name.
            known: what the journal has of it.
            ino: what bears it now, 0 for nothing.
        """
        lost = known.ino if known is not None and known.meta.kind is Kind.FILE and known.ino != ino else 0
        before, told_ns = self._lost.get(path, (ino, 0))
        lost = lost or before
        if lost in {0, ino}:
            return []
        names = self._names(lost)
        names.pop(path, None)
        states = {name: _changed_at(root + b"/" + name, lost) for name in names}
        if names:
            self._remember(path, lost, max(states.values()))
        # Each state is told once: two names that have changed places would tell of each other for ever.
        known_ns = told_ns if lost == before else 0
        return [name for name, now_ns in states.items() if now_ns not in {0, names[name][0], known_ns}]

    def _remember(self, path: bytes, lost: int, told_ns: int) -> None:
        """A writer who opened the file by this name may still write."""
        self._lost[path] = (lost, told_ns)
        self._lost.move_to_end(path)
        if len(self._lost) > _LOST:
            self._lost.popitem(last=False)

    def of(self, root: bytes, ino: int) -> list[bytes]:
        """The names of a file that was written by one that is unknown, where it may not be as it was read by them."""
        young_ns = time.time_ns() - RACY_NS
        known = self._journal.by_inode(self._source, ino)
        return [
            name
            for name, (at_ns, _) in self._names(ino, known).items()
            if (now_ns := _changed_at(root + b"/" + name, ino))
            and (now_ns != at_ns or now_ns > young_ns or (name in known and known[name].racy))
        ]

    def _names(self, ino: int, known: Mapping[bytes, Known] | None = None) -> dict[bytes, _Seen]:
        """By which names it was read, and in which state; what is under way is not in the journal yet."""
        known = self._journal.by_inode(self._source, ino) if known is None else known
        names = {name: (each.ctime_ns, each.hash) for name, each in known.items()}
        if ino in self._recent:
            name, state = self._recent[ino]
            names[name] = state
        return names | self._seen.get(ino, {})

    def _alone(self, path: bytes, found: os.stat_result, digest: bytes) -> None:
        """A second name may come before the journal has the first, and nothing tells the first one then."""
        self._recent.pop(found.st_ino, None)
        self._recent[found.st_ino] = (path, (found.st_ctime_ns, digest))
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)


def _changed_at(path: bytes, ino: int) -> int:
    """The change time of this file, 0 where another stands there or none."""
    try:
        found = os.lstat(path)
    except OSError:
        return 0
    return found.st_ctime_ns if found.st_ino == ino else 0

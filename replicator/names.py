"""Hard links: a file that is changed by one of its names changes by all, and an event tells only of one."""

import os
import stat
from collections import OrderedDict

from replicator.change import Kind
from replicator.journal import Journal
from replicator.journal_rows import Known

_Seen = tuple[int, bytes]
#: Files with one name that are remembered: more than can be under way and not in the journal yet.
_RECENT = 8192


class Names:
    """Remembers with which change time and hash each name of a linked file was last read. For one thread.

    Bounded by the number of names of files that have more than one.
    """

    def __init__(self, source: int, journal: Journal) -> None:
        self._source = source
        self._journal = journal
        self._seen: dict[int, dict[bytes, _Seen]] = {}
        self._recent: OrderedDict[int, tuple[bytes, _Seen]] = OrderedDict()

    def others(self, path: bytes, found: os.stat_result, digest: bytes) -> list[bytes]:
        """The names that were last read in another state; `digest` is empty where it is not known."""
        if stat.S_ISDIR(found.st_mode):
            return []
        if found.st_nlink == 1:
            self._seen.pop(found.st_ino, None)
            self._alone(path, found, digest)
            return []
        names = self._seen.get(found.st_ino)
        if names is None:
            known = self._journal.by_inode(self._source, found.st_ino)
            names = self._seen[found.st_ino] = {name: (each.ctime_ns, each.hash) for name, each in known.items()}
            if found.st_ino in self._recent:
                name, state = self._recent[found.st_ino]
                names[name] = state
        ctime_ns = found.st_ctime_ns
        names[path] = (ctime_ns, digest)
        return [
            name for name, (at_ns, seen) in names.items() if at_ns != ctime_ns or (digest and seen and seen != digest)
        ]

    def left(self, root: bytes, path: bytes, known: Known | None) -> list[bytes]:
        """The names that are left of a file that has lost this one, where it is not as it was read by them.

        What was written by the name that is gone is told of that name alone.
        """
        if known is None or known.meta.kind is not Kind.FILE or not known.ino:
            return []
        names = self._journal.by_inode(self._source, known.ino)
        return [name for name, each in names.items() if name != path and _other(root + b"/" + name, each)]

    def _alone(self, path: bytes, found: os.stat_result, digest: bytes) -> None:
        """A second name may come before the journal has the first, and nothing tells the first one then."""
        self._recent.pop(found.st_ino, None)
        self._recent[found.st_ino] = (path, (found.st_ctime_ns, digest))
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)


def _other(path: bytes, known: Known) -> bool:
    """Whether this file stands there, and was changed since it was read."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return found.st_ino == known.ino and found.st_ctime_ns != known.ctime_ns

"""Looks at paths that are to be sent and decides what to say of each: stat, read, stat again."""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from replicator.change import Kind, Meta
from replicator.folders import OpenFolders
from replicator.gone import LatelyGone
from replicator.journal import Journal
from replicator.journal_rows import Known, join
from replicator.marks import RACY_NS, TICK_NS, extra_of_file, extra_of_name, kind_of, meta_of, same_moment, unchanged
from replicator.messages import INLINE
from replicator.names import Names
from replicator.outcome import Busy, Failed, Gone, Held, Inside, Large, Named, Outcome, Ready, Same
from replicator.turns import Item
from replicator.watcher import Grade

#: Tries, and seconds of tries, after which a file that is written without end is sent as a marked moment.
TRIES = 5
TRYING = 3.0
#: Bytes of bodies that one batch may hold; the rest of the batch is given back.
BATCH_BYTES = 4 * 1024 * 1024
#: Folders that the vault is known to have, or to have been told, those that were met last; any other is asked for anew.
_FOLDERS = 4096
#: A body up to this size is sent without asking whether the vault has it: the question costs more.
_CHEAP = 4096
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Reader:
    """Reads one source, for one thread at a time. It changes no item.

    Args:
        root: the source's folder.
        source: its number in the journal.
        journal: what the vault has.
        fit: whether the root is still the one that was judged; asked after a path was missed.
        lost: whether a path is in a file system that is not mounted now, as of when `fit` was asked last.
    """

    def __init__(
        self, root: bytes, source: int, journal: Journal, fit: Callable[[], bool], lost: Callable[[bytes], bool]
    ) -> None:
        self._root = root
        self._source = source
        self._journal = journal
        self._fit = fit
        self._lost = lost
        #: In the order in which they were met.
        self._parents: dict[bytes, None] = {}
        self._names = Names(source, journal)
        self._left: list[bytes] = []
        self._gone = LatelyGone()

    def forget(self) -> None:
        """A new connection: whether the vault has the folders is asked anew, and which names it was told."""
        self._parents.clear()
        self._names.forget()

    def linked(self, inodes: Sequence[int]) -> list[bytes]:
        """The names of these files by which they are to be read again."""
        return [name for ino in inodes for name in self._names.of(self._root, ino)]

    def read(self, items: Sequence[Item]) -> tuple[list[Outcome], list[Item]]:
        """What to do with each, in order, parents before their children; and those that did not fit in the batch."""
        outcomes: list[Outcome] = []
        room = BATCH_BYTES
        with OpenFolders(self._root) as folders:
            for number, item in enumerate(items):
                if room <= 0:
                    return self._checked(outcomes), list(items[number:])
                for outcome in self._item(folders, item):
                    outcomes.append(outcome)
                    if isinstance(outcome, Ready) and outcome.body:
                        room -= len(outcome.body)
        return self._checked(outcomes), []

    def _checked(self, outcomes: list[Outcome]) -> list[Outcome]:
        """A path that is missing under a root that is not the source any more is not gone."""
        if not any(isinstance(outcome, Gone | Inside) for outcome in outcomes):
            return outcomes
        fit = self._fit()
        return [
            Held(each.item) if isinstance(each, Gone | Inside) and (not fit or self._lost(each.item.path)) else each
            for each in outcomes
        ]

    def _item(self, folders: OpenFolders, item: Item) -> list[Outcome]:
        if self._lost(item.path):  # a scan looks again once it is back; what may be under way waits for that
            return [Held(item) if item.force else Same(item, None)]
        try:
            folder, name = folders.of(item.path)
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            outcome = self._path(item, folder, name, found)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                return [Failed(item, (error.strerror or str(error)).lower())]
            return [self._missing(item), *self._other_names(item)]
        outcomes: list[Outcome] = [outcome, *self._other_names(item)]
        if isinstance(outcome, Ready | Large):
            outcomes = [*self._above(folders, item.path), *outcomes]
        if isinstance(outcome, Ready | Large | Same):
            others = self._names.others(self._root, item.path, found, _hash_of(outcome))
            if others:
                outcomes.append(_named(others, item))
        return outcomes

    def _other_names(self, item: Item) -> list[Outcome]:
        left, self._left = self._left, []
        return [_named(left, item)] if left else []

    def _missing(self, item: Item) -> Outcome:
        known = self._journal.get(self._source, item.path)
        self._left = self._names.left(self._root, item.path, known)
        inside = self._inside(item, known)
        if inside is not None:
            return inside
        self._parents.pop(item.path, None)
        if known is not None:
            self._gone.add(known)
        return Gone(item) if known is not None or item.force else Same(item, None)

    def _inside(self, item: Item, known: Known | None) -> Inside | None:
        if known is not None and known.meta.kind is not Kind.FOLDER:
            return None
        names = self._journal.children(self._source, item.path)
        return Inside(item, [join(item.path, name) for name in names]) if names else None

    def _path(self, item: Item, folder: int, name: bytes, found: os.stat_result) -> Outcome:
        kind = kind_of(found)
        if kind is None:
            return self._missing(item)
        known = self._journal.get(self._source, item.path)
        self._left = self._names.left(self._root, item.path, known, found.st_ino)
        if known is not None and known.meta.kind is Kind.FOLDER and kind is not Kind.FOLDER:
            inside = self._inside(item, known)
            if inside is not None:
                return inside
            self._parents.pop(item.path, None)
        if known is not None and not item.force and unchanged(known, found, kind):
            return Same(item, None)
        if kind is Kind.FILE:
            return self._file(item, folder, name, found, known)
        target = os.readlink(name, dir_fd=folder) if kind is Kind.LINK else b""
        meta = meta_of(found, kind, target=target, extra=extra_of_name(folder, name, kind))
        return self._ready(item, known, known_of(found, meta, b"", time.time_ns()), None)

    def _file(self, item: Item, folder: int, name: bytes, found: os.stat_result, known: Known | None) -> Outcome:
        shared = known.meta.inode if known is not None else 0
        if found.st_size > INLINE:
            return Large(item, found, b"" if item.whole else self._expected(found, known), shared)
        before_ns = time.time_ns()
        fd = os.open(name, _FILE, dir_fd=folder)
        try:
            before = os.fstat(fd)
            data = _whole(fd, before.st_size)
            extra = extra_of_file(fd, before, shared=shared)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if kind_of(before) is not Kind.FILE:
            return Busy(item)
        moving = not same_moment(before, after) or len(data) != after.st_size
        if moving and (not tired(item) or len(data) > INLINE):
            return Busy(item)
        digest = hashlib.sha256(data).digest()
        meta = moment_of(meta_of(before, Kind.FILE, extra=extra), len(data), moving=moving or item.grade is Grade.OPEN)
        fresh = known_of(after, meta, digest, before_ns)
        return self._ready(item, known, fresh, data)

    def _ready(self, item: Item, known: Known | None, fresh: Known, data: bytes | None) -> Outcome:
        if known is not None and not item.force and known.meta == fresh.meta and known.hash == fresh.hash:
            return Same(item, fresh)
        return Ready(item, item.path, fresh, None if data is None or self._has(item, known, fresh) else data)

    def _has(self, item: Item, known: Known | None, fresh: Known) -> bool:
        """Whether the vault has these bytes, as far as one can know here: from this path before, or another name."""
        if item.whole:
            return False
        if known is not None and known.hash == fresh.hash:
            return True
        if fresh.meta.size <= _CHEAP:
            return False
        return any(each.hash == fresh.hash for each in self._by_inode(fresh.ino))

    def _expected(self, found: os.stat_result, known: Known | None) -> bytes:
        """The hash that a large file may well have: then its bytes are read here before any are sent."""
        if known is not None and known.hash and known.meta.size == found.st_size:
            return known.hash
        for each in self._by_inode(found.st_ino):
            if each.meta.size == found.st_size and each.meta.mtime_ns == found.st_mtime_ns:
                return each.hash
        return b""

    def _by_inode(self, ino: int) -> list[Known]:
        """What the vault has, or had, that was read from this inode under whatever name."""
        return [*self._journal.by_inode(self._source, ino).values(), *self._gone.of(ino)]

    def _above(self, folders: OpenFolders, path: bytes) -> list[Outcome]:
        """The folders above a path that the vault may not have yet, the uppermost first."""
        outcomes: list[Outcome] = []
        parent = path.rpartition(b"/")[0]
        while parent and parent not in self._parents:
            self._meet(parent)
            known = self._journal.get(self._source, parent)
            if known is not None and known.meta.kind is Kind.FOLDER:
                break
            try:
                folder, name = folders.of(parent)
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                extra = extra_of_name(folder, name, Kind.FOLDER)
            except OSError:
                self._parents.pop(parent, None)
                break  # gone in this moment: its own event tells
            fresh = known_of(found, meta_of(found, Kind.FOLDER, extra=extra), b"", time.time_ns())
            outcomes.append(Ready(None, parent, fresh, None))
            parent = parent.rpartition(b"/")[0]
        return outcomes[::-1]

    def _meet(self, folder: bytes) -> None:
        if len(self._parents) >= _FOLDERS:
            del self._parents[next(iter(self._parents))]
        self._parents[folder] = None


def tired(item: Item) -> bool:
    """Whether a file that changes while it is read was tried long enough."""
    return (
        item.grade is Grade.OPEN
        or item.tries >= TRIES
        or (item.tries > 0 and time.monotonic() - item.tried_since > TRYING)
    )


def _named(paths: list[bytes], item: Item) -> Named:
    """What one that was named itself names has changed since: names that told of each other's time would never end."""
    return Named(paths, 0 if item.late else item.seen_ns)


def _hash_of(outcome: Ready | Large | Same) -> bytes:
    known = None if isinstance(outcome, Large) else outcome.known
    return known.hash if known is not None else b""


def _whole(fd: int, size: int) -> bytes:
    """A small file's bytes; one more than expected is read, to see one that grows."""
    data = os.read(fd, size + 1)
    if len(data) == size:
        return data
    parts = [data]
    while data and sum(map(len, parts)) <= INLINE:
        data = os.read(fd, INLINE)
        parts.append(data)
    return b"".join(parts)


def moment_of(meta: Meta, size: int, *, moving: bool) -> Meta:
    """The state of a file of which these bytes were read; marked if a writer had it open."""
    return replace(meta, size=size, open=moving)


def known_of(found: os.stat_result, meta: Meta, digest: bytes, read_ns: int) -> Known:
    """What the journal holds of a path that was read when the clock showed `read_ns`."""
    mappable = meta.kind is Kind.FILE and meta.size > 0
    racy = meta.open or found.st_ctime_ns > read_ns - (RACY_NS if mappable else TICK_NS)
    return Known(meta=meta, hash=digest, ino=found.st_ino, ctime_ns=found.st_ctime_ns, racy=racy)

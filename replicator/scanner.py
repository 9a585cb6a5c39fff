"""Compares a whole tree with the journal: finds what no event told."""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from replicator.change import Kind
from replicator.exclude import Excludes
from replicator.guard import hold_deletions
from replicator.journal import Journal
from replicator.journal_rows import Marks, join, signed
from replicator.marks import kind_of

#: Paths handed over at once.
_BATCH = 512
#: Unreadable folders that are kept by name; more are only counted.
_NAMED = 20


class Found(NamedTuple):
    """A path that differs from the journal, and its bytes."""

    path: bytes
    size: int


class Scanned(NamedTuple):
    """What one scan came to.

    Attributes:
        whole: it saw the whole tree; false when it was stopped.
        paths: how many paths it saw.
        differing: how many of them, or of what was gone, it handed over.
        held: paths that seem to be gone and whose deletion is held, as the root is not the one known.
        special: sockets, pipes and devices, which are left out.
        unreadable: folders that could not be listed, with the reason; nothing in them counts as gone.
        unreadable_count: how many of those there are.
    """

    whole: bool
    paths: int
    differing: int
    held: int
    special: int
    unreadable: list[tuple[bytes, str]]
    unreadable_count: int


class Scanner:
    """One pass over a source, for a thread of its own. It holds one folder's names and those of folders to come.

    Args:
        root: the source's folder.
        source: its number in the journal.
        journal: what the vault has.
        excludes: what stays out.
        hand: takes what differs; may block to slow the scan down.
        lost: whether a path is in a file system that is not mounted now; it is left alone.
    """

    def __init__(
        self,
        root: bytes,
        source: int,
        journal: Journal,
        excludes: Excludes,
        hand: Callable[[Sequence[Found]], None],
        *,
        lost: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self._root = root
        self._source = source
        self._journal = journal
        self._excludes = excludes
        self._hand = hand
        self._is_lost = lost
        self._stop = threading.Event()
        self._batch: list[Found] = []
        self._missing: list[Found] = []
        self._gone = 0
        self._paths = self._differing = self._special = self._unreadable_count = 0
        self._unreadable: list[tuple[bytes, str]] = []

    def stop(self) -> None:
        """End the scan soon; from any thread."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody asked it to end."""
        return self._stop.is_set()

    def scan(self, *, replaced: bool) -> Scanned:
        """The whole tree. With `replaced`, deletions are handed over only at the end, and only if they are few.

        Raises:
            OSError: the root itself cannot be listed.
            JournalError: the journal cannot be read.
        """
        folders = [b""]
        while folders and not self.stopped:
            folder = folders.pop()
            folders += self._folder(folder, hold=replaced)
        whole = not self.stopped
        held = 0
        if replaced and hold_deletions(self._gone, max(self._journal.count(self._source), 1), replaced=True):
            held = self._gone
        elif whole:
            for found in self._missing:
                self._add(found)
        self._flush()
        return Scanned(
            whole, self._paths, self._differing, held, self._special, self._unreadable, self._unreadable_count
        )

    def _folder(self, folder: bytes, *, hold: bool) -> list[bytes]:
        """Compare what stands in one folder; the folders in it.

        Inode and change time decide, for no state of a path changes without the latter: nothing else is read of the
        journal, or a scan of a million files would last twice as long.
        """
        if self._is_lost(folder):
            return []
        try:
            with os.scandir(self._root + b"/" + folder if folder else self._root) as listing:
                entries = list(listing)
        except OSError as error:
            if not folder:
                raise
            self._not_listed(folder, error)
            return []
        known = self._journal.marks(self._source, folder)
        inside, same = [], 0
        for entry in entries:  # a million times: what is unchanged calls nothing of ours
            marks = known.pop(entry.name, None)
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                found = None
            if marks is None or found is None or marks[2] != found.st_ctime_ns or marks[1] != found.st_ino:
                path = join(folder, entry.name)
                if path not in self._excludes and self._other(path, found, marks):
                    inside.append(path)
                continue
            same += 1
            if entry.is_dir(follow_symlinks=False) and (path := join(folder, entry.name)) not in self._excludes:
                inside.append(path)
        self._paths += same
        for name in known:
            self._lost(join(folder, name), hold=hold)
        return inside

    def _other(self, path: bytes, found: os.stat_result | None, marks: Marks | None) -> bool:
        """Hand over one path, unless it is the same after all; whether it is a folder."""
        if found is None:
            self._add(Found(path, 0))  # gone or unreadable: whoever reads it finds out
            return False
        self._paths += 1
        kind = kind_of(found)
        if marks is None or marks[1:] != (signed(found.st_ino), found.st_ctime_ns):
            if kind is None:
                self._special += 1
            if kind is not None or marks is not None:
                self._add(Found(path, found.st_size if kind is Kind.FILE else 0))
        return kind is Kind.FOLDER

    def _lost(self, path: bytes, *, hold: bool) -> None:
        if path in self._excludes or self._is_lost(path):
            return
        if not hold:
            self._add(Found(path, 0))
            return
        self._gone += 1 + len(self._journal.under(self._source, path))
        self._missing.append(Found(path, 0))

    def _not_listed(self, folder: bytes, error: OSError) -> None:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            self._add(Found(folder, 0))
            return
        self._unreadable_count += 1
        if len(self._unreadable) < _NAMED:
            self._unreadable.append((folder, (error.strerror or str(error)).lower()))

    def _add(self, found: Found) -> None:
        self._differing += 1
        self._batch.append(found)
        if len(self._batch) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            self._hand(batch)


def low_priority() -> None:
    """For the scan's thread, so that it takes no time from what is on its way: on Linux each has a priority."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)

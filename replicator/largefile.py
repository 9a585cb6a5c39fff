"""Reads one large file in order from one descriptor, hashing as it goes."""

import errno
import hashlib
import os
import threading
import time

from replicator import holes
from replicator.change import Kind
from replicator.folders import OpenFolders
from replicator.journal_rows import Known
from replicator.marks import extra_of_file, kind_of, meta_of, same_moment
from replicator.messages import CHUNK, INLINE
from replicator.reader import known_of, moment_of, tired
from replicator.resume import identity
from replicator.signature import Regions
from replicator.turns import Item
from replicator.watcher import Grade

#: Bytes of one reading.
_READ = 4 * CHUNK
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LargeFile:
    """One file being read. `size` bytes are read, from 0, whatever is appended meanwhile.

    `close` waits for a `read` in another thread; after it `read` raises OSError.

    Raises:
        OSError: it cannot be opened; or, by `read`, not be read.
    """

    def __init__(self, root: bytes, item: Item, shared: int = 0) -> None:
        self._root = root
        self._item = item
        self._read_ns = time.time_ns()
        with OpenFolders(root) as folders:
            folder, name = folders.of(item.path)
            self._fd = os.open(name, _FILE, dir_fd=folder)
        self._before = os.fstat(self._fd)
        self._extra = extra_of_file(self._fd, self._before, shared=shared)
        self._hash = hashlib.sha256()
        self.regions = Regions()
        self._at = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes that will be read."""
        return self._before.st_size

    @property
    def identity(self) -> bytes:
        """Names the state that is read."""
        return identity(self._before)

    @property
    def large(self) -> bool:
        """Whether it is still a file, and a large one."""
        return kind_of(self._before) is Kind.FILE and self.size > INLINE

    @property
    def ended(self) -> bool:
        """Whether all of it was read."""
        return self._at >= self.size

    def read(self, most: int = _READ, *, sums: bool = True) -> bytes | None:
        """The next bytes; None when it changed so that what was read is no state of it.

        Args:
            most: no more than these.
            sums: whether the regions' checksums are taken; without, `regions` must be resumed.
        """
        with self._lock:
            data = self._data(min(most, _READ, self.size - self._at))
            self._hash.update(data)
            if sums:
                self.regions.feed(data)
            self._at += len(data)
            if not data or (not tired(self._item) and not self._still()):
                return None
            return data

    def _data(self, count: int) -> bytes:
        if self._extra.sparse and holes.all_hole(self._fd, self._at, self._at + count):
            return holes.zeros(count)
        return os.pread(self._fd, count, self._at)

    def hash_all(self) -> bytes | None:
        """Hash it without sending; None as in `read`."""
        while not self.ended:
            if self.read() is None:
                return None
        return self._hash.digest()

    def hash_first(self, count: int) -> bytes | None:
        """Hash so many bytes of it without sending; None as in `read`."""
        while self._at < count:
            if self.read(count - self._at) is None:
                return None
        return self.digest

    def peek(self, offset: int, count: int) -> bytes:
        """Bytes from anywhere, for a first look."""
        with self._lock:
            return os.pread(self._fd, count, offset)

    @property
    def digest(self) -> bytes:
        """The hash of what was read so far."""
        return self._hash.digest()

    def rewind(self) -> None:
        """Begin anew."""
        self._hash = hashlib.sha256()
        self.regions = Regions()
        self._at = 0

    def finish(self) -> Known:
        """What was read, marked if a writer had it open meanwhile."""
        moving = self._item.grade is Grade.OPEN or not self._still()
        meta = moment_of(meta_of(self._before, Kind.FILE, extra=self._extra), self.size, moving=moving)
        return known_of(self._before, meta, self._hash.digest(), self._read_ns)

    @property
    def placed(self) -> bool:
        """Whether nothing but a folder stands where its folder stood; a file that was moved is what it was."""
        try:
            with OpenFolders(self._root) as folders:
                folders.of(self._item.path)
        except OSError as error:
            return error.errno not in {errno.ENOTDIR, errno.ELOOP}
        return True

    @property
    def closed(self) -> bool:
        """Whether the descriptor was given back."""
        return self._fd < 0

    def close(self) -> None:
        """Give the descriptor back; may be called twice."""
        with self._lock:
            fd, self._fd = self._fd, -1  # a number that no other file will ever have
            if fd >= 0:
                os.close(fd)

    def _still(self) -> bool:
        return same_moment(self._before, os.fstat(self._fd))

"""The signatures of one source's large files: files in the state folder, bounded, a cache that may be lost."""

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import structlog

from replicator import holes
from replicator.folders import OpenFolders
from replicator.journal_rows import Known
from replicator.signature import SMALLEST, Signature, Sums, pack, renew, unpack
from replicator.strangers import Strangers

#: Most bytes of one source's signatures: enough for about 100 GB of large files; the oldest go first.
MOST = 512 * 1024 * 1024
#: Signatures that may wait to be made; beyond it those files are sent whole the next time.
_WAITING = 10_000
#: Seconds between two looks whether much is still to be sent, and how long one signature waits for that at most.
_GLANCE, _PATIENCE = 0.05, 10.0
#: How much less often than everything else the thread that makes them runs.
_NICE = 10
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

log = structlog.get_logger(__name__)


class Signatures:
    """Every method may be called from any thread. What cannot be read or written is as if it were not there.

    Args:
        folder: where they are kept; made when the first one is.
        root: the source's folder.
        most: most bytes of them all.
        busy: whether much is still to be sent; they are made meanwhile only when that lasts long.
    """

    def __init__(
        self, folder: Path, root: Callable[[], bytes], *, most: int = MOST, busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._folder = folder
        self._root = root
        self._most = most
        self._busy = busy
        self._closing = threading.Event()
        self._lock = threading.Lock()
        #: Each file's bytes, the oldest first.
        self._sizes = _sizes(folder)
        self._bytes = sum(self._sizes.values())
        self._asked: dict[bytes, tuple[Known, Sums]] = {}
        #: Where there was none at the start: paths that certainly have none, as nearly all of a first copy.
        self._strangers = None if self._sizes else Strangers()
        self._told = False
        self._thread = ThreadPoolExecutor(1, "signatures", initializer=_be_nice)

    def close(self) -> None:
        """Finish the one that is being made; those that wait are not made."""
        self._closing.set()
        with self._lock:
            self._asked.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def load(self, path: bytes) -> Signature | None:
        """What is known of the file that the vault has by this path."""
        name = _name(path)
        if name not in self._sizes:
            return None
        try:
            found = unpack((self._folder / name).read_bytes())
        except OSError:
            found = None
        if found is None:
            self.drop(path)
        return found

    def drop(self, path: bytes) -> None:
        """The path is gone, or what is known of it is wrong."""
        if self._strangers is not None and path in self._strangers:
            return
        name = _name(path)
        with self._lock:
            self._asked.pop(path, None)
            if name in self._sizes:
                self._remove(name)

    def durable(self, path: bytes, known: Known | None, regions: Sums | None) -> None:
        """The vault has a path so, or (None) has it no more; `regions` where its bytes were read just now."""
        if known is None or not wanted(known):
            self.drop(path)
        elif regions is not None:
            self.ask(path, known, regions)

    def ask(self, path: bytes, known: Known, regions: Sums) -> None:
        """The vault has this path so: make its signature soon, from the file as it stands here.

        Args:
            path: which.
            known: as the vault has it.
            regions: CRC-32 of its regions as they were sent.
        """
        with self._lock:
            if len(self._asked) >= _WAITING:
                return
            if self._strangers is not None:
                self._strangers.add(path)
            waits = path in self._asked
            self._asked[path] = (known, regions)
        if not waits:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._thread.submit(self._make, path)

    def _make(self, path: bytes) -> None:
        self._wait()
        with self._lock:
            asked = self._asked.pop(path, None)
        if asked is None:
            return
        known, regions = asked
        try:
            made = self._made(path, known, regions)
            if made is not None:
                self._save(path, pack(made))
            self._told = False
        except FileNotFoundError:
            return  # gone meanwhile
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning("signatures not kept", folder=str(self._folder), reason=str(error.strerror).lower())

    def _wait(self) -> None:
        until = time.monotonic() + _PATIENCE
        while self._busy() and time.monotonic() < until and not self._closing.wait(_GLANCE):
            pass

    def _made(self, path: bytes, known: Known, regions: Sums) -> Signature | None:
        with OpenFolders(self._root()) as folders:
            folder, name = folders.of(path)
            fd = os.open(name, _FILE, dir_fd=folder)
        try:
            read = partial(_read, fd, sparse=known.meta.sparse)
            return renew(read, known.hash, known.meta.size, regions, self.load(path))
        finally:
            os.close(fd)

    def _save(self, path: bytes, data: bytes) -> None:
        name = _name(path)
        if len(data) > self._most:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / "new"  # one thread writes; a torn one is seen by its checksum
        temporary.write_bytes(data)
        with self._lock:
            temporary.rename(self._folder / name)
            self._bytes += len(data) - self._sizes.pop(name, 0)
            self._sizes[name] = len(data)
            while self._bytes > self._most:
                self._remove(next(iter(self._sizes)))

    def _remove(self, name: str) -> None:
        self._bytes -= self._sizes.pop(name)
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()


def wanted(known: Known | None) -> bool:
    """Whether a path in this state has a signature."""
    return known is not None and known.meta.size >= SMALLEST


def _read(fd: int, offset: int, count: int, *, sparse: bool) -> bytes:
    if sparse and holes.all_hole(fd, offset, offset + count):
        return holes.zeros(count)
    parts = []
    while count and (data := os.pread(fd, count, offset)):
        parts.append(data)
        offset += len(data)
        count -= len(data)
    return b"".join(parts)


def _name(path: bytes) -> str:
    return hashlib.sha256(path).hexdigest()[:40]


def _sizes(folder: Path) -> dict[str, int]:
    try:
        with os.scandir(folder) as entries:
            found = [(entry.stat(), entry.name) for entry in entries]
    except OSError:
        return {}
    return {name: about.st_size for about, name in sorted(found, key=lambda each: each[0].st_mtime_ns) if name != "new"}


def _be_nice() -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)

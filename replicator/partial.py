"""Large contents that a cut line left half here: kept for a day, within bounds, so that they can go on.

Only a saving: whatever is dropped here is sent anew, and what goes on is hashed from the disk first.
"""

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from replicator.messages import Resume
from replicator.objects import Objects, Upload

#: Seconds that one waits for its sender, and how many do at most.
AGE = 24 * 3600.0
MOST = 64
#: They may hold one part in so many of the room that there would be without them.
_SHARE = 4
#: Bytes: what goes on begins at a multiple of it, where the sender's readings begin.
STEP = 1024 * 1024
_NAME = 32
#: Seconds between two sweeps while documents come in.
_LOOK = 60.0
_READ = 1024 * 1024


class Kept(NamedTuple):
    """One that nobody is sending: its file's name, its bytes on disk, when it last grew (seconds since 1970)."""

    name: str
    bytes: int
    at: float


def to_drop(kept: Sequence[Kept], now: float, free: int) -> list[str]:
    """Which must go: those too old, then the oldest until there are few and they leave enough room."""
    left = sorted((each for each in kept if abs(now - each.at) < AGE), key=lambda each: each.at)
    stay = {each.name for each in left}
    room = (free + sum(each.bytes for each in kept)) // _SHARE
    total = sum(each.bytes for each in left)
    for each in left:
        if len(stay) <= MOST and total <= room:
            break
        stay.discard(each.name)
        total -= each.bytes
    return [each.name for each in kept if each.name not in stay]


class Partial(Upload):
    """An upload that may go on where an earlier one was cut: `received` and `digest` say from where."""

    def __init__(self, objects: Objects, path: Path, size: int) -> None:
        super().__init__(objects, path, size, more=True)
        self.name = path.name
        try:
            self._load()
        except OSError:  # what cannot be read is sent anew
            self.restart()

    @property
    def digest(self) -> bytes:
        """SHA-256 of what is here."""
        return self._hash.digest()

    def restart(self) -> None:
        """Forget what is here.

        Raises:
            BrokenError: the disk did not take it.
        """
        self._cut(0)
        self._hash = hashlib.sha256()
        self.received = 0

    def keep(self) -> None:
        """Close; what came stays for the next connection."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.received)
            os.close(self._fd)
            self._fd = -1

    def _load(self) -> None:
        stands = os.fstat(self._fd).st_size
        there = min(stands, self.size) // STEP * STEP
        if not stands:
            return
        os.fdatasync(self._fd)  # a page that the disk once refused must not be taken for one that is on it
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
        while self.received < there:
            data = os.pread(self._fd, min(_READ, there - self.received), self.received)
            if not data:
                raise OSError
            self._hash.update(data)
            self.received += len(data)
        self._cut(there)


class Partials:
    """The folder of them. Safe to use from many threads."""

    def __init__(self, root: Path, objects: Objects) -> None:
        self._folder = root / "partial"
        self._objects = objects
        self._lock = threading.Lock()
        self._sent: set[str] = set()
        self._looked = -_LOOK

    def begin(self, site: str, message: Resume) -> Partial | None:
        """Go on with what is here of this state of this file, or begin it. None when it is being sent already.

        Raises:
            FullError: no room.
            BrokenError: the disk did not take it.
        """
        place = b"\0".join((site.encode(), message.source.encode(), message.path))
        first = hashlib.sha256(place).hexdigest()[:_NAME]
        second = hashlib.sha256(b"%d\0%b" % (message.size, message.identity)).hexdigest()[:_NAME]
        with self._lock:
            if any(name.startswith(first) for name in self._sent):
                return None
            self._drop([name for name in self._names() if name.startswith(first) and not name.endswith(second)])
            self._sent.add(f"{first}-{second}")
        try:
            return Partial(self._objects, self._folder / f"{first}-{second}", message.size)
        except BaseException:
            with self._lock:
                self._sent.discard(f"{first}-{second}")
            raise

    def end(self, partial: Partial, *, keep: bool) -> None:
        """It is not being sent any more."""
        keep = keep and partial.received >= STEP
        if keep:
            partial.keep()
        else:
            partial.drop()
        with self._lock:
            self._sent.discard(partial.name)
        if keep:
            self.sweep()

    def look(self, *, full: bool) -> None:
        """Sweep when it is time to, or when the disk is `full`."""
        now = time.monotonic()
        if full or now - self._looked >= _LOOK:
            self._looked = now
            self.sweep()

    def sweep(self) -> None:
        """Drop what is too old or too much."""
        with self._lock, contextlib.suppress(OSError):
            about = os.statvfs(self._folder)
            self._drop(to_drop(self._kept(), time.time(), about.f_bavail * about.f_frsize))

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._folder)  # noqa: PTH208 - asked at each large content: names are enough
        except OSError:
            return []

    def _kept(self) -> list[Kept]:
        found = []
        for name in self._names():
            with contextlib.suppress(OSError):
                about = (self._folder / name).lstat()
                found.append(Kept(name, about.st_blocks * 512, about.st_mtime))
        return [each for each in found if each.name not in self._sent]

    def _drop(self, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

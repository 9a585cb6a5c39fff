"""File systems mounted inside a source: when one goes, what was in it is not there to be seen, and not deleted."""

import os
import threading
from pathlib import Path

import msgspec
import structlog

from replicator.durable import write_file
from replicator.errors import ReplicatorError
from replicator.guard import judge_mount
from replicator.journal import Journal
from replicator.mounts import inside, mounts
from replicator.paths import show
from replicator.root import identity

#: Mount points by their path in the source, each with file system and inode.
_Known = dict[bytes, tuple[int, int]]
#: A place where a file system is mounted once somebody looks; looking would do it.
_ON_DEMAND = b"autofs"

log = structlog.get_logger(__name__)


class Inner:
    """What is mounted inside one source, remembered over restarts. From any thread.

    A path whose file system is gone, or is another than it was, is *lost* with all in it: nothing of it is sent or
    deleted until it is back, or until somebody has accepted what stands there.

    Args:
        root: the source's folder.
        number: the source's number in the journal.
        journal: what the vault has.
        state: the file in which the mounts are remembered; made at the first one.
    """

    def __init__(self, root: bytes, number: int, journal: Journal, state: Path) -> None:
        self._root = root
        self._number = number
        self._journal = journal
        self._state = state
        self._lock = threading.Lock()
        self._known = _load(state)
        self._seen: _Known | None = None
        #: Lost mount points with the reason.
        self.lost: dict[bytes, str] = {}

    def covers(self, path: bytes) -> bool:
        """Whether a path is in a file system that is lost, as of the last look."""
        if self._seen is None:
            self.look()
        return any(path == lost or path.startswith(lost + b"/") for lost in tuple(self.lost))

    def look(self) -> str:
        """See what is mounted now.

        Returns:
            What has come, gone or changed since the last look; empty when nothing has.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._lock:
            found = self._mounted()
            before, self._seen = self._seen, found
            if before == found and not self.lost:
                return ""
            self._judge(found)
            if before is None or before == found:
                return ""
            changed = sorted(place for place in before.keys() | found.keys() if before.get(place) != found.get(place))
            return f"mounted or unmounted: {', '.join(map(show, changed))}"

    def accept(self) -> None:
        """Somebody has looked: what is mounted now is right."""
        with self._lock:
            self._known = self._seen = self._mounted()
            self.lost = {}
            self._save()

    def _mounted(self) -> _Known:
        """What is mounted inside the source, by its place there; (0, 0) for what cannot be looked at."""
        real = os.path.realpath(self._root)
        points = {mount.point: mount.kind for mount in inside(real, mounts())}
        return {os.path.relpath(point, real): _identity(point) for point, kind in points.items() if kind != _ON_DEMAND}

    def _judge(self, found: _Known) -> None:
        lost: dict[bytes, str] = {}
        known = dict(self._known)
        for path in sorted(found.keys() | known.keys()):
            now = found.get(path)
            if now is None and known[path] in found.values():
                del known[path]  # a folder above was renamed: it is mounted in another place
                continue
            reason = self._reason(path, known.get(path), now)
            if reason:
                lost[path] = reason
                if path not in self.lost:
                    log.error("mount lost", root=show(self._root), path=show(path), reason=reason)
            elif now is None:
                del known[path]
            else:
                known[path] = now
        self.lost = lost
        if known != self._known:
            self._known = known
            self._save()

    def _reason(self, path: bytes, remembered: tuple[int, int] | None, now: tuple[int, int] | None) -> str:
        if remembered == now:
            return ""
        ours = self._journal.children(self._number, path).keys()
        present = _names(self._root + b"/" + path) if now is not None else set()
        return judge_mount(now, len(ours), len(ours - present))

    def _save(self) -> None:
        try:
            write_file(self._state, msgspec.msgpack.encode(self._known))
        except ReplicatorError as error:  # known for this process; the next change tries again
            log.warning("mounts not remembered", file=str(self._state), reason=str(error))


def _identity(point: bytes) -> tuple[int, int]:
    try:
        return identity(point)
    except OSError:
        return (0, 0)


def _names(folder: bytes) -> set[bytes]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()


def _load(state: Path) -> _Known:
    """What was mounted when the last process ended; nothing when nobody knows."""
    try:
        return msgspec.msgpack.decode(state.read_bytes(), type=_Known)
    except (OSError, msgspec.DecodeError):
        return {}

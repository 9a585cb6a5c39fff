"""What tells that a path may have changed: the seam, and the watcher that sees nothing by itself."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol


class Grade(IntEnum):
    """How a path is dirty."""

    #: Look now: a file was closed, a name came or went, rights changed.
    NOW = 0
    #: A writer has it open and has written; a `NOW` follows when it closes.
    OPEN = 1
    #: Names in this folder came or went, so its times changed.
    FOLDER = 2


class Dirty(NamedTuple):
    """This path (relative to the root, parts joined by `/`) may have changed; empty: the root itself, its rights."""

    path: bytes
    grade: Grade
    seen_ns: int


class Listener(Protocol):
    """Who is told; called from the watcher's own thread, and must return at once."""

    def dirty(self, batch: Sequence[Dirty]) -> None:
        """These paths may have changed."""

    def linked(self, inodes: Sequence[int]) -> None:
        """These files, by their numbers, may have changed by a name that is gone or was never told; as of `dirty`."""

    def blind(self, reason: str, *, lasting: bool) -> None:
        """Changes may have gone unseen: a whole scan that begins now must find them. May be told again.

        `lasting`: and changes will go unseen until the watcher has been made anew (no watches left, no right to look).
        """

    def lost(self, reason: str) -> None:
        """The root itself was removed, moved or unmounted: the watcher sees nothing any more and must be made anew."""


class Watcher(Protocol):
    """Tells a `Listener` of changes under one root. "Dirty" is all it says: whoever is told looks for themselves.

    Contract: after `start` has returned every change is told within moments, or `blind` is.
    A change of a file with several names is told of the name by which it came; where that name is gone, a watcher that
    can tells `linked`.
    Paths may be told without cause and more than once. A watcher serves one start; `stop` may be called at any time,
    twice, and before `start`; nothing is told after it has returned. `drain` returns when what happened before
    the call has been told. All three block and belong in a thread. `method` names it for people, and `why` says why it
    is not a better one; both are right once `start` has returned.
    """

    @property
    def method(self) -> str:
        """`fanotify`, `inotify` or `scan`."""

    @property
    def why(self) -> str:
        """Why not a better one; empty when there is none or none was asked for."""

    def start(self, root: bytes, listener: Listener) -> None:
        """Watch `root`. Raises OSError when the root cannot be watched at all."""

    def drain(self, limit: float) -> bool:
        """Wait until everything that happened before has been told, at most `limit` seconds; whether it has."""

    def stop(self) -> None:
        """Stop telling and give everything back."""


Make = Callable[[], Watcher]


class ScanWatcher:
    """For trees whose changes the kernel does not tell (NFS, SMB): sees nothing, so only scans do."""

    method = "scan"
    why = ""

    def start(self, root: bytes, listener: Listener) -> None:
        """Nothing to set up."""

    def drain(self, limit: float) -> bool:
        """Nothing is ever on its way."""
        del limit
        return True

    def stop(self) -> None:
        """Nothing to give back."""

"""From the scan's thread to the event loop, so that a scan never runs ahead of what takes it."""

import threading
from collections.abc import Callable, Sequence

from replicator.scanner import Found

#: Seconds between two looks whether there is room again.
_GLANCE = 0.05


class HandOver:
    """Hands over what a scan found.

    Args:
        tell: calls a function in the event loop, from any thread.
        found: takes it there.
        full: whether more must wait; asked in the scan's thread.

    Attributes:
        waited: whether there was no room since somebody set this to false.
    """

    def __init__(
        self, tell: Callable[..., None], found: Callable[[Sequence[Found]], None], full: Callable[[], bool]
    ) -> None:
        self.waited = False
        self._tell = tell
        self._found = found
        self._full = full
        self._closed = threading.Event()

    def close(self) -> None:
        """Nobody takes anything any more."""
        self._closed.set()

    def hand(self, batch: Sequence[Found]) -> None:
        """In the scan's thread: hand over and wait until it was taken and there is room for more."""
        taken = threading.Event()
        self._tell(self._take, batch, taken)
        while not taken.wait(0.2) and not self._closed.is_set():
            pass
        while self._full() and not self._closed.wait(_GLANCE):
            self.waited = True

    def _take(self, batch: Sequence[Found], taken: threading.Event) -> None:
        try:
            self._found(batch)
        finally:
            taken.set()

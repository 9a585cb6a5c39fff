"""Looking in a thread for the paths that a change concerns: until that is over not all is known to be at the vault."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol

from replicator.pending import Pending


class Blind(Protocol):
    """Who is told that changes may have gone unseen."""

    def __call__(self, reason: str, *, lasting: bool) -> None:
        """As of `Listener.blind`."""


class Looks:
    """For the event loop, which is not held up. Each `begin` ends one `expect` of the same time.

    Args:
        threads: where it is looked.
        pending: is told from when to when.
        named: takes the paths that are to be read, and when the change was seen.
        blind: is told where nobody can say which they are.
    """

    def __init__(
        self, threads: Executor, *, pending: Pending, named: Callable[[list[bytes], int], None], blind: Blind
    ) -> None:
        self._threads = threads
        self._pending = pending
        self._named = named
        self._blind = blind

    def expect(self, seen_ns: int) -> None:
        """Something was seen then, and which paths it concerns will be looked for."""
        self._pending.seek(seen_ns)

    def begin(self, look: Callable[[], list[bytes]], seen_ns: int) -> asyncio.Future[list[bytes]]:
        """Look for them; whoever waits for the answer too is called when they have been told."""
        looked = asyncio.get_running_loop().run_in_executor(self._threads, look)
        looked.add_done_callback(lambda _: self._over(looked, seen_ns))
        return looked

    def _over(self, looked: asyncio.Future[list[bytes]], seen_ns: int) -> None:
        try:
            if looked.cancelled():
                return
            error = looked.exception()
            if error is None:
                self._named(looked.result(), seen_ns)
            else:
                self._blind(str(error), lasting=False)
        finally:
            self._pending.sought(seen_ns)

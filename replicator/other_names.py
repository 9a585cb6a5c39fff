"""From the numbers of files, as a watcher tells them where a name is gone, to the names that are left of them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Protocol

from replicator.pending import Pending


class Blind(Protocol):
    """Who is told that changes may have gone unseen."""

    def __call__(self, reason: str, *, lasting: bool) -> None:
        """As of `Listener.blind`."""


class OtherNames:
    """For the event loop, which is not held up: it looks in the reading thread, which knows what is under way too.

    One look at a time: what is heard of meanwhile is gathered for the next.

    Args:
        names: finds the names that are to be read again, in `threads`.
        threads: the reading thread.
        pending: is told from when to when names are looked for.
        named: takes those names, and when the file was heard of.
        blind: is told where they cannot be asked for.
    """

    def __init__(
        self,
        names: Callable[[Sequence[int]], list[bytes]],
        threads: Executor,
        pending: Pending,
        named: Callable[[list[bytes], int], None],
        blind: Blind,
    ) -> None:
        self._names = names
        self._threads = threads
        self._pending = pending
        self._named = named
        self._blind = blind
        self._looking = False
        self._heard: set[int] = set()
        self._heard_ns = 0

    def look(self, inodes: Sequence[int]) -> None:
        """These files may have changed."""
        if not self._heard:
            self._heard_ns = time.time_ns()
            self._pending.seek(self._heard_ns)
        self._heard.update(inodes)
        if not self._looking:
            self._begin()

    def _begin(self) -> None:
        heard, self._heard = sorted(self._heard), set()
        heard_ns = self._heard_ns
        self._looking = True
        looked = asyncio.get_running_loop().run_in_executor(self._threads, self._names, heard)
        looked.add_done_callback(lambda _: self._found(looked, heard_ns))

    def _found(self, looked: asyncio.Future[list[bytes]], heard_ns: int) -> None:
        self._looking = False
        if not looked.cancelled():
            error = looked.exception()
            if error is None:
                self._named(looked.result(), heard_ns)
            else:
                self._blind(str(error), lasting=False)
        self._pending.sought(heard_ns)
        if self._heard:
            self._begin()

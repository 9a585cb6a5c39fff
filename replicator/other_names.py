"""From the numbers of files, as a watcher tells them where a name is gone, to the names that are left of them."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Protocol


class Blind(Protocol):
    """Who is told that changes may have gone unseen."""

    def __call__(self, reason: str, *, lasting: bool) -> None:
        """As of `Listener.blind`."""


class OtherNames:
    """For the event loop, which is not held up: it looks in the reading thread, which knows what is under way too.

    Args:
        names: finds the names that are to be read again, in `threads`.
        threads: the reading thread.
        named: takes those names.
        blind: is told where they cannot be asked for.
    """

    def __init__(
        self,
        names: Callable[[Sequence[int]], list[bytes]],
        threads: Executor,
        named: Callable[[list[bytes]], None],
        blind: Blind,
    ) -> None:
        self._names = names
        self._threads = threads
        self._named = named
        self._blind = blind

    def look(self, inodes: Sequence[int]) -> None:
        """These files may have changed."""
        looked = asyncio.get_running_loop().run_in_executor(self._threads, self._names, inodes)
        looked.add_done_callback(self._found)

    def _found(self, looked: asyncio.Future[list[bytes]]) -> None:
        if looked.cancelled():
            return
        error = looked.exception()
        if error is None:
            self._named(looked.result())
        else:
            self._blind(str(error), lasting=False)

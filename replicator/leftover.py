"""What the vault has in a folder and the folder has not: left from another folder that stood there before.

Where a folder is deleted or moved away and another takes its name before anybody has looked, no event is left that
names what was in the first one: it went with its folder, and where it was there is a folder again.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor

from replicator.change import Kind
from replicator.journal import Journal
from replicator.journal_rows import Known, join
from replicator.messages import INLINE
from replicator.turns import Item
from replicator.watcher import Grade


class Leftovers:
    """Looks for them in a thread, and tells `named` in the event loop that it was made in.

    Args:
        root: the source's folder.
        source: its number in the journal.
        journal: what the vault has.
        threads: where it looks.
        named: takes paths that are to be looked at.
    """

    def __init__(
        self, root: bytes, source: int, journal: Journal, threads: Executor, named: Callable[[list[bytes]], None]
    ) -> None:
        self._root = root
        self._source = source
        self._journal = journal
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._tell = named

    def after(self, item: Item, known: Known | None) -> None:
        """This path's state is at the vault (None: it was so already), and so is what was sent before it."""
        if known is not None and known.meta.kind is Kind.FILE:
            if known.meta.size > INLINE:  # on its way for long, and read by its descriptor: its folder may be gone
                self._threads.submit(self._file, item.path)
        elif item.grade is Grade.NOW and self._journal.children(self._source, item.path):
            self._threads.submit(self._folder, item.path)

    def _file(self, path: bytes) -> None:
        if not os.path.lexists(self._root + b"/" + path):
            self._named([path])

    def _folder(self, path: bytes) -> None:
        try:
            here = set(os.listdir(self._root + b"/" + path))  # noqa: PTH208 - names are bytes
        except OSError:
            return  # gone again: that is told
        left = [join(path, name) for name in self._journal.children(self._source, path) if name not in here]
        if left:
            self._named(left)

    def _named(self, paths: list[bytes]) -> None:
        self._loop.call_soon_threadsafe(self._tell, paths)

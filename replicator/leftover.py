"""What the vault has in a folder and the folder has not: left from another folder that stood there before.

Where a folder is deleted or moved away and another takes its name before anybody has looked, no event is left that
names what was in the first one: it went with its folder, and where it was there is a folder again.
"""

import os
import time
from collections.abc import Callable

from replicator.change import Kind
from replicator.journal import Journal
from replicator.journal_rows import Known, join
from replicator.looks import Looks
from replicator.messages import INLINE
from replicator.turns import Item
from replicator.watcher import Grade


class Leftovers:
    """Looks for them in a thread; for the event loop.

    Args:
        root: the source's folder.
        source: its number in the journal.
        journal: what the vault has.
        looks: looks for them in the reading thread.
    """

    def __init__(self, root: bytes, source: int, journal: Journal, looks: Looks) -> None:
        self._root = root
        self._source = source
        self._journal = journal
        self._looks = looks

    def after(self, item: Item, known: Known | None) -> None:
        """This path's state is at the vault (None: it was so already), and so is what was sent before it.

        To be called before the path is taken from what is pending.
        """
        if known is not None and known.meta.kind is Kind.FILE:
            if known.meta.size > INLINE:  # on its way for long, and read by its descriptor: its folder may be gone
                self._look(self._file, item)
        elif item.grade is Grade.NOW and self._journal.children(self._source, item.path):
            self._look(self._folder, item)

    def _look(self, left: Callable[[bytes], list[bytes]], item: Item) -> None:
        # What came here by another path's change brings nothing of that time along: a name that comes and goes
        # would hold it for ever.
        seen_ns = time.time_ns() if item.late else item.seen_ns
        self._looks.expect(seen_ns)
        self._looks.begin(lambda: left(item.path), seen_ns)

    def _file(self, path: bytes) -> list[bytes]:
        return [] if os.path.lexists(self._root + b"/" + path) else [path]

    def _folder(self, path: bytes) -> list[bytes]:
        try:
            here = set(os.listdir(self._root + b"/" + path))  # noqa: PTH208 - names are bytes
        except (FileNotFoundError, NotADirectoryError):
            return []  # gone again: that is told
        return [join(path, name) for name in self._journal.children(self._source, path) if name not in here]

"""What was under way while its folder went: no event names it, so it is looked at again."""

from collections.abc import Callable

from replicator.journal import Journal
from replicator.journal_rows import join, split

#: Folders that are remembered to be at the vault; beyond it they are asked for anew.
_MOST = 4096


class Stranded:
    """For the event loop.

    Args:
        source: the source's number in the journal.
        journal: what the vault has.
        named: takes paths that are to be looked at.
    """

    def __init__(self, source: int, journal: Journal, named: Callable[[list[bytes]], None]) -> None:
        self._source = source
        self._journal = journal
        self._named = named
        self._there: set[bytes] = set()

    def gone(self, path: bytes) -> None:
        """The vault has this path no more."""
        self.forget()
        self._named([join(path, name) for name in self._journal.children(self._source, path)])

    def put(self, path: bytes) -> None:
        """The vault has this path: so it must have its folder."""
        parent = split(path)[0]
        if not parent or parent in self._there:
            return
        if self._journal.get(self._source, parent) is None:
            self._named([path])
            return
        if len(self._there) >= _MOST:
            self._there.clear()
        self._there.add(parent)

    def forget(self) -> None:
        """The journal may have lost folders."""
        self._there.clear()

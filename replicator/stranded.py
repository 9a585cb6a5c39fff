"""What was under way while its folder went: no event names it, so it is looked at again."""

from collections.abc import Callable

from replicator.change import Kind
from replicator.journal import Journal
from replicator.journal_rows import Known, join, split

#: Folders that are remembered to be at the vault, those that were met last; any other is asked for anew.
_MOST = 4096
_Take = Callable[[list[bytes]], None]


class Stranded:
    """For the event loop.

    Args:
        source: the source's number in the journal.
        journal: what the vault has.
        named: takes paths that are to be looked at.
        doubted: takes paths that are to be looked at, and sent whatever the journal holds of them.
    """

    def __init__(self, source: int, journal: Journal, named: _Take, doubted: _Take) -> None:
        self._source = source
        self._journal = journal
        self._named = named
        self._doubted = doubted
        #: In the order in which they were met.
        self._there: dict[bytes, None] = {}

    def gone(self, path: bytes) -> None:
        """The vault has this path no more."""
        self._lost(path)

    def put(self, path: bytes, known: Known) -> None:
        """The vault has this path so: it must have its folder, and has nothing in it if it is none."""
        if known.meta.kind is not Kind.FOLDER and path in self._there:
            self._lost(path)
        parent = split(path)[0]
        if not parent:
            return
        if parent in self._there:
            del self._there[parent]
        elif not self._is_folder(parent):
            self._named([path])
            return
        elif len(self._there) >= _MOST:
            del self._there[next(iter(self._there))]
        self._there[parent] = None

    def forget(self) -> None:
        """The journal may have lost folders."""
        self._there.clear()

    def _is_folder(self, path: bytes) -> bool:
        known = self._journal.get(self._source, path)
        return known is not None and known.meta.kind is Kind.FOLDER

    def _lost(self, path: bytes) -> None:
        """The vault has nothing in it; what the journal has there may stand here again, and look unchanged."""
        inside = [path]
        for above in inside:  # it grows meanwhile
            self._there.pop(above, None)
            inside += [join(above, name) for name in self._journal.children(self._source, above)]
        self._doubted(inside[1:])

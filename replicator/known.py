"""What is durable or about to be, on top of the catalog, which is written later."""

import hashlib
from collections import OrderedDict

from replicator.catalog import Catalog, State, state_of
from replicator.objects import Objects
from replicator.records import What
from replicator.segments import Found

EMPTY = hashlib.sha256(b"").digest()
#: Names in young folders that are remembered.
_YOUNG = 50_000


class Fresh:
    """States that the catalog does not have yet."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, bytes], State] = {}
        self._live: set[tuple[str, bytes]] = set()
        self._above: set[tuple[str, bytes]] = set()

    def note(self, source: str, path: bytes, state: State) -> None:
        """A path's newest state."""
        self.states[source, path] = state
        if state.meta is None:
            self._live.discard((source, path))
            return
        self._live.add((source, path))
        while path := path.rpartition(b"/")[0]:
            self._above.add((source, path))

    def touches(self, source: str, path: bytes) -> bool:
        """Whether there is a state of this path, or a live one below it."""
        return (source, path) in self.states or (source, path) in self._above

    def clear(self) -> None:
        """The catalog has them."""
        self.states.clear()
        self._live.clear()
        self._above.clear()

    def lay_over(self, source: str, path: bytes, live: set[bytes]) -> set[bytes]:
        """The live paths below a folder, from those that were live before."""
        kept = {each for each in live if (state := self.states.get((source, each))) is None or state.meta is not None}
        if (source, path) not in self._above:
            return kept
        inside = path + b"/"
        return kept | {each for its, each in self._live if its == source and each.startswith(inside)}


class Young:
    """Folders in which nothing was when they were first told of: in them a first copy need not ask the catalog.

    Args:
        most: names and folders that are remembered; then the oldest folders are forgotten.
    """

    def __init__(self, most: int = _YOUNG) -> None:
        self._most = most
        self._names: OrderedDict[tuple[str, bytes], set[bytes]] = OrderedDict()
        self._count = 0

    def begin(self, source: str, path: bytes) -> None:
        """Nothing ever was at this path or below it; from now on `note` is told of all that comes there."""
        if (source, path) not in self._names:
            self._names[source, path] = set()
            self._count += 1
            self._evict()

    def note(self, source: str, path: bytes) -> None:
        """Something is at this path now."""
        while path:
            path, _, name = path.rpartition(b"/")
            names = self._names.get((source, path))
            if names is not None:
                if name in names:
                    break  # and so is all above it
                names.add(name)
                self._count += 1
        self._evict()

    def __len__(self) -> int:
        return self._count

    def _evict(self) -> None:
        while self._count > self._most:
            _, names = self._names.popitem(last=False)
            self._count -= len(names) + 1

    def never(self, source: str, path: bytes) -> bool:
        """Whether it is known without asking that nothing ever was at this path or below it."""
        above, _, name = path.rpartition(b"/")
        names = self._names.get((source, above))
        return names is not None and name not in names


class Known:
    """What is durable or about to be, on top of the catalog, which is written later."""

    def __init__(self, catalog: Catalog, objects: Objects) -> None:
        self._catalog = catalog
        self._objects = objects
        self._fresh = Fresh()
        self._young = Young()
        self._contents: set[bytes] = set()
        self.positions = catalog.positions()
        self.sites = catalog.sites()

    def state(self, source: str, path: bytes) -> State | None:
        """A path's newest state."""
        return self._fresh.states.get((source, path)) or self._catalog.newest(source, path)

    def never(self, source: str, path: bytes, *, folder: bool) -> bool:
        """Whether nothing was ever at this path or below it; `folder` is what it becomes."""
        if not self._young.never(source, path) and (
            self._fresh.touches(source, path) or self._catalog.touches(source, path)
        ):
            return False
        if folder:
            self._young.begin(source, path)
        return True

    def below(self, source: str, path: bytes) -> set[bytes]:
        """Every live path below a folder."""
        return self._fresh.lay_over(source, path, set(self._catalog.below(source, path)))

    def has(self, digest: bytes, size: int) -> bool:
        """Whether this content is here, and stays.

        Raises:
            BrokenError: the disk did not take an object's name.
        """
        return bool(self.held({digest})) or self.has_object(digest, size)

    def has_object(self, digest: bytes, size: int) -> bool:
        """Whether this content is an object, and stays.

        Raises:
            BrokenError: as of `has`.
        """
        return self._objects.keeps(digest, size)

    def held(self, digests: set[bytes]) -> set[bytes]:
        """Which of these contents a record has."""
        here = digests & self._contents
        if EMPTY in digests:
            here.add(EMPTY)
        return here | self._catalog.held(digests - here)

    def add(self, found: list[Found]) -> None:
        """These are durable now."""
        for each in found:
            record = each.record
            if record.source:
                self.positions[record.source] = record.position
            if record.what is What.SOURCE:
                self.sites[record.source] = record.name
            elif record.what is not What.SEAL:
                self._fresh.note(record.source, record.path, state_of(record.meta, record.hash))
                self._young.note(record.source, record.path)
                if record.inline:
                    self._contents.add(record.hash)

    def applied(self) -> None:
        """The catalog has everything."""
        self._fresh.clear()
        self._contents.clear()

"""Files of several names, known by their handles: what is written by a name that has gone is told of the file."""

from collections import OrderedDict

from replicator.places import Places

#: Files that are remembered to have, or to have had, several names, some 200 bytes each.
_MOST = 65_536


class Linked:
    """Told of every file that was given a name or lost one; asked once for all that was heard. For one thread.

    A file with one name is never in it, so an event of such a file costs one look into a table; the end of one costs
    a question to the kernel.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._alone: set[bytes] = set()
        self._named: dict[bytes, bytes | None] = {}

    def alone(self, file: bytes) -> None:
        """It was told by itself: it has got or lost a name, or was written by none."""
        self._alone.add(file)

    def named(self, file: bytes, path: bytes | None) -> None:
        """It was told by this name, which is outside of the tree if it is None."""
        if file in self._known:
            self._named[file] = path

    def inodes(self) -> list[int]:
        """Those of the files heard of meanwhile that no name tells of; they are forgotten by that."""
        if not self._alone and not self._named:
            return []
        alone, self._alone = self._alone, set()
        named, self._named = self._named, {}
        numbers = []
        for file, ino in self._places.files({*alone, *named}).items():
            if file in alone:
                self._remember(file)
            elif (path := named[file]) is not None and self._places.bears(path, ino):
                continue  # whoever looks there sees the file, and knows its other names
            numbers.append(ino)
        return numbers

    def _remember(self, file: bytes) -> None:
        self._known[file] = None
        self._known.move_to_end(file)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

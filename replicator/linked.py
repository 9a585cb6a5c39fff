"""Files of several names, known by their handles: what is written by a name that has gone is told of the file."""

from collections import OrderedDict

from replicator.places import Places

#: Files that are remembered to have, or to have had, several names, some 200 bytes each.
_MOST = 65_536


class Linked:
    """Told of every file that was given a name or lost one; asked once for all that was heard. For one thread.

    A name proves nothing by itself: it may have become another file's before anybody watched, while the writer still
    has the first. So whatever is written is compared with what bears the name now, once for all that was heard of it
    meanwhile: one question to the kernel, 4 µs.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._alone: set[bytes] = set()
        self._named: dict[bytes, bytes | None] = {}

    def alone(self, file: bytes) -> None:
        """It was told by itself: it has got or lost a name, or was written by none."""
        self._alone.add(file)

    def named(self, file: bytes, path: bytes | None, *, written: bool = False) -> None:
        """It was told by this name, which is outside of the tree if it is None.

        Args:
            file: its file system and handle, empty where the kernel does not tell.
            path: the name.
            written: its bytes or attributes were, maybe by a descriptor or a mapping that is older than whatever bears
                the name now.
        """
        if file in self._known or file in self._named or (written and file):
            self._named[file] = path

    def inodes(self) -> list[int]:
        """Those of the files heard of meanwhile that no name tells of; they are forgotten by that."""
        if not self._alone and not self._named:
            return []
        alone, self._alone = self._alone, set()
        named, self._named = self._named, {}
        # Whoever looks at a name that the file bears sees it, and knows its other names.
        asked = [file for file, path in named.items() if path is None or not self._places.bears(path, file)]
        found = self._places.files({*alone, *asked})
        for file in alone & found.keys():
            self._remember(file)
        return list(found.values())

    def _remember(self, file: bytes) -> None:
        self._known[file] = None
        self._known.move_to_end(file)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

"""What the journal holds in memory until its next commit, found by path, by folder and by inode."""

from collections import defaultdict
from collections.abc import Iterator

from replicator.journal_rows import Known, split

Key = tuple[int, bytes]


class Overlay:
    """The newest word on some paths: what the vault has of each, None when it has it no more. Not for two threads."""

    def __init__(self) -> None:
        self.paths: dict[Key, Known | None] = {}
        self._folders: defaultdict[Key, set[bytes]] = defaultdict(set)
        self._inodes: defaultdict[tuple[int, int], set[bytes]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self.paths)

    def put(self, source: int, path: bytes, known: Known | None) -> None:
        """The vault has this path so."""
        self.paths[source, path] = known
        self._folders[source, split(path)[0]].add(path)
        if known is not None and known.ino:
            self._inodes[source, known.ino].add(path)

    def below(self, older: "Overlay") -> None:
        """Take over what an older one holds and this one does not."""
        for (source, path), known in older.paths.items():
            if (source, path) not in self.paths:
                self.put(source, path, known)

    def children(self, source: int, folder: bytes) -> Iterator[tuple[bytes, Known | None]]:
        """What it holds of a folder, not of what is deeper."""
        return ((path, self.paths[source, path]) for path in self._folders.get((source, folder), ()))

    def by_inode(self, source: int, ino: int) -> Iterator[tuple[bytes, Known]]:
        """What was read from this inode."""
        for path in self._inodes.get((source, ino), ()):
            known = self.paths[source, path]
            if known is not None and known.ino == ino:
                yield path, known

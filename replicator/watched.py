"""The watched folders of a tree: from a watch's number to the folder's path, also after a rename above it."""

from collections import deque


class Folder:
    """One watched folder; its path is read from its parents, so it is right after any rename."""

    __slots__ = ("children", "name", "parent", "watch")

    def __init__(self, parent: "Folder | None", name: bytes, watch: int) -> None:
        self.parent = parent
        self.name = name
        self.watch = watch
        self.children: dict[bytes, Folder] = {}


class Folders:
    """All watched folders, by watch and by place.

    A folder that was moved from somewhere is detached, with all its watches, until its new place is told
    (then nothing needs to be watched anew) or `expire` finds that it has left the tree.
    """

    def __init__(self, root_watch: int) -> None:
        self.root = Folder(None, b"", root_watch)
        self._by_watch = {root_watch: self.root}
        self._detached: dict[int, tuple[Folder, int]] = {}
        self._round = 0
        self._dropped: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._by_watch)

    def of(self, watch: int) -> Folder | None:
        """The folder that this watch stands for now."""
        return self._by_watch.get(watch)

    def path(self, folder: Folder) -> bytes | None:
        """Relative to the root, empty for the root itself; None for what is not in the tree now."""
        parts = []
        while folder.parent is not None:
            parts.append(folder.name)
            folder = folder.parent
        if folder is not self.root:
            return None
        return b"/".join(reversed(parts))

    def add(self, parent: Folder, name: bytes) -> Folder:
        """A folder that was found and is not watched yet."""
        folder = Folder(parent, name, -1)
        parent.children[name] = folder
        return folder

    def bind(self, folder: Folder, watch: int) -> Folder | None:
        """This watch stands for this folder from now on; the folder that it stood for before, if another."""
        before = self._by_watch.get(watch)
        if before is folder:
            return None
        if self._by_watch.get(folder.watch) is folder:
            del self._by_watch[folder.watch]
            self._dropped.append(folder.watch)
        folder.watch = watch
        self._by_watch[watch] = folder
        return before

    def detach(self, folder: Folder, cookie: int) -> None:
        """It was moved away; `attach` may follow with the same cookie."""
        self._unlink(folder)
        self._detached[cookie] = (folder, self._round)

    def attach(self, parent: Folder, name: bytes, cookie: int) -> Folder | None:
        """The folder of that move at its new place; None when it comes from outside."""
        folder, _ = self._detached.pop(cookie, (None, 0))
        if folder is not None:
            folder.parent, folder.name = parent, name
            parent.children[name] = folder
        return folder

    def expire(self) -> None:
        """The kernel tells both halves of a move side by side: what two readings did not match has left the tree."""
        self._round += 1
        for cookie, (folder, since) in list(self._detached.items()):
            if self._round > since + 2:
                del self._detached[cookie]
                self.drop(folder)

    def drop(self, folder: Folder) -> None:
        """Forget a folder and all under it; their watches come out of `dropped`."""
        self._unlink(folder)
        waiting = [folder]
        while waiting:
            each = waiting.pop()
            waiting.extend(each.children.values())
            if self._by_watch.get(each.watch) is each:
                del self._by_watch[each.watch]
                self._dropped.append(each.watch)

    @property
    def detached(self) -> bool:
        """Whether a folder waits for its new place."""
        return bool(self._detached)

    @property
    def dropping(self) -> bool:
        """Whether watches wait to be given back."""
        return bool(self._dropped)

    def dropped(self, most: int) -> list[int]:
        """Up to so many watches that stand for nothing any more, each once."""
        watches = [self._dropped.popleft() for _ in range(min(most, len(self._dropped)))]
        return [watch for watch in watches if watch not in self._by_watch]

    def _unlink(self, folder: Folder) -> None:
        parent, folder.parent = folder.parent, None
        if parent is not None and parent.children.get(folder.name) is folder:
            del parent.children[folder.name]

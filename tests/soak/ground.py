"""A tree as one hand knows it: names and paths are bytes, as the kernel has them."""

import os
import random
import stat
import time

from tests.replicator.source.eyes import allowed

#: Names that several hands meet at, and those that a careless copy loses.
SHARED = [b"a", b"b", b"c", b"d", b"Report", b"report", b"x"]
ODD = [
    "산청군 보고서.hwp".encode("cp949"),
    "NFD 한글.txt".encode(),
    b"two\nlines",
    b"n" * 255,
    ("긴" * 85).encode(),
    b"-rf",
    b"..hidden",
    b" space ",
    b"\xff\xfe\x01",
]
SIZES = [0, 1, 10, 100, 1000, 1000, 4096, 4097, 5000, 8000, 20_000, 60_000, 131_072, 131_073, 160_000]
_DEPTH = 6
#: Seconds after which a name has been seen.
_STOOD = 5.0
#: Seconds after its last mark in which a file may still be held by a hand.
_HELD = 12.0


class Ground:
    """What of the tree is known, looked at now and then: others work there too.

    Args:
        root: the tree.
        chance: where the decisions come from.
        most: paths above which there are too many.
    """

    def __init__(self, root: bytes, chance: random.Random, most: int) -> None:
        self.root = root
        self.chance = chance
        self.most = most
        self.paths: list[bytes] = []
        self.folders: list[bytes] = [root]
        #: Whether the whole file system is watched.
        self._whole = allowed()

    def put(self, path: bytes, data: bytes, *, sync: bool = False) -> None:
        """A file with these bytes, written in two pieces."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        try:
            half = self.chance.randint(0, len(data))
            os.write(fd, data[:half])
            os.write(fd, data[half:])
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)

    def some_bytes(self) -> bytes:
        """What a file may hold."""
        return self.chance.randbytes(self.chance.choice(SIZES))

    def look(self) -> None:
        """Look at the tree anew."""
        self.paths, self.folders = [], [self.root]
        for folder, folders, files in os.walk(self.root):
            inner = [folder + b"/" + name for name in folders]
            self.paths += inner
            self.paths += [folder + b"/" + name for name in files]
            if folder.count(b"/") - self.root.count(b"/") < _DEPTH:
                self.folders += [each for each in inner if not os.path.islink(each)]  # noqa: PTH114

    def small(self, path: bytes) -> bool:
        """Whether not much of the tree goes with it."""
        return sum(each.startswith(path + b"/") for each in self.paths) * 20 < self.most

    def some(self) -> bytes:
        """A path that was there when one looked."""
        return self.chance.choice(self.paths) if self.paths else self.root + b"/none"

    def file(self) -> bytes:
        """A path that was a plain file when one looked: nothing outside of the tree is written through a link.

        Where folders are watched one by one, a file with several names is written by those that have stood for a while.
        What is written by a name that comes and goes before anybody can look is told of that name alone there: only a
        scan finds it by the others.
        """
        for _ in range(8):
            path = self.some()
            found = os.lstat(path)
            stood = self._whole or found.st_nlink == 1 or found.st_ctime < time.time() - _STOOD
            if stat.S_ISREG(found.st_mode) and stood:
                return path
        raise FileNotFoundError

    def calm_file(self) -> bytes:
        """A file that no hand holds open or mapped any more, where only a scan would find what it writes last.

        Where folders are watched one by one, the end of a writer is told of a name that may have gone before anybody
        knew that it was another name of the file.
        """
        path = self.file()
        if not self._whole and os.lstat(path).st_ctime > time.time() - _HELD:
            raise BlockingIOError
        return path

    def single_file(self) -> bytes:
        """A file that may be held; as of `calm_file` with one name."""
        path = self.file()
        if not self._whole and os.lstat(path).st_nlink > 1:
            raise BlockingIOError
        return path

    def folder(self) -> bytes:
        """A folder that is still one."""
        path = self.chance.choice(self.folders)
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise NotADirectoryError
        return path

    def new(self) -> bytes:
        """A path that may be new; it counts as one from now on."""
        roll = self.chance.random()
        if roll < 0.4:
            name = self.chance.choice(SHARED)
        elif roll < 0.6:
            name = self.chance.choice(ODD)
        else:
            name = b"n%d" % self.chance.randrange(100_000)
        path = self.folder() + b"/" + name
        self.paths.append(path)
        return path

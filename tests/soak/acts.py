"""What people and programs do to a tree, at random; names and paths are bytes, as the kernel has them."""

import ctypes
import os
import random
import shutil
import socket
import stat
import time
from collections import Counter
from collections.abc import Callable

from tests.soak.files import copy_file, opened, remove_tree, write_mapped
from tests.soak.ground import SHARED, Ground

BIG = [500_000, 1_100_000, 3_000_000, 9_000_000]
MODES = [0o600, 0o644, 0o640, 0o755, 0o700, 0o4755, 0o2755, 0o1777, 0o000, 0o444]
#: Acts between two looks at the tree: an act on what is gone meanwhile does nothing.
_FRESH = 150
_EXCHANGE = 2
_HERE = -100
_libc = ctypes.CDLL(None, use_errno=True)


class Acts:
    """One hand at work in a tree that others work in too.

    Args:
        root: the tree.
        outside: a folder of the same file system, from and to which things are moved.
        chance: where the decisions come from.
        most: paths above which the hand rather deletes.
    """

    def __init__(self, root: bytes, outside: bytes, chance: random.Random, most: int) -> None:
        self._ground = Ground(root, chance, most)
        self._outside = outside
        self._chance = chance
        self._children: list[int] = []
        self._open: list[tuple[float, int]] = []
        self.done: Counter[str] = Counter()
        acts: list[tuple[int, Callable[[], None]]] = [
            (14, self.write),
            (6, self.append),
            (5, self.edit),
            (4, self.truncate),
            (6, self.save),
            (7, self.make_folders),
            (8, self.rename),
            (2, self.exchange),
            (2, self.move_out),
            (3, self.move_in),
            (8, self.delete),
            (2, self.delete_tree),
            (2, self.copy_tree),
            (3, self.symlink),
            (4, self.hard_link),
            (3, self.rights),
            (2, self.owner),
            (3, self.times),
            (2, self.attribute),
            (2, self.map),
            (2, self.hold_open),
            (2, self.replace),
            (1, self.special),
            (1, self.big),
        ]
        self._acts = [act for weight, act in acts for _ in range(weight)]

    def run(self, count: int) -> None:
        """So many acts; one that another hand made impossible does not count."""
        for number in range(count):
            if number % _FRESH == 0:
                self._ground.look()
            full = len(self._ground.paths) > self._ground.most and self._chance.random() < 0.2
            act = self.delete_tree if full else self._chance.choice(self._acts)
            try:
                act()
                self._let_go(time.monotonic())
            except (OSError, shutil.Error, ValueError):
                continue
            self.done[act.__name__] += 1

    def close(self) -> None:
        """Let go of every file that is held open or mapped."""
        self._let_go(float("inf"))
        for child in self._children:
            os.waitpid(child, 0)
        self._children.clear()

    # ------------------------------------------------------------------ files

    def write(self) -> None:
        """A file made or overwritten."""
        self._ground.put(
            self._ground.new() if self._chance.random() < 0.7 else self._ground.some(), self._ground.some_bytes()
        )

    def append(self) -> None:
        """A file that grows."""
        with opened(self._ground.file(), os.O_WRONLY | os.O_APPEND) as file:
            file.write(self._chance.randbytes(self._chance.choice([1, 80, 3000])))

    def edit(self) -> None:
        """Some bytes inside of a file; the size stays."""
        path = self._ground.file()
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            size = max(1, os.fstat(fd).st_size)
            for _ in range(self._chance.randint(1, 3)):
                os.pwrite(fd, self._chance.randbytes(16), self._chance.randrange(size))
        finally:
            os.close(fd)

    def truncate(self) -> None:
        """A file made shorter, or longer by a hole."""
        path = self._ground.file()
        os.truncate(path, self._chance.choice([0, os.lstat(path).st_size // 2, 4096, 200_000]))

    def save(self) -> None:
        """As an editor saves: written beside it, flushed or not, renamed over it; sometimes with a backup."""
        backup = self._chance.random() < 0.3
        path = self._ground.calm_file() if backup else self._ground.some()
        beside = path + b".new"
        self._ground.put(beside, self._ground.some_bytes(), sync=self._chance.random() < 0.05)
        if backup:
            os.link(path, path + b"~")
        os.rename(beside, path)  # noqa: PTH104 - names are bytes

    def big(self) -> None:
        """A big file, in pieces, now and then with a hole."""
        if self._chance.random() < 0.6:
            return
        with opened(self._ground.new(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
            left = self._chance.choice(BIG)
            if self._chance.random() < 0.3:
                file.seek(self._chance.choice([4096, 1_000_000, 20_000_000]))
            while left > 0:
                left -= file.write(self._chance.randbytes(min(left, 250_000)))

    def map(self) -> None:
        """Written through a mapping, which tells nobody; some mappings stay for a while and are written again.

        By a child: another hand may cut the file off under the mapping, and the kernel kills for that.
        """
        path, stay = self._ground.single_file(), self._chance.choice([0, 0, 0.3, 1.5, 4.0])
        child = os.fork()
        if child:
            self._children.append(child)
            return
        try:
            write_mapped(path, stay, self._chance)
        finally:
            os._exit(0)

    def hold_open(self) -> None:
        """A file that a writer keeps open, to write again before it closes it."""
        fd = os.open(self._ground.single_file(), os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
        os.write(fd, b"first")
        self._open.append((time.monotonic() + self._chance.choice([0.05, 0.5, 2.5]), fd))

    # ------------------------------------------------------------------ names

    def make_folders(self) -> None:
        """Some folders deep at once, with a file at the end."""
        path = self._ground.new()
        deep = b"/".join([path, *(self._chance.choice(SHARED) for _ in range(self._chance.randint(0, 3)))])
        os.makedirs(deep)  # noqa: PTH103
        self._ground.put(deep + b"/file", self._ground.some_bytes())

    def rename(self) -> None:
        """A file or a folder with all in it, to a new name or over another."""
        to = self._ground.new() if self._chance.random() < 0.7 else self._ground.some()
        os.rename(self._ground.some(), to)  # noqa: PTH104

    def exchange(self) -> None:
        """Two paths change places in one moment."""
        if _libc.renameat2(_HERE, self._ground.some(), _HERE, self._ground.some(), _EXCHANGE):
            raise OSError(ctypes.get_errno(), "exchange")

    def move_out(self) -> None:
        """Out of the tree."""
        path = self._ground.some()
        if self._ground.small(path):
            os.rename(path, self._outside + b"/" + self._chance.choice(SHARED))  # noqa: PTH104

    def move_in(self) -> None:
        """Into the tree, with all in it."""
        os.rename(self._outside + b"/" + self._chance.choice(SHARED), self._ground.new())  # noqa: PTH104

    def delete(self) -> None:
        """A file or an empty folder."""
        path = self._ground.some()
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)  # noqa: PTH106
        else:
            os.unlink(path)  # noqa: PTH108

    def delete_tree(self) -> None:
        """A folder with all in it."""
        path = self._ground.folder()
        if path != self._ground.root and (self._ground.small(path) or len(self._ground.paths) > self._ground.most):
            remove_tree(path)

    def copy_tree(self) -> None:
        """A folder copied with its times, unless it is a big one."""
        source, to = self._ground.folder(), self._ground.new()
        inside = (to + b"/").startswith(source + b"/")  # it would never end
        if not inside and sum(path.startswith(source + b"/") for path in self._ground.paths) < 60:
            shutil.copytree(os.fsdecode(source), os.fsdecode(to), symlinks=True, copy_function=copy_file)

    def symlink(self) -> None:
        """A link to anywhere."""
        os.symlink(self._chance.choice([b"nowhere", b"..", b"/etc", b"a", b"\xff\n"]), self._ground.new())  # noqa: PTH211

    def hard_link(self) -> None:
        """A second name of a file."""
        os.link(self._ground.calm_file(), self._ground.new(), follow_symlinks=False)

    def replace(self) -> None:
        """A file becomes a folder, a folder a file, either a link."""
        path = self._ground.some()
        if stat.S_ISDIR(os.lstat(path).st_mode):
            if not self._ground.small(path):
                return
            remove_tree(path)
            if self._chance.random() < 0.3:
                os.symlink(b"c", path)  # noqa: PTH211
            else:
                self._ground.put(path, b"a file now")
        else:
            os.unlink(path)  # noqa: PTH108
            os.mkdir(path)  # noqa: PTH102

    def special(self) -> None:
        """A pipe or a socket, which is left out; also where a file was."""
        path = self._ground.new() if self._chance.random() < 0.7 else self._ground.file()
        if os.path.lexists(path):
            os.unlink(path)  # noqa: PTH108
        if self._chance.random() < 0.5:
            os.mkfifo(path)
        else:
            with socket.socket(socket.AF_UNIX) as ear:
                ear.bind(path)

    # ------------------------------------------------------------------ marks

    def rights(self) -> None:
        """Other rights; what a link leads to is not ours."""
        path = self._ground.some()
        if not stat.S_ISLNK(os.lstat(path).st_mode):
            os.chmod(path, self._chance.choice(MODES))  # noqa: PTH101

    def owner(self) -> None:
        """Another owner; only root may."""
        path = self._ground.some()
        os.chown(path, self._chance.choice([0, 1, 1000]), self._chance.choice([0, 4, 1000]), follow_symlinks=False)

    def times(self) -> None:
        """Other times, also set back, of folders too."""
        at = self._chance.choice([self._chance.randrange(2 * 10**18), 0, time.time_ns()])
        os.utime(self._ground.some(), ns=(at, at), follow_symlinks=False)

    def attribute(self) -> None:
        """An extended attribute set or taken away."""
        path, name = self._ground.some(), self._chance.choice([b"user.author", b"user.\xea\xb0\x80"])
        if self._chance.random() < 0.7:
            os.setxattr(path, name, self._chance.randbytes(self._chance.choice([0, 5, 900])), follow_symlinks=False)
        else:
            os.removexattr(path, name, follow_symlinks=False)

    def _let_go(self, now: float) -> None:
        for due, fd in [each for each in self._open if each[0] <= now]:
            self._open.remove((due, fd))
            os.write(fd, b"last")
            os.close(fd)

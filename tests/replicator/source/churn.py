"""Random changes of a real tree."""

import contextlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

#: Changes between two looks at the tree; a change to what is gone meanwhile does nothing.
_FRESH = 10


class Churn:
    """Changes a tree at random; the same seed on the same tree makes the same changes."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self._root = root
        self._chance = chance
        self._count = 0
        self._found: list[Path] = []

    def run(self, count: int) -> None:
        """So many changes."""
        acts: list[Callable[[], None]] = [self.write] * 6 + [
            self.write,
            self.append,
            self.save,
            self.folder,
            self.rename,
            self.rename,
            self.delete,
            self.delete_tree,
            self.link,
            self.hard_link,
            self.rights,
            self.times,
            self.replace,
        ]
        for _ in range(count):
            self._count += 1
            with contextlib.suppress(OSError):
                self._chance.choice(acts)()

    def write(self) -> None:
        """A file made or overwritten."""
        size = self._chance.choice([0, 10, 1000, 5000, 60_000, 150_000])
        self._new().write_bytes(self._chance.randbytes(size))

    def append(self) -> None:
        """A file that grows."""
        with self._some().open("ab") as file:
            file.write(b"more")

    def save(self) -> None:
        """As an office program saves: beside it, then renamed over it."""
        target = self._some()
        beside = target.with_name(f"save-{self._count}")
        beside.write_bytes(self._chance.randbytes(3000))
        beside.replace(target)

    def folder(self) -> None:
        """Some folders deep, with a file at once."""
        start = self._new()
        if start.is_symlink():
            return  # it would be made wherever the link leads: in /etc
        deep = start / "x" / "y"
        deep.mkdir(parents=True)
        (deep / "file").write_text(str(self._count))

    def rename(self) -> None:
        """A file or a folder with all in it."""
        self._some().rename(self._new())

    def delete(self) -> None:
        """A file or an empty folder."""
        path = self._some()
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()

    def delete_tree(self) -> None:
        """A folder with all in it."""
        if self._chance.random() < 0.3:
            shutil.rmtree(self._some())

    def link(self) -> None:
        """A link to anywhere."""
        self._new().symlink_to(self._chance.choice(["nowhere", "..", "/etc", "file"]))

    def hard_link(self) -> None:
        """A second name of a file."""
        self._new().hardlink_to(self._some())

    def rights(self) -> None:
        """Other rights; a link has none of its own, and what it leads to is not ours."""
        path = self._some()
        if not path.is_symlink():
            path.chmod(self._chance.choice([0o600, 0o644, 0o755, 0o700]))

    def times(self) -> None:
        """Other times, also set back."""
        at = self._chance.randrange(10**18)
        os.utime(self._some(), ns=(at, at), follow_symlinks=False)

    def replace(self) -> None:
        """A file becomes a folder, or a folder a file."""
        path = self._some()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            path.write_text("file now")
        else:
            path.unlink()
            path.mkdir()

    def _paths(self) -> list[Path]:
        if self._count % _FRESH == 1:
            self._found = sorted(
                Path(folder) / name for folder, folders, files in os.walk(self._root) for name in [*folders, *files]
            )
        return self._found

    def _some(self) -> Path:
        paths = self._paths()
        return self._chance.choice(paths) if paths else self._root / "none"

    def _new(self) -> Path:
        folders = [path for path in self._paths() if path.is_dir() and not path.is_symlink()]
        folder = self._chance.choice([self._root, *folders])
        return folder / self._chance.choice(["a", "b", "c", f"n{self._count}", f"보고서{self._count}.hwp"])

"""What a disk may hold after a power cut: all that was flushed, and any part of what was not.

Built from the log of a real process (`disk.c`). Nothing is assumed that no standard promises: a file's bytes are safe
after a flush of the file, a name after a flush of its folder, and of all else any subset may be there, writes torn at
a sector included. A rename within one folder happens or does not; one between two folders may leave both names.
"""

import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Union

from tests.support.disk import Step

_SECTOR = 512

Node = Union["File", "Folder", bytes]  # bytes: where a link leads


class File:
    """A file's bytes: those that are safe, and the writes since."""

    def __init__(self, data: bytes = b"") -> None:
        self.live = bytearray(data)
        self._safe = data
        self._since: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes) -> None:
        """Bytes at an offset."""
        _write(self.live, offset, data)
        self._since.append((offset, data))

    def cut(self, size: int) -> None:
        """Another length."""
        _cut(self.live, size)
        self._since.append((size, None))

    def flush(self) -> None:
        """All of it is safe."""
        if self._since:
            self._safe, self._since = bytes(self.live), []

    def after(self, chance: random.Random, keep: float) -> bytes:
        """What is there after a cut of the power; `keep` of the writes arrived."""
        data = bytearray(self._safe)
        for offset, each in self._since:
            if chance.random() >= keep:
                continue
            if each is None:
                _cut(data, offset)
            elif 0 < keep < 1 and chance.random() < 0.3:
                _write(data, offset, each[: chance.randrange(len(each) + 1) // _SECTOR * _SECTOR])
            else:
                _write(data, offset, each)
        return bytes(data)


class Folder:
    """A folder's names: those that are safe, and the changes since. What belongs together is one change."""

    def __init__(self) -> None:
        self.live: dict[str, Node] = {}
        self._safe: dict[str, Node] = {}
        self._since: list[dict[str, Node | None]] = []

    def change(self, names: dict[str, Node | None]) -> None:
        """Names come, go, or mean something else."""
        _apply(self.live, names)
        self._since.append(names)

    def flush(self) -> None:
        """All its names are safe."""
        self._safe, self._since = dict(self.live), []

    def after(self, chance: random.Random, keep: float) -> dict[str, Node]:
        """As of `File`."""
        names = dict(self._safe)
        for change in self._since:
            if chance.random() < keep:
                _apply(names, change)
        return names


class Disk:
    """The disk below one folder, followed step by step."""

    def __init__(self, folder: Path) -> None:
        self._start = str(folder)
        self._root = Folder()
        self._files: dict[int, File] = {}

    def follow(self, taken: Iterable[Step]) -> None:
        """Do what the process did."""
        for step in taken:
            if step.what in "WTFDY":
                self._fill(step)
            else:
                self._call(step)

    def _fill(self, step: Step) -> None:
        match step.what:
            case "W":
                self._files[step.inode].write(step.offset, step.data)
            case "T":
                self._files[step.inode].cut(step.offset)
            case "F":
                self._files[step.inode].flush()
            case "D":
                self._folder(step.path).flush()
            case "Y":
                self._flush_all(self._root)

    def _call(self, step: Step) -> None:
        match step.what:
            case "C":
                self._files[step.inode] = File()
                self._name(step.path, self._files[step.inode])
            case "M":
                self._name(step.path, Folder())
            case "U":
                self._name(step.path, None)
            case "S":
                self._name(step.path, step.data)
            case "L":
                self._name(os.fsdecode(step.data), self._node(step.path))
            case "R":
                self._rename(step.path, os.fsdecode(step.data))

    def _flush_all(self, folder: Folder) -> None:
        folder.flush()
        for file in self._files.values():
            file.flush()
        for node in folder.live.values():
            if isinstance(node, Folder):
                self._flush_all(node)

    def _folder(self, path: str) -> Folder:
        found: Node = self._root
        for part in [part for part in path.removeprefix(self._start).split("/") if part]:
            assert isinstance(found, Folder), path
            found = found.live[part]
        assert isinstance(found, Folder), path
        return found

    def _node(self, path: str) -> Node:
        above, _, name = path.rpartition("/")
        return self._folder(above).live[name]

    def _name(self, path: str, node: Node | None) -> None:
        above, _, name = path.rpartition("/")
        self._folder(above).change({name: node})

    def _rename(self, old: str, new: str) -> None:
        (from_, _, was), (to, _, name) = old.rpartition("/"), new.rpartition("/")
        node = self._node(old)
        if from_ == to:
            self._folder(to).change({was: None, name: node})
        else:
            self._folder(to).change({name: node})
            self._folder(from_).change({was: None})

    def after(self, target: Path, chance: random.Random, keep: float) -> None:
        """Make at `target` what a power cut now may leave; 0 keeps nothing that was not flushed, 1 all of it."""
        self._make(self._root, target, chance, keep)

    def _make(self, folder: Folder, target: Path, chance: random.Random, keep: float) -> None:
        target.mkdir()
        for name, node in folder.after(chance, keep).items():
            path = target / name
            if isinstance(node, Folder):
                self._make(node, path, chance, keep)
            elif isinstance(node, File):
                path.write_bytes(node.after(chance, keep))
            else:
                path.symlink_to(os.fsdecode(node))


def _write(data: bytearray, offset: int, piece: bytes) -> None:
    if offset > len(data):
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(piece)] = piece


def _cut(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))


def _apply(names: dict[str, Node], change: dict[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def noted(taken: Sequence[Step]) -> list[bytes]:
    """What the test wrote between these steps."""
    return [step.data for step in taken if step.what == "A"]

"""What a tree is: everything that replication promises to bring back."""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple


class Node(NamedTuple):
    """One path of a tree, with what must be equal."""

    kind: str
    mode: int
    mtime_ns: int
    content: str


Tree = dict[bytes, Node]


def snapshot(root: Path) -> Tree:
    """Read a whole tree: relative path (bytes) to node. Sockets, pipes and devices are left out, the root too."""
    found: Tree = {}
    start = os.fsencode(root)
    for folder, folders, files in os.walk(start):
        for name in folders + files:
            path = folder + b"/" + name
            node = _node(path)
            if node is not None:
                found[os.path.relpath(path, start)] = node
    return found


def _node(path: bytes) -> Node | None:
    info = os.lstat(path)
    mode = stat.S_IMODE(info.st_mode)
    if stat.S_ISLNK(info.st_mode):
        return Node("link", 0, info.st_mtime_ns, repr(os.fsencode(Path(os.fsdecode(path)).readlink())))
    if stat.S_ISDIR(info.st_mode):
        return Node("folder", mode, info.st_mtime_ns, "")
    if stat.S_ISREG(info.st_mode):
        return Node("file", mode, info.st_mtime_ns, f"{info.st_size}:{_digest(path)}")
    return None


def _digest(path: bytes) -> str:
    with Path(os.fsdecode(path)).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differences(wanted: Tree, found: Tree, most: int = 12) -> str:
    """Say how two trees differ, a line for each path; empty when they are equal."""
    lines = [
        f"{path!r}: wanted {wanted.get(path)}, found {found.get(path)}"
        for path in sorted(wanted.keys() | found.keys())
        if wanted.get(path) != found.get(path)
    ]
    more = [f"... and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join(lines[:most] + more)


def _masked(tree: Tree, modes: int) -> Tree:
    return {path: node._replace(mode=node.mode & modes) for path, node in tree.items()}


def same(wanted: Tree, root: Path, *, modes: int = 0o7777) -> bool:
    """Whether the tree at `root` is as wanted, in these of the permission bits.

    Raises:
        AssertionError: it is not; the text says how.
    """
    told = differences(_masked(wanted, modes), _masked(snapshot(root), modes))
    assert not told, told
    return True

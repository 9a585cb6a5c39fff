"""What a tree is to its last mark, and what the vault must show of it."""

import os
from pathlib import Path
from typing import NamedTuple

from replicator.change import Meta
from tests.support.trees import Node, snapshot

#: Whether this version carries extended attributes.
_XATTRS = "xattrs" in Meta.__struct_fields__
#: The replicator's own files in a source, which are no documents.
_OURS = b".bongsu-"
#: Set-id bits are not set in `current/`.
CURRENT_MODES = 0o1777
ALL_MODES = 0o7777


class Whole(NamedTuple):
    """One path with its owner and attributes."""

    node: Node
    owner: tuple[int, int]
    attributes: tuple[tuple[str, bytes], ...]


Truth = dict[bytes, Whole]


def truth(root: Path, *, modes: int = ALL_MODES) -> Truth:
    """Read a whole tree, these of the permission bits."""
    found: Truth = {}
    for path, node in snapshot(root).items():
        if path.startswith(_OURS):
            continue
        full = os.fsencode(root) + b"/" + path
        about = os.lstat(full)
        owner = (about.st_uid, about.st_gid) if os.geteuid() == 0 else (0, 0)
        found[path] = Whole(node._replace(mode=node.mode & modes), owner, _attributes(full))
    return found


def masked(whole: Truth, modes: int) -> Truth:
    """The same with these of the permission bits."""
    return {path: each._replace(node=each.node._replace(mode=each.node.mode & modes)) for path, each in whole.items()}


def differences(wanted: Truth, found: Truth, most: int = 12) -> str:
    """Say how two trees differ, a line for each path; empty when they are equal."""
    paths = [path for path in sorted(wanted.keys() | found.keys()) if wanted.get(path) != found.get(path)]
    lines = [f"{_show(path)}: wanted {wanted.get(path)}, found {found.get(path)}" for path in paths[:most]]
    return "\n".join([*lines, *([f"... and {len(paths) - most} more"] if len(paths) > most else [])])


def _attributes(path: bytes) -> tuple[tuple[str, bytes], ...]:
    if not _XATTRS:
        return ()
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)


def _show(path: bytes) -> str:
    """Long names shortened."""
    return "/".join(repr(part) if len(part) < 40 else f"{part[:4]!r}...{len(part)}" for part in path.split(b"/"))

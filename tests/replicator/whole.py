"""What a file is beside its bytes, looked at and made as the kernel has it."""

import os
import struct
from pathlib import Path

from replicator.attributes import carried

#: A file's rights for itself to bind low ports: revision 2, effective, bit 10.
CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
ACL = "system.posix_acl_access"
DEFAULT_ACL = "system.posix_acl_default"


def acl(mode: int, *users: tuple[int, int]) -> bytes:
    """An ACL of a mode and of what some users may do; its mask is the mode's group bits."""
    nobody = 0xFFFFFFFF
    entries = [(0x01, mode >> 6 & 7, nobody)]
    entries += [(0x02, rights, user) for user, rights in users]
    entries += [(0x04, mode >> 3 & 7, nobody), (0x10, mode >> 3 & 7, nobody), (0x20, mode & 7, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def xattrs(path: Path) -> dict[str, bytes]:
    """The attributes of a path that are carried."""
    names = os.listxattr(path, follow_symlinks=False)
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names if carried(os.fsencode(name))}


def all_xattrs(root: Path) -> dict[str, dict[str, bytes]]:
    """Those of a whole tree, by path, without paths that have none."""
    return {str(path.relative_to(root)): found for path in root.rglob("*") if (found := xattrs(path))}


def room(path: Path) -> int:
    """Bytes that a file takes on disk."""
    return path.stat().st_blocks * 512


def with_holes(path: Path, size: int, *data: tuple[int, bytes]) -> None:
    """A file of this size with bytes at some places and holes between."""
    with path.open("wb") as file:
        for at, piece in data:
            file.seek(at)
            file.write(piece)
        file.truncate(size)

"""What stands at a source's root, and by which number it is known again."""

import os

from replicator.guard import Root

#: SQLite's integers have a sign.
_POSITIVE = (1 << 63) - 1


def look(path: bytes) -> Root | None:
    """What stands there; None when no folder does, or none that can be listed."""
    try:
        disk, inode = identity(path)
        with os.scandir(path) as entries:
            empty = next(entries, None) is None
    except OSError:
        return None
    return Root(disk, inode, empty)


def is_empty(path: bytes) -> bool:
    """Whether a folder stands there and nothing is in it."""
    root = look(path)
    return root is not None and root.empty


def stands(path: bytes, known: tuple[int, int]) -> bool:
    """Whether the folder of this identity stands there."""
    try:
        return identity(path) == known
    except OSError:
        return False


def identity(path: bytes) -> tuple[int, int]:
    """File system and inode of a folder.

    The file system's own id (from its UUID on ext4 and tmpfs) outlives reboots and tells another disk under the same
    device's name; the device's number does neither and serves where there is no id.
    """
    found = os.lstat(path + b"/.")
    disk = os.statvfs(path + b"/.").f_fsid or found.st_dev
    return disk & _POSITIVE, found.st_ino & _POSITIVE

"""The words of replication: a path's state, and one entry of a tree."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a path is. Sockets, pipes and devices are left out and told."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


class Meta(msgspec.Struct, frozen=True, kw_only=True, array_like=True, omit_defaults=False):
    """Everything of a path but its bytes. New elements go to the end, readers ignore what they do not know.

    Attributes:
        kind: what it is.
        mode: permission bits, 0o0000-0o7777.
        mtime_ns: modification time, nanoseconds since 1970.
        uid: owner.
        gid: group.
        size: bytes of a file, 0 for the rest.
        target: what a link says, as bytes; empty for the rest.
        open: true when a writer never stopped and this is one marked moment of the file.
    """

    kind: Kind
    mode: int
    mtime_ns: int
    uid: int
    gid: int
    size: int = 0
    target: bytes = b""
    open: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One path of a source in one state.

    Attributes:
        path: relative to the source, bytes as the kernel has them, parts joined by `/`, never empty, no `.` or `..`.
        meta: its state.
        hash: SHA-256 of a file's bytes (32 bytes), empty for folders and links.
    """

    path: bytes
    meta: Meta
    hash: bytes = b""

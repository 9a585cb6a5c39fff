"""The words of replication: a path's state, and one entry of a tree."""

from enum import StrEnum

import msgspec

#: Extended attributes, sorted by name: name and value.
Xattrs = tuple[tuple[bytes, bytes], ...]


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
        xattrs: extended attributes, ACLs among them (`attributes.carried`); at most `attributes.XATTRS_MAX` bytes.
        lacking: how many more it has that were too large or could not be read.
        sparse: whether a file has holes.
        inode: the same number for every name of one file that has, or had, several; 0 for the rest.
    """

    kind: Kind
    mode: int
    mtime_ns: int
    uid: int
    gid: int
    size: int = 0
    target: bytes = b""
    open: bool = False
    xattrs: Xattrs = ()
    lacking: int = 0
    sparse: bool = False
    inode: int = 0


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

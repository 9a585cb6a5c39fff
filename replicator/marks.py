"""By which marks a path is held to be unchanged."""

import os
import stat

from replicator.change import Kind, Meta
from replicator.journal_rows import Known

#: A file changed less than this before it was read may change again within the same tick of its file system's clock.
RACY_NS = 1_000_000_000

_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}


def kind_of(found: os.stat_result) -> Kind | None:
    """What it is; None for sockets, pipes and devices, which are left out."""
    return _KINDS.get(stat.S_IFMT(found.st_mode))


def meta_of(found: os.stat_result, kind: Kind, *, target: bytes = b"") -> Meta:
    """Its state as the vault keeps it."""
    return Meta(
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        mtime_ns=found.st_mtime_ns,
        uid=found.st_uid,
        gid=found.st_gid,
        size=found.st_size if kind is Kind.FILE else 0,
        target=target,
    )


def unchanged(known: Known, found: os.stat_result, kind: Kind) -> bool:
    """Whether what the vault has is certainly what stands here.

    Change time decides, since modification time can be set back. Folders need only look the same.
    """
    meta = known.meta
    if meta.kind is not kind or meta.open or meta.mode != stat.S_IMODE(found.st_mode):
        return False
    if meta.mtime_ns != found.st_mtime_ns or meta.uid != found.st_uid or meta.gid != found.st_gid:
        return False
    if kind is Kind.FOLDER:
        return True
    if known.racy or known.ino != found.st_ino or known.ctime_ns != found.st_ctime_ns:
        return False
    return kind is Kind.LINK or meta.size == found.st_size


def same_moment(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether nobody wrote to the file between these two looks."""
    return (
        one.st_mtime_ns == other.st_mtime_ns
        and one.st_size == other.st_size
        and one.st_ctime_ns == other.st_ctime_ns
        and one.st_ino == other.st_ino
    )

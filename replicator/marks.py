"""By which marks a path is held to be unchanged."""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from replicator.attributes import read_xattrs
from replicator.change import Kind, Meta, Xattrs
from replicator.holes import has_holes
from replicator.journal_rows import Known

#: What a busy disk may need to write back what is due.
_BUSY_NS = 25_000_000_000
#: A day: where the kernel writes nothing back by itself, somebody has asked it to by then.
_NEVER_NS = 86_400_000_000_000


def settled_ns(settings: Path) -> int:
    """Nanoseconds until a page that was written is on its disk, by the kernel's settings; 60 s by its own defaults.

    Args:
        settings: the folder of them.
    """
    try:
        names = ("dirty_expire_centisecs", "dirty_writeback_centisecs")
        expire, every = (int((settings / name).read_text()) for name in names)
    except (OSError, ValueError):
        expire, every = 3000, 500
    if not every:
        return _NEVER_NS  # only on demand
    return (expire + every) * 10_000_000 + _BUSY_NS


#: Whatever was changed less than this before it was read may change again within the same tick of its file system's
#: clock: FAT counts in steps of 2 s, ext4 with small inodes in seconds, others by the kernel's ticks of 1 to 10 ms.
TICK_NS = 3_000_000_000
#: So may the bytes of a file through a mapping, and for longer. The kernel notes a change at the first write to a page;
#: the next ones leave no mark until the page has been written back, for only then is it protected again. No event tells
#: of them but the closing, which may be days away, and nobody may know who has mapped a file without the right to look
#: into every process. So such a file is read once more by the first scan after this time; folders, links and empty
#: files have no pages, and are not.
RACY_NS = settled_ns(Path("/proc/sys/vm"))

#: SQLite's integers, and the format's, have a sign.
_POSITIVE = (1 << 63) - 1
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}


def kind_of(found: os.stat_result) -> Kind | None:
    """What it is; None for sockets, pipes and devices, which are left out."""
    return _KINDS.get(stat.S_IFMT(found.st_mode))


class Extra(NamedTuple):
    """What of a path's state does not stand in its `stat`; as in `Meta`."""

    xattrs: Xattrs = ()
    lacking: int = 0
    sparse: bool = False
    inode: int = 0


_PLAIN = Extra()


def extra_of_file(descriptor: int, found: os.stat_result, *, shared: int = 0) -> Extra:
    """What an open file has beside its bytes.

    Args:
        descriptor: the file.
        found: its `stat`.
        shared: the number that its name had among other names before: it stays, so that a link that comes and goes
            changes nothing of the file that it is another name of.

    Raises:
        OSError: it cannot be looked at.
    """
    xattrs, lacking = read_xattrs(descriptor, Kind.FILE)
    inode = found.st_ino & _POSITIVE
    return Extra(xattrs, lacking, has_holes(descriptor, found), inode if found.st_nlink > 1 or inode == shared else 0)


def extra_of_name(folder: int, name: bytes, kind: Kind) -> Extra:
    """What a folder or link has, by its name in an open folder, which need not be readable.

    Raises:
        OSError: it is gone.
    """
    return Extra(*read_xattrs(b"/proc/self/fd/%d/%s" % (folder, name), kind))


def meta_of(found: os.stat_result, kind: Kind, *, target: bytes = b"", extra: Extra = _PLAIN) -> Meta:
    """Its state as the vault keeps it."""
    return Meta(
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        mtime_ns=_time(found.st_mtime_ns),
        uid=found.st_uid,
        gid=found.st_gid,
        size=found.st_size if kind is Kind.FILE else 0,
        target=target,
        xattrs=extra.xattrs,
        lacking=extra.lacking,
        sparse=extra.sparse,
        inode=extra.inode,
    )


def unchanged(known: Known, found: os.stat_result, kind: Kind) -> bool:
    """Whether what the vault has is certainly what stands here.

    Change time decides, since modification time can be set back and attributes leave it as it is.
    """
    meta = known.meta
    if meta.kind is not kind or meta.open or meta.mode != stat.S_IMODE(found.st_mode):
        return False
    if meta.mtime_ns != _time(found.st_mtime_ns) or meta.uid != found.st_uid or meta.gid != found.st_gid:
        return False
    if known.racy or known.ino != found.st_ino or known.ctime_ns != found.st_ctime_ns:
        return False
    return kind is not Kind.FILE or meta.size == found.st_size


def _time(time_ns: int) -> int:
    """As it can be said and kept: some file systems hold years for which 64 bits of nanoseconds are too few."""
    return max(-_POSITIVE, min(_POSITIVE, time_ns))


def same_moment(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether nobody wrote to the file between these two looks."""
    return (
        one.st_mtime_ns == other.st_mtime_ns
        and one.st_size == other.st_size
        and one.st_ctime_ns == other.st_ctime_ns
        and one.st_ino == other.st_ino
    )

"""Which file systems are mounted where, as far as it decides how a tree can be watched."""

import re
from pathlib import Path
from typing import NamedTuple

_OCTAL = re.compile(rb"\\([0-7]{3})")
#: File systems that other machines change too: the kernel tells only of what this machine does.
_SHARED = {
    b"nfs", b"nfs4", b"cifs", b"smb3", b"smbfs", b"9p", b"afs", b"ceph", b"coda", b"gfs2", b"lustre", b"ncpfs",
    b"ocfs2", b"virtiofs", b"beegfs", b"gpfs", b"orangefs", b"fuse",
}  # fmt: skip


class Mount(NamedTuple):
    """One line of `mountinfo`.

    Attributes:
        device: the file system's number there, `8:1`.
        point: where it is mounted.
        kind: what it is, `ext4`.
    """

    device: bytes
    point: bytes
    kind: bytes

    @property
    def shared(self) -> bool:
        """Whether other machines may change it unseen; what a program serves (`fuse.sshfs`) is held to be so."""
        return self.kind in _SHARED or self.kind.startswith(b"fuse.")


def mounts() -> list[Mount]:
    """Every mount that this process can see, the later ones over the earlier."""
    return [_mount(line) for line in Path("/proc/self/mountinfo").read_bytes().splitlines()]


def mount_of(path: bytes, among: list[Mount]) -> Mount | None:
    """The mount that a path without links stands on."""
    found = None
    for mount in among:
        holds = mount.point in {b"/", path} or path.startswith(mount.point + b"/")
        if holds and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def inside(path: bytes, among: list[Mount]) -> list[Mount]:
    """The mounts below a path."""
    start = path.rstrip(b"/") + b"/"
    return [mount for mount in among if mount.point.startswith(start) and mount.point != start]


def _mount(line: bytes) -> Mount:
    words = line.split(b" ")
    point = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), words[4])
    return Mount(words[2], point, words[words.index(b"-", 6) + 1])

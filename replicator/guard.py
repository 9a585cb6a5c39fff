"""Decides whether what stands at a source's root is the source, so that a disk that is not mounted deletes nothing."""

from typing import NamedTuple


class Root(NamedTuple):
    """What stands at the root's path.

    Attributes:
        disk: number of its file system, by which another disk in the same place is told from it.
        inode: its own number there.
        empty: whether nothing is in it.
    """

    disk: int
    inode: int
    empty: bool

    @property
    def identity(self) -> tuple[int, int]:
        """What another mount or another folder does not share."""
        return (self.disk, self.inode)


class Verdict(NamedTuple):
    """Whether the root may be read as the source; `replaced`: it may, but mass deletions are not believed."""

    fit: bool
    replaced: bool
    reason: str


def judge(remembered: tuple[int, int], found: Root | None, paths: int, *, accepted: bool = False) -> Verdict:
    """What to make of what stands there.

    Args:
        remembered: identity when it was last read whole and something was in it, (0, 0) at first.
        found: what stands there now, None when no folder does.
        paths: how many paths the vault has of this source.
        accepted: the operator said that it is right as it is.
    """
    if found is None:
        return Verdict(fit=False, replaced=False, reason="no folder there")
    if remembered == (0, 0) and found.empty and paths and not accepted:
        return Verdict(fit=False, replaced=True, reason="empty, and the vault has files of it: is the disk mounted?")
    if accepted or remembered in {(0, 0), found.identity}:
        return Verdict(fit=True, replaced=False, reason="the same folder")
    if found.empty and paths:
        return Verdict(fit=False, replaced=True, reason="another folder, empty: is the disk mounted?")
    return Verdict(fit=True, replaced=True, reason="another folder, with files")


def hold_deletions(deleted: int, paths: int, *, replaced: bool) -> bool:
    """Whether one scan's deletions are held until somebody has looked: more than half are gone and the root is another.

    A big deletion under the same root is sent: at the vault it is a record, and the versions stay.
    """
    return replaced and deleted * 2 > paths


def judge_mount(now: tuple[int, int] | None, paths: int, missing: int) -> str:
    """Why a place inside the source, where another file system was mounted before, is not to be believed; or empty.

    Args:
        now: identity of what is mounted there now, None when nothing is.
        paths: how many names the vault has in it.
        missing: how many of them are not there now.
    """
    if now is None:
        return "not mounted" if paths else ""
    return "another file system, without most of the files" if missing * 2 > paths else ""

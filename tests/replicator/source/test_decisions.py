"""The pure decisions: the root, exclusion, unchanged files."""

import os
from pathlib import Path

import pytest

from replicator.change import Kind
from replicator.exclude import Excludes
from replicator.guard import Root, hold_deletions, judge
from replicator.journal_rows import Known
from replicator.marks import meta_of, unchanged


@pytest.mark.parametrize(
    ("remembered", "found", "paths", "fit", "replaced"),
    [
        ((0, 0), Root(1, 2, empty=False), 0, True, False),
        ((0, 0), Root(1, 2, empty=True), 0, True, False),
        ((1, 2), Root(1, 2, empty=False), 9, True, False),
        ((1, 2), Root(1, 2, empty=True), 9, True, False),
        ((1, 2), None, 9, False, False),
        ((0, 0), None, 0, False, False),
        ((1, 2), Root(3, 2, empty=True), 9, False, True),
        ((1, 2), Root(3, 2, empty=True), 0, True, True),
        ((1, 2), Root(3, 2, empty=False), 9, True, True),
    ],
)
def test_the_root_is_judged(
    remembered: tuple[int, int], found: Root | None, paths: int, *, fit: bool, replaced: bool
) -> None:
    """A root that is missing, or another and empty, is not the source; another one with files is, with care."""
    verdict = judge(remembered, found, paths)
    assert (verdict.fit, verdict.replaced) == (fit, replaced)


def test_an_operator_may_accept_a_root() -> None:
    """What is empty and another is the source once somebody said so; a missing one never is."""
    assert judge((1, 2), Root(3, 4, empty=True), 9, accepted=True).fit
    assert not judge((1, 2), None, 9, accepted=True).fit


def test_deletions_are_held_only_under_another_root() -> None:
    """More than half gone under another root is held; under the same root it is people's work."""
    assert hold_deletions(6, 10, replaced=True)
    assert not hold_deletions(5, 10, replaced=True)
    assert not hold_deletions(10, 10, replaced=False)


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        (b"a.tmp", True),
        (b"deep/er/a.tmp", True),
        (b"~$x.hwp", True),
        (b"cache/2025/x", True),
        (b"work/cache/2025/x", False),
        (b"skip/deep/x", True),
        (b"a.tmp/inside", True),
        (b"tmp", False),
        (b"line\n.tmp", True),
        ("보고서.tmp".encode("cp949"), True),
    ],
)
def test_exclusion(path: bytes, *, excluded: bool) -> None:
    """Patterns meet each name and the whole path, and what lies under a match is out with it."""
    assert (path in Excludes(["*.tmp", "~$*", "cache/*", "skip"])) is excluded


def test_nothing_is_excluded_without_patterns() -> None:
    """No pattern, no exclusion."""
    assert b"a.tmp" not in Excludes([])


def _known(path: Path, *, racy: bool = False) -> Known:
    found = path.lstat()
    return Known(meta=meta_of(found, Kind.FILE), hash=b"h", ino=found.st_ino, ctime_ns=found.st_ctime_ns, racy=racy)


def test_a_file_is_unchanged_only_by_all_marks(tmp_path: Path) -> None:
    """Content rewritten with its modification time set back is a change, by its change time; so are rights."""
    path = tmp_path / "file"
    path.write_text("one")
    before = path.lstat()
    known = _known(path)
    assert unchanged(known, path.lstat(), Kind.FILE)
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not unchanged(known, path.lstat(), Kind.FILE)
    known = _known(path)
    path.chmod(0o600)
    assert not unchanged(known, path.lstat(), Kind.FILE)


def test_a_file_read_too_soon_after_its_change_is_not_trusted(tmp_path: Path) -> None:
    """Clocks of file systems tick: what changed as it was read may have changed again under the same times."""
    path = tmp_path / "file"
    path.write_text("one")
    assert not unchanged(_known(path, racy=True), path.lstat(), Kind.FILE)

"""The scan: a real tree against a real journal."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from replicator.change import Kind
from replicator.exclude import Excludes
from replicator.journal import Journal
from replicator.journal_rows import Known
from replicator.marks import kind_of, meta_of
from replicator.scanner import Found, Scanned, Scanner


class Bench:
    """A tree of 2 folders with 3 files each, all of it known to the journal."""

    def __init__(self, tmp_path: Path) -> None:
        self.tree = tmp_path / "tree"
        for folder in ("a", "b"):
            (self.tree / folder).mkdir(parents=True)
            for name in "xyz":
                (self.tree / folder / name).write_text(name)
        self.journal = Journal(tmp_path / "replicator.sqlite")
        self.number, _ = self.journal.source("docs")
        for path in sorted(self.tree.rglob("*")):
            found = path.lstat()
            kind = kind_of(found) or Kind.FILE
            known = Known(meta=meta_of(found, kind), ino=found.st_ino, ctime_ns=found.st_ctime_ns, racy=False)
            self.journal.put(self.number, os.fsencode(path.relative_to(self.tree)), known)
        self.journal.flush()
        self.found: list[Found] = []

    def scanner(self, *exclude: str) -> Scanner:
        """A scanner that has not run."""
        return Scanner(os.fsencode(self.tree), self.number, self.journal, Excludes(exclude), self._hand)

    def _hand(self, batch: Sequence[Found]) -> None:
        self.found += batch

    def scan(self, *exclude: str, replaced: bool = False) -> tuple[set[bytes], Scanned]:
        """Which paths differ, and what the scan said."""
        self.found.clear()
        scanned = self.scanner(*exclude).scan(replaced=replaced)
        return {found.path for found in self.found}, scanned


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A known tree."""
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


def test_an_unchanged_tree_gives_nothing(bench: Bench) -> None:
    """What the journal knows is not handed over again."""
    differing, scanned = bench.scan()
    assert differing == set()
    assert (scanned.whole, scanned.paths, scanned.held) == (True, 8, 0)


def test_every_kind_of_difference_is_found(bench: Bench) -> None:
    """New, rewritten, gone, other rights, another kind: each is handed over, and only these (and their folders)."""
    (bench.tree / "a" / "new").write_text("new")
    (bench.tree / "a" / "x").write_text("other")
    (bench.tree / "a" / "y").chmod(0o600)
    (bench.tree / "a" / "z").unlink()
    (bench.tree / "b" / "x").unlink()
    (bench.tree / "b" / "x").symlink_to("y")
    differing, _ = bench.scan()
    assert differing == {b"a", b"a/new", b"a/x", b"a/y", b"a/z", b"b", b"b/x"}


def test_content_changed_under_the_same_modification_time_is_found(bench: Bench) -> None:
    """A file rewritten with the same size, its modification time set back, is found by its change time."""
    path = bench.tree / "a" / "x"
    before = path.lstat()
    path.write_text("X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    differing, _ = bench.scan()
    assert differing == {b"a/x"}


def test_a_folder_that_cannot_be_listed_deletes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on bad sectors is named with its reason, and nothing in it counts as gone."""
    real = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"/a"):
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr("replicator.scanner.os.scandir", scandir)
    differing, scanned = bench.scan()
    assert differing == set()
    assert scanned.unreadable == [(b"a", "input/output error")]
    assert scanned.unreadable_count == 1


def test_excluded_paths_are_neither_sent_nor_deleted(bench: Bench) -> None:
    """A path that becomes excluded is left as it is at the vault."""
    (bench.tree / "a" / "x").unlink()
    differing, _ = bench.scan("a")
    assert differing == set()


def test_special_files_are_counted(bench: Bench) -> None:
    """A pipe is counted; one in the place of a known file means that the file is gone."""
    os.mkfifo(bench.tree / "pipe")
    (bench.tree / "a" / "x").unlink()
    os.mkfifo(bench.tree / "a" / "x")
    differing, scanned = bench.scan()
    assert b"a/x" in differing
    assert b"pipe" not in differing
    assert scanned.special == 2


@pytest.mark.parametrize(("gone", "held"), [(["a"], 0), (["a", "b"], 8)])
def test_under_another_root_many_deletions_are_held(bench: Bench, gone: list[str], held: int) -> None:
    """With the root replaced, up to half of the paths may be gone; more than half is held, and nothing is deleted."""
    for folder in gone:
        (bench.tree / folder).rename(bench.tree.parent / folder)
    differing, scanned = bench.scan(replaced=True)
    assert scanned.held == held
    assert differing == (set() if held else {b"a"})


def test_a_stopped_scan_says_that_it_is_not_whole(bench: Bench) -> None:
    """A scan that is stopped ends soon and claims nothing."""
    scanner = bench.scanner()
    scanner.stop()
    assert not scanner.scan(replaced=False).whole


def test_a_missing_root_is_an_error(bench: Bench) -> None:
    """A root that cannot be listed is no empty source."""
    bench.tree.rename(bench.tree.parent / f"away-{time.time_ns()}")
    with pytest.raises(FileNotFoundError):
        bench.scan()

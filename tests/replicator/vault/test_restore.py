"""Restoring: what is made, what is refused, and what is said."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from replicator.change import Entry, Kind
from replicator.errors import PathError, TargetError, UnknownError
from replicator.local import LocalArchive
from replicator.plan import missing, plan
from replicator.restore import Restored, restore
from tests.replicator.vault.support import (
    SOURCE,
    expected,
    file_meta,
    folder_meta,
    link_meta,
    look,
    opened,
    put,
    put_file,
)

LONG = b"x" * 255


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A vault with a tree of hard names and states."""
    root = tmp_path / "vault"
    with opened(root) as bench:
        bench.say(put(b"locked", folder_meta(mode=0o000)))
        bench.say(put(b"locked/in", folder_meta(mode=0o500)))
        bench.file(b"locked/in/f", b"secret", mode=0o400)
        bench.file(b"no/parents/said/f", b"1")
        bench.file("한글 이름".encode("cp949"), b"cp949")
        bench.file(b"new\nline", b"2")
        bench.file(b"/".join([LONG] * 8), b"deep")
        bench.file(b"empty", b"")
        bench.file(b"suid", b"3", mode=0o4755)
        bench.file(b"old", b"4", mtime_ns=-1_000_000_001)
        bench.say(put(b"empty-folder", folder_meta()))
        bench.say(put(b"dangling", link_meta(b"/nowhere/at/all")))
        bench.say(put(b"bytes", link_meta("한글".encode("cp949"))))
    return root


def test_hard_trees_come_back(root: Path, tmp_path: Path) -> None:
    """Names of any bytes, deep paths, closed folders, odd modes and times, links to nowhere: all is as it was."""
    with LocalArchive(root) as archive:
        seen: list[int] = []
        done = restore(archive, tmp_path / "to", progress=lambda so_far: seen.append(so_far.files))
        want = expected(archive)
    assert done.failed == []
    assert (done.files, done.all_files) == (8, 8)
    assert seen == list(range(1, 9))
    found = {path: what for path, what in look(tmp_path / "to").items() if path in want}
    assert found == want
    assert not list((tmp_path / "to").glob(".bongsu*"))


def test_nobody_special_can_restore(root: Path) -> None:
    """A user without rights gets the same tree, folders with mode 0 included."""
    # Everything is imported before the rights go: the checkout may be closed to others.
    program = (
        "import os, sys; from pathlib import Path\n"
        "from replicator.local import LocalArchive; from replicator.restore import restore\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "done = restore(LocalArchive(Path(sys.argv[1])), Path(sys.argv[2]))\n"
        "assert not done.failed, done.failed\n"
    )
    # pytest closes its own folders to others, and opens none for long.
    with tempfile.TemporaryDirectory(prefix="bongsu-test-") as name:
        open_to_all = Path(name)
        open_to_all.chmod(0o755)
        vault, work = open_to_all / "vault", open_to_all / "work"
        shutil.copytree(root, vault, ignore=shutil.ignore_patterns("current"))
        work.mkdir()
        os.chown(work, 65534, 65534)
        subprocess.run([sys.executable, "-c", program, str(vault), str(work / "to")], check=True)
        found = look(work / "to")
    with LocalArchive(root) as archive:
        want = expected(archive)
    assert {path: found[path] for path in want} == want


def test_a_time_a_source_a_path(tmp_path: Path) -> None:
    """A restore gives the state of its time, of its source, of its paths."""
    root = tmp_path / "vault"
    with opened(root) as bench:
        bench.file(b"d/a", b"1")
        bench.file(b"d/b", b"1")
        bench.file(b"d/a", b"2")
        bench.say(put_file(b"p", b"x", source="photos"), b"x")
    with LocalArchive(root) as archive:
        first = next(archive.past(SOURCE, b"d/b")).at_ns
        restore(archive, tmp_path / "then", first, SOURCE)
        restore(archive, tmp_path / "both")
        restore(archive, tmp_path / "one", 0, SOURCE, [b"./d/a", b"d/b/"])
    assert (tmp_path / "then" / "d" / "a").read_bytes() == b"1"
    assert (tmp_path / "both" / SOURCE / "d" / "a").read_bytes() == b"2"
    assert (tmp_path / "both" / "photos" / "p").read_bytes() == b"x"
    assert set(look(tmp_path / "one")) == {b"d", b"d/a", b"d/b"}


def test_a_time_before_everything_is_no_empty_restore(root: Path, tmp_path: Path) -> None:
    """Who asks for a moment when nothing was kept yet is told so, and finds no empty folder taken for a restore."""
    with LocalArchive(root) as archive, pytest.raises(UnknownError, match="nothing was there"):
        restore(archive, tmp_path / "to", 1)
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("what", ["full", "file"])
def test_only_an_empty_folder_is_restored_into(root: Path, tmp_path: Path, what: str) -> None:
    """Nothing that is there is ever written over."""
    target = tmp_path / "to"
    if what == "full":
        target.mkdir()
        (target / "mine").write_text("mine")
    else:
        target.write_text("mine")
    with LocalArchive(root) as archive, pytest.raises(TargetError, match=str(target)):
        restore(archive, target)
    assert (target / "mine" if what == "full" else target).read_text() == "mine"


@pytest.mark.parametrize("path", [b"emtpy", b"locked/in/g", b"..", b"/etc/passwd"])
def test_a_path_that_is_not_there_is_named(root: Path, tmp_path: Path, path: bytes) -> None:
    """The error names the path and what is close to it; nothing is made."""
    with LocalArchive(root) as archive, pytest.raises(UnknownError) as caught:
        restore(archive, tmp_path / "to", 0, None, [b"old", path])
    assert caught.value.hint
    if path == b"emtpy":
        assert "empty" in caught.value.hint
    assert not (tmp_path / "to").exists()


def test_a_source_that_is_not_there_is_named(root: Path, tmp_path: Path) -> None:
    """The error says which sources there are."""
    with LocalArchive(root) as archive, pytest.raises(UnknownError) as caught:
        restore(archive, tmp_path / "to", 0, "doks")
    assert SOURCE in caught.value.hint


class Lying(LocalArchive):
    """A vault that somebody else holds: it names what lies elsewhere."""

    named: dict[str, int] | None = None

    def sources(self) -> dict[str, int]:
        """As in `Archive`."""
        return self.named or super().sources()

    def tree(self, source: str, at_ns: int = 0, paths: Sequence[bytes] = ()) -> Generator[Entry, None, None]:
        """As in `Archive`."""
        for entry in super().tree(source, at_ns, paths):
            yield entry
            if entry.meta.kind is not Kind.FOLDER:
                yield replace(entry, path=b"../" + entry.path.rpartition(b"/")[2])


def test_nothing_is_made_outside_of_the_folder(root: Path, tmp_path: Path) -> None:
    """Paths and source ids that lead elsewhere are refused, whatever the vault says; the rest comes back."""
    target = tmp_path / "deep" / "back"
    with Lying(root) as archive:
        done = restore(archive, target)
        assert done.failed
        assert all("no name" in why for _, why in done.failed)
        archive.named = {"../elsewhere": 1, SOURCE: 1}
        with pytest.raises(PathError, match="elsewhere"):
            restore(archive, tmp_path / "again")
    assert [path.name for path in target.parent.iterdir()] == ["back"]
    assert done.files == len([path for path in target.rglob("*") if path.is_file() and not path.is_symlink()])


def test_one_file_that_cannot_be_made_does_not_stop_the_rest(root: Path, tmp_path: Path) -> None:
    """What fails is named with its reason at the end."""
    with LocalArchive(root) as archive:
        whole = archive.fetch

        def broken(digest: bytes, offset: int = 0):  # type: ignore[no-untyped-def]  # noqa: ANN202
            if digest == next(archive.past(SOURCE, b"old")).hash:
                raise OSError(5, "Input/output error")
            return whole(digest, offset)

        archive.fetch = broken  # type: ignore[method-assign]
        done = restore(archive, tmp_path / "to")
    assert done.failed == [("old", "input/output error")]
    assert isinstance(done, Restored)
    assert done.files == 7


_entries = st.lists(
    st.builds(
        lambda path, meta: Entry(path=path, meta=meta),
        st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=3).map(b"/".join),
        st.sampled_from([file_meta(b"xy"), folder_meta(), link_meta(b"t")]),
    ),
    max_size=20,
)


@given(_entries)
def test_a_plan_holds_every_entry_once(entries: list[Entry]) -> None:
    """Nothing is lost and nothing doubled between listing and plan; sizes add up."""
    made = plan(entries)
    assert sorted(map(repr, (*made.folders, *made.files, *made.links))) == sorted(map(repr, entries))
    assert made.bytes == 2 * len(made.files)
    assert missing([entry.path for entry in entries], [made]) == []
    assert missing([b"zz"], [made]) == [b"zz"]

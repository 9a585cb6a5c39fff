"""One suite over the three ways to see a tree: what changed between two looks is told, whichever way it is seen."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.replicator.source.eyes import WATCHERS, Events, Eyes, Scans
from tests.replicator.source.support import NAMES


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty tree."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.fixture(params=[Scans, *(partial(Events, make=each) for each in WATCHERS)], ids=str)
def eyes(root: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Eyes]:
    """Each way, already looking."""
    eyes: Eyes = request.param(root, tmp_path)
    eyes.open()
    yield eyes
    eyes.close()


def test_new_folders_at_full_speed(root: Path, eyes: Eyes) -> None:
    """250 times `mkdir -p a/b/c/d` and two files by each of two threads at full speed: no path is missed."""

    def make(first: int) -> None:
        for number in range(first, first + 250):
            deep = root / str(number) / "b" / "c" / "d"
            deep.mkdir(parents=True)
            for name in "xy":
                (deep / name).write_text(name)

    threads = [threading.Thread(target=make, args=(first,)) for first in (0, 250)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = eyes.see()
    for number in range(500):
        parts = [str(number), "b", "c", "d"]
        wanted = {"/".join(parts[:deep]).encode() for deep in range(1, 5)}
        wanted |= {f"{number}/b/c/d/{name}".encode() for name in "xy"}
        assert wanted <= seen


def test_in_and_out_and_within(root: Path, tmp_path: Path, eyes: Eyes) -> None:
    """Files and folders that are moved in, out and within are told where they were and where they are."""
    (root / "a" / "deep").mkdir(parents=True)
    (root / "a" / "deep" / "file").write_text("x")
    (root / "out").write_text("x")
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "file").write_text("x")
    eyes.see()
    (root / "a").rename(root / "z")
    (root / "out").rename(tmp_path / "out")
    (tmp_path / "new").rename(root / "new")
    seen = eyes.see()
    assert {b"a", b"z", b"z/deep", b"z/deep/file", b"out", b"new", b"new/deep", b"new/deep/file"} <= seen
    (root / "z" / "deep" / "later").write_text("x")
    (root / "new" / "deep" / "later").write_text("x")
    assert {b"z/deep/later", b"new/deep/later"} <= eyes.see()
    (root / "z").rename(tmp_path / "z")
    assert b"z" in eyes.see()
    (tmp_path / "z" / "deep" / "later").write_text("y")
    assert not eyes.see()


def test_a_rename_of_letters_only(root: Path, eyes: Eyes) -> None:
    """A rename that changes only the case of a file's or folder's name is told as both names."""
    (root / "Folder").mkdir()
    (root / "Folder" / "Report.hwp").write_text("x")
    eyes.see()
    (root / "Folder" / "Report.hwp").rename(root / "Folder" / "report.hwp")
    assert {b"Folder/Report.hwp", b"Folder/report.hwp"} <= eyes.see()
    (root / "Folder").rename(root / "folder")
    assert {b"Folder", b"folder", b"folder/report.hwp"} <= eyes.see()


def test_hard_links(root: Path, eyes: Eyes) -> None:
    """A second name of a file is told, and a change of the file under the name through which it was written."""
    (root / "one").write_text("x")
    eyes.see()
    (root / "two").hardlink_to(root / "one")
    assert b"two" in eyes.see()
    (root / "two").write_text("longer")
    assert b"two" in eyes.see()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_bytes(root: Path, eyes: Eyes, name: bytes) -> None:
    """Any name that the kernel allows is told byte for byte, of folders and of files in them."""
    folder = root / os.fsdecode(name)
    folder.mkdir()
    (folder / os.fsdecode(name)).write_text("x")
    assert {name, name + b"/" + name} <= eyes.see()


def test_what_is_deleted_while_it_is_watched(root: Path, eyes: Eyes) -> None:
    """A file that is deleted while a writer has it open, and a whole tree that goes, are told."""
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("x")
    eyes.see()
    with (root / "open").open("wb") as file:
        file.write(b"x")
        file.flush()
        assert b"open" in eyes.see()
        (root / "open").unlink()
        assert b"open" in eyes.see()
        file.write(b"more")
    (root / "a" / "b" / "file").unlink()
    (root / "a" / "b").rmdir()
    (root / "a").rmdir()
    assert {b"a", b"a/b", b"a/b/file"} <= eyes.see()


def test_rights_and_times(root: Path, eyes: Eyes) -> None:
    """Rights and times of files and folders are told, also a time that is set back."""
    (root / "file").write_text("x")
    (root / "folder").mkdir()
    eyes.see()
    for change in (
        lambda path: path.chmod(0o700),
        lambda path: os.utime(path, (1, 1)),
    ):
        change(root / "file")
        change(root / "folder")
        assert {b"file", b"folder"} <= eyes.see()


def test_quiet_is_quiet(root: Path, eyes: Eyes) -> None:
    """Reading and listing tell nothing: no way of seeing feeds on itself."""
    (root / "folder").mkdir()
    (root / "folder" / "file").write_text("x")
    eyes.see()
    assert (root / "folder" / "file").read_text() == "x"
    assert len(list(root.rglob("*"))) == 2
    assert not eyes.see()

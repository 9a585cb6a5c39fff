"""The watchers on a real tree with the kernel's own events: one suite, and what each has of its own."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from replicator.choice import BestWatcher
from replicator.events import InotifyWatcher
from replicator.exclude import Excludes
from replicator.inotify import Inotify
from replicator.watcher import Grade, ScanWatcher, Watcher
from tests.replicator.source.eyes import WATCHERS
from tests.replicator.source.support import LIMIT, NAMES, Heard, until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty tree."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.fixture
def heard() -> Heard:
    """A listener."""
    return Heard()


@pytest.fixture(params=WATCHERS)
def watcher(root: Path, heard: Heard, request: pytest.FixtureRequest) -> Iterator[Watcher]:
    """A watcher of the empty tree, of each kind that this machine allows."""
    watcher: Watcher = request.param()
    watcher.start(os.fsencode(root), heard)
    yield watcher
    watcher.stop()


@pytest.fixture
def inotify(root: Path, heard: Heard) -> Iterator[InotifyWatcher]:
    """One that sets a watch on each folder."""
    watcher = InotifyWatcher()
    watcher.start(os.fsencode(root), heard)
    yield watcher
    watcher.stop()


def test_a_closed_file_is_told(root: Path, watcher: Watcher, heard: Heard) -> None:
    """A file written and closed is told as one to look at now."""
    (root / "a.txt").write_text("a")
    assert watcher.drain(LIMIT)
    assert b"a.txt" in heard.paths()


def test_a_file_being_written_is_told_as_open(root: Path, watcher: Watcher, heard: Heard) -> None:
    """A file that is written and not closed is told as open, so that it can be sent as a marked moment."""
    with (root / "log").open("wb") as file:
        file.write(b"x")
        file.flush()
        assert watcher.drain(LIMIT)
        assert b"log" in heard.paths(Grade.OPEN)
        assert b"log" not in heard.paths()
    assert watcher.drain(LIMIT)
    assert b"log" in heard.paths()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_bytes(root: Path, watcher: Watcher, heard: Heard, name: bytes) -> None:
    """Any name that the kernel allows comes back byte for byte, of files and of folders."""
    folder = root / os.fsdecode(name)
    folder.mkdir()
    (folder / os.fsdecode(name)).touch()
    assert watcher.drain(LIMIT)
    assert {name, name + b"/" + name} <= heard.paths() | heard.paths(Grade.OPEN)


def test_every_kind_of_change_is_told(root: Path, watcher: Watcher, heard: Heard) -> None:
    """Links, hard links, rights, times, renames and deletions are told, each as to be looked at now."""
    (root / "file").write_text("x")
    assert watcher.drain(LIMIT)
    for change, paths in (
        (lambda: (root / "link").symlink_to("nowhere"), {b"link"}),
        (lambda: os.link(root / "file", root / "hard"), {b"hard"}),
        (lambda: (root / "file").chmod(0o600), {b"file"}),
        (lambda: os.utime(root / "file", (1, 1)), {b"file"}),
        (lambda: (root / "file").rename(root / "new"), {b"file", b"new"}),
        ((root / "new").unlink, {b"new"}),
    ):
        heard.clear()
        change()
        assert watcher.drain(LIMIT)
        assert paths <= heard.paths()


def test_a_name_that_comes_or_goes_touches_its_folder(root: Path, watcher: Watcher, heard: Heard) -> None:
    """A folder whose names changed is told, since its times changed."""
    (root / "folder").mkdir()
    (root / "folder" / "a").write_text("x")
    assert watcher.drain(LIMIT)
    heard.clear()
    (root / "folder" / "a").unlink()
    assert watcher.drain(LIMIT)
    assert b"folder" in heard.paths(Grade.FOLDER)


def test_no_file_in_new_folders_is_missed(root: Path, watcher: Watcher, heard: Heard) -> None:
    """2,000 times `mkdir -p a/b/c/d` and five files at full speed: every file is told to be looked at."""
    wanted = set()
    for number in range(2000):
        deep = root / str(number) / "b" / "c" / "d"
        deep.mkdir(parents=True)
        for name in "vwxyz":
            (deep / name).write_text(name)
            wanted.add(f"{number}/b/c/d/{name}".encode())
    assert watcher.drain(LIMIT)
    assert not heard.blinds
    assert not wanted - heard.paths()


def test_a_renamed_folder_is_told_with_all_in_it(root: Path, watcher: Watcher, heard: Heard) -> None:
    """A folder renamed within the tree: what is in it is told at its new place, and later changes there too."""
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "a" / "b" / "c" / "file").write_text("x")
    assert watcher.drain(LIMIT)
    heard.clear()
    (root / "a").rename(root / "z")
    assert watcher.drain(LIMIT)
    assert {b"a", b"z", b"z/b", b"z/b/c", b"z/b/c/file"} <= heard.paths()
    heard.clear()
    (root / "z" / "b" / "c" / "later").write_text("x")
    assert watcher.drain(LIMIT)
    assert heard.paths() == {b"z/b/c/later"}


def test_folders_that_change_places_keep_their_paths(root: Path, watcher: Watcher, heard: Heard) -> None:
    """After many renames onto and past each other, a change is told under the path where it is."""
    for name in ("a", "b", "c"):
        (root / name / "in").mkdir(parents=True)
    for _ in range(200):
        for old, new in (("a", "t"), ("b", "a"), ("c", "b"), ("t", "c")):
            (root / old).rename(root / new)
    assert watcher.drain(LIMIT)
    heard.clear()
    for name in ("a", "b", "c"):
        (root / name / "in" / name).write_text("x")
    assert watcher.drain(LIMIT)
    assert heard.paths() == {b"a/in/a", b"b/in/b", b"c/in/c"}


def test_a_move_out_holds_nothing_back(root: Path, tmp_path: Path, inotify: InotifyWatcher, heard: Heard) -> None:
    """A file and a folder moved out are told at once, and their watches are given back."""
    (root / "gone" / "deep").mkdir(parents=True)
    (root / "file").write_text("x")
    assert inotify.drain(LIMIT)
    before = inotify.folders
    (root / "gone").rename(tmp_path / "gone")
    (root / "file").rename(tmp_path / "file")
    (root / "other").write_text("x")
    assert inotify.drain(LIMIT)
    assert {b"gone", b"file", b"other"} <= heard.paths()
    assert until(lambda: inotify.folders == before - 2)
    heard.clear()
    (tmp_path / "gone" / "deep" / "later").write_text("x")
    assert inotify.drain(LIMIT)
    assert not heard.paths()


def test_a_folder_moved_in_is_told_with_all_in_it(root: Path, tmp_path: Path, watcher: Watcher, heard: Heard) -> None:
    """What comes from outside is told whole and watched from then on."""
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "file").write_text("x")
    (tmp_path / "new").rename(root / "new")
    assert watcher.drain(LIMIT)
    assert {b"new", b"new/deep", b"new/deep/file"} <= heard.paths()
    (root / "new" / "deep" / "later").write_text("x")
    assert watcher.drain(LIMIT)
    assert b"new/deep/later" in heard.paths()


def test_an_overflow_of_inotify_is_told_and_healed(root: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the kernel's queue overflows that is told before and after all is watched anew, and events come again."""
    free = threading.Event()
    free.set()
    read = Inotify.read

    def slow(self: Inotify, limit: float | None) -> object:
        free.wait()
        return read(self, limit)

    monkeypatch.setattr(Inotify, "read", slow)
    watcher = InotifyWatcher()
    watcher.start(os.fsencode(root), heard)
    (root / "folder").mkdir()
    assert watcher.drain(LIMIT)
    free.clear()
    _wake(root)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    first, second = root / "one", root / "two"
    first.touch()
    for _ in range(limit + 100):
        first.rename(second)
        first, second = second, first
    free.set()
    assert until(lambda: len(heard.blinds) >= 2)
    assert all("overflow" in reason and not lasting for reason, lasting in heard.blinds)
    (root / "folder" / "later").write_text("x")
    assert until(lambda: b"folder/later" in heard.paths())
    watcher.stop()


def _wake(root: Path) -> None:
    """One event, so that the watching thread leaves its wait."""
    (root / "wake").touch()


def test_a_tree_beyond_the_limit_of_watches_is_told_as_lasting_blindness(tmp_path: Path) -> None:
    """With fewer watches than folders the watcher works and says for good that it does not see all."""
    for number in range(50):
        (tmp_path / str(number)).mkdir()
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "Path('/proc/sys/user/max_inotify_watches').write_text('20')\n"
        "from replicator.events import InotifyWatcher\n"
        "from tests.replicator.source.support import Heard\n"
        "heard = Heard()\n"
        "watcher = InotifyWatcher()\n"
        "watcher.start(os.fsencode(sys.argv[1]), heard)\n"
        "watcher.stop()\n"
        "assert heard.blinds and all(lasting for _, lasting in heard.blinds), heard.blinds\n"
        "assert 'limit of inotify watches' in heard.blinds[0][0], heard.blinds\n"
        "assert watcher.folders == 20, watcher.folders\n"
    )
    unshare = ["unshare", "--user", "--map-root-user", str(Path(".venv/bin/python").absolute()), "-c", code]
    done = subprocess.run([*unshare, str(tmp_path)], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_lost_root_is_told(root: Path, tmp_path: Path, watcher: Watcher, heard: Heard, how: str) -> None:
    """A root that is removed or moved away is told once as lost."""
    if how == "removed":
        root.rmdir()
    else:
        root.rename(tmp_path / "elsewhere")
    assert until(lambda: heard.losses)
    assert watcher.drain(LIMIT)
    assert len(heard.losses) == 1


@pytest.mark.parametrize("make", WATCHERS)
def test_excluded_paths_are_not_told(root: Path, heard: Heard, make: Callable[[Excludes], Watcher]) -> None:
    """Excluded names and folders, and all in them, are neither told nor watched."""
    watcher = make(Excludes(["*.tmp", "cache"]))
    (root / "cache" / "deep").mkdir(parents=True)
    watcher.start(os.fsencode(root), heard)
    (root / "a.tmp").write_text("x")
    (root / "cache" / "deep" / "file").write_text("x")
    (root / "kept").write_text("x")
    assert watcher.drain(LIMIT)
    assert heard.paths() == {b"kept"}
    assert not isinstance(watcher, InotifyWatcher) or watcher.folders == 1
    watcher.stop()


@pytest.mark.parametrize("make", [*WATCHERS, BestWatcher, ScanWatcher])
def test_the_contract_of_a_watcher(root: Path, heard: Heard, make: type[Watcher]) -> None:
    """Any watcher can be stopped before it starts and twice, drains when idle, and tells nothing once stopped."""
    make().stop()
    watcher = make()
    watcher.start(os.fsencode(root), heard)
    assert watcher.drain(LIMIT)
    watcher.stop()
    watcher.stop()
    (root / "late").write_text("x")
    assert watcher.drain(LIMIT)
    assert not heard.told


@pytest.mark.parametrize("make", [*WATCHERS, BestWatcher])
def test_a_missing_root_is_an_error(tmp_path: Path, heard: Heard, make: type[Watcher]) -> None:
    """A root that is not there is an OSError at the start, not silence."""
    with pytest.raises(FileNotFoundError):
        make().start(os.fsencode(tmp_path / "none"), heard)

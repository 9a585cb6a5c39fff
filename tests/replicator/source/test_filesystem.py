"""What a watch of a whole file system has of its own, on real file systems with the kernel's own events."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replicator import fanotify, filesystem
from replicator.choice import BestWatcher
from replicator.fanotify import Fanotify
from replicator.filesystem import FanotifyWatcher
from replicator.mounts import Mount, mount_of
from tests.replicator.source.support import LIMIT, Heard, until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty tree."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


@contextmanager
def mounted(*options: str | Path, at: Path) -> Iterator[None]:
    """Something mounted there, and gone at the end."""
    subprocess.run(["mount", *options, at], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-q", at], check=False, capture_output=True)


@contextmanager
def watching(root: Path, heard: Heard) -> Iterator[FanotifyWatcher]:
    """A watcher of a tree."""
    watcher = FanotifyWatcher()
    watcher.start(os.fsencode(root), heard)
    try:
        yield watcher
    finally:
        watcher.stop()


@pytest.mark.parametrize("limit", ["ours", "the kernel's"])
def test_an_overflow_is_told_and_healed(root: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """When more waits than is allowed, or the kernel dropped events, that is told as blind, and events come again."""
    free = threading.Event()
    free.set()
    read = Fanotify.read

    def slow(self: Fanotify, limit: float | None) -> object:
        free.wait()
        return read(self, limit)

    monkeypatch.setattr(Fanotify, "read", slow)
    if limit == "ours":
        monkeypatch.setattr(filesystem, "BACKLOG", 1000)
        count = 10_000
    else:
        monkeypatch.setattr(fanotify, "_UNLIMITED_QUEUE", 0)
        count = int(Path("/proc/sys/fs/fanotify/max_queued_events").read_text()) + 100
    heard = Heard()
    with watching(root, heard) as watcher:
        (root / "folder").mkdir()
        assert watcher.drain(LIMIT)
        free.clear()
        (root / "wake").touch()
        for number in range(count):
            (root / str(number)).touch()
        free.set()
        assert until(lambda: heard.blinds)
        assert all("overflow" in reason and not lasting for reason, lasting in heard.blinds)
        (root / "folder" / "later").write_text("x")
        assert until(lambda: b"folder/later" in heard.paths())


def test_changes_elsewhere_are_not_told(root: Path, tmp_path: Path) -> None:
    """The mark is on the whole file system, and only what is under the root is told; not what only begins like it."""
    beside = tmp_path / "tree2"
    beside.mkdir()
    heard = Heard()
    with watching(root, heard) as watcher:
        (beside / "file").write_text("x")
        (tmp_path / "file").write_text("x")
        (root / "file").write_text("x")
        assert watcher.drain(LIMIT)
    assert heard.paths() == {b"file"}


def test_a_file_system_mounted_inside(root: Path) -> None:
    """What is mounted in the tree when the watch begins is watched too; what is mounted later must be begun anew."""
    (root / "disk").mkdir()
    (root / "late").mkdir()
    heard = Heard()
    with mounted("-t", "tmpfs", "none", at=root / "disk"), watching(root, heard) as watcher:
        (root / "disk" / "a").mkdir()
        (root / "disk" / "a" / "file").write_text("x")
        assert watcher.drain(LIMIT)
        assert {b"disk/a", b"disk/a/file"} <= heard.paths()
        assert not heard.losses
        with mounted("-t", "tmpfs", "none", at=root / "late"):
            assert until(lambda: heard.losses)
    assert heard.losses == ["a file system was mounted or unmounted in the tree"]


def test_a_root_is_unmounted(root: Path) -> None:
    """The watch does not keep a file system from being unmounted, and tells that it was."""
    heard = Heard()
    with mounted("-t", "tmpfs", "none", at=root), watching(root, heard) as watcher:
        (root / "file").write_text("x")
        assert watcher.drain(LIMIT)
        subprocess.run(["umount", root], check=True)
        assert until(lambda: heard.losses)


def test_a_root_that_moves_with_the_folder_above_it(tmp_path: Path) -> None:
    """A root that goes away by a rename of a folder above it is told as lost."""
    root = tmp_path / "above" / "tree"
    root.mkdir(parents=True)
    heard = Heard()
    with watching(root, heard):
        (tmp_path / "above").rename(tmp_path / "elsewhere")
        assert until(lambda: heard.losses)


def test_inotify_is_taken_where_the_file_system_has_no_handles(root: Path, tmp_path: Path) -> None:
    """On an overlay, as containers have them, the best that works is inotify, and it says why."""
    parts = [tmp_path / name for name in ("lower", "upper", "work")]
    for part in parts:
        part.mkdir()
    options = "lowerdir={},upperdir={},workdir={}".format(*parts)
    heard = Heard()
    with mounted("-t", "overlay", "-o", options, "overlay", at=root):
        watcher = BestWatcher()
        watcher.start(os.fsencode(root), heard)
        (root / "file").write_text("x")
        assert watcher.drain(LIMIT)
        watcher.stop()
    assert (watcher.method, watcher.why.partition(":")[0]) == ("inotify", "fanotify")
    assert b"file" in heard.paths()


def test_a_bind_mount_inside_is_left_to_inotify(root: Path, tmp_path: Path) -> None:
    """Where the same file system stands twice in the tree its handles have two paths, so inotify watches."""
    (tmp_path / "other").mkdir()
    (root / "bound").mkdir()
    heard = Heard()
    with mounted("--bind", tmp_path / "other", at=root / "bound"):
        watcher = BestWatcher()
        watcher.start(os.fsencode(root), heard)
        (root / "bound" / "file").write_text("x")
        assert watcher.drain(LIMIT)
        watcher.stop()
    assert watcher.why == "fanotify: the same file system is mounted inside the tree once more"
    assert b"bound/file" in heard.paths()


def test_without_the_right_inotify_is_taken(root: Path) -> None:
    """As root of a user namespace only, which may not watch a whole file system, inotify watches and says why."""
    code = (
        "import os, sys\n"
        "from replicator.choice import BestWatcher\n"
        "from tests.replicator.source.support import Heard\n"
        "watcher = BestWatcher()\n"
        "watcher.start(os.fsencode(sys.argv[1]), Heard())\n"
        "watcher.stop()\n"
        "print(watcher.method, watcher.why)\n"
    )
    unshare = ["unshare", "--user", "--map-root-user", str(Path(".venv/bin/python").absolute()), "-c", code]
    done = subprocess.run([*unshare, str(root)], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "inotify fanotify: no right (CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH)", done.stderr


def test_which_mounts_other_machines_change() -> None:
    """A path stands on the deepest and last mount above it, and network file systems are known by their kind."""
    table = [Mount(b"8:1", b"/", b"ext4"), Mount(b"0:9", b"/data", b"nfs4"), Mount(b"0:8", b"/data", b"fuse.sshfs")]
    assert mount_of(b"/data/docs", table) == table[2]
    assert mount_of(b"/database", table) == table[0]
    assert [mount.shared for mount in table] == [False, True, True]

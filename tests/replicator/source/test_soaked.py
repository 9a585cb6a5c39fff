"""What `make soak` once found, each as small as it can be shown."""

import asyncio
import ctypes
import mmap
import os
import shutil
import time
from pathlib import Path

import pytest

from replicator.events import InotifyWatcher
from replicator.filesystem import FanotifyWatcher
from replicator.journal import Journal
from replicator.outcome import Named, Ready
from replicator.reader import Reader
from replicator.turns import Item
from replicator.watcher import Grade
from tests.replicator.source.eyes import WATCHERS
from tests.replicator.source.pair import equal, replicating, settings, vault
from tests.replicator.source.support import LIMIT, Heard

_HERE, _EXCHANGE = -100, 2


def _exchange(one: Path, other: Path) -> None:
    """Both change places in one moment."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0, ctypes.get_errno()


@pytest.mark.parametrize("kind", WATCHERS)
def test_folders_that_change_places_stay_seen(tmp_path: Path, kind: type[InotifyWatcher | FanotifyWatcher]) -> None:
    """After an exchange of two folders, what happens in both, and in the folders in them, is told where it happens."""
    root = tmp_path / "tree"
    for name in ("a", "b"):
        (root / name / f"in {name}" / "deep").mkdir(parents=True)
    heard, watcher = Heard(), kind()
    watcher.start(os.fsencode(root), heard)
    try:
        _exchange(root / "a", root / "b")
        assert watcher.drain(LIMIT)
        assert {b"a", b"b", b"a/in b", b"b/in a"} <= heard.paths()
        heard.clear()
        places = [root / "a", root / "b", root / "a" / "in b" / "deep", root / "b" / "in a" / "deep"]
        for place in places:
            (place / "new").write_text("new")
        assert watcher.drain(LIMIT)
        assert {os.fsencode((place / "new").relative_to(root)) for place in places} <= heard.paths()
    finally:
        watcher.stop()


def test_what_a_mapping_writes_without_a_mark_is_read(tmp_path: Path) -> None:
    """A page that was written once takes more writes with no new time until the kernel writes it back.

    Read in between, some seconds after the time that the first write left, the file must be read again when its
    closing is told.
    """
    root, state = tmp_path / "tree", tmp_path / "state"
    root.mkdir()
    state.mkdir()
    (root / "map").write_bytes(bytes(4096))
    journal = Journal(state / "replicator.sqlite")
    number, _ = journal.source("docs")
    reader = Reader(os.fsencode(root), number, journal, lambda: True, lambda _: False)
    try:
        with (root / "map").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            mapped[0] = 1
            first = _read(reader, later_ns=5_000_000_000)
            journal.put(number, b"map", first.known)
            mapped[0] = 2
        again = _read(reader)
        assert again.known.hash != first.known.hash
    finally:
        journal.close()


def test_what_was_in_a_folder_that_another_replaced_is_gone(tmp_path: Path) -> None:
    """A folder is removed, and others take its name and those in it, before anybody looks: nothing of it is left."""
    asyncio.run(_replaced(tmp_path))


async def _replaced(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for name in ("moved", "removed"):
        (tree / name / "deep" / "deeper").mkdir(parents=True)
        for place in (tree / name, tree / name / "deep", tree / name / "deep" / "deeper"):
            (place / "old").write_text("old")
    async with vault(tmp_path / "vault") as server:
        config = settings(tmp_path / "state", server.port, tree)
        async with replicating(config) as running:
            await equal(tree, tmp_path / "vault")
            await running.settle()
            (tree / "moved").rename(outside)
            shutil.rmtree(tree / "removed")
            for name in ("moved", "removed"):
                (tree / name / "deep").mkdir(parents=True)
                (tree / name / "deep" / "new").write_text("new")
            await equal(tree, tmp_path / "vault")


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_what_was_written_by_a_name_that_is_gone_is_read_by_another(tmp_path: Path, how: str) -> None:
    """A file with two names is written by one, and that name goes before anybody looks: the other is looked at."""
    root, state = tmp_path / "tree", tmp_path / "state"
    root.mkdir()
    state.mkdir()
    (root / "one").write_text("first")
    (root / "other").hardlink_to(root / "one")
    journal = Journal(state / "replicator.sqlite")
    number, _ = journal.source("docs")
    reader = Reader(os.fsencode(root), number, journal, lambda: True, lambda _: False)
    try:
        items = [Item(name, time.time_ns(), Grade.NOW, 0) for name in (b"one", b"other")]
        for ready in reader.read(items)[0]:
            if isinstance(ready, Ready):
                journal.put(number, ready.path, ready.known)
        with (root / "other").open("a") as file:
            file.write("second")
        (root / "new").write_text("new")
        (root / "other").unlink() if how == "removed" else (root / "new").rename(root / "other")
        outcomes, _ = reader.read([Item(b"other", time.time_ns(), Grade.NOW, 0)])
        assert [outcome.paths for outcome in outcomes if isinstance(outcome, Named)] == [[b"one"]]
    finally:
        journal.close()


def _read(reader: Reader, later_ns: int = 0) -> Ready:
    """What the reader says to send of the file; by a clock that shows so much more."""
    clock = time.time_ns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("replicator.reader.time.time_ns", lambda: clock() + later_ns)
        outcomes, _ = reader.read([Item(b"map", clock(), Grade.NOW, 0)])
    [ready] = [outcome for outcome in outcomes if isinstance(outcome, Ready)]
    return ready

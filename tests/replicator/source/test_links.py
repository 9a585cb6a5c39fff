"""A file of several names is at the vault as it is under each of them, by whichever name it was written."""

import asyncio
import mmap
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from replicator import missed
from replicator.events import InotifyWatcher
from replicator.exclude import Excludes
from replicator.fanotify import Fanotify
from replicator.filesystem import FanotifyWatcher
from replicator.inotify import Inotify
from replicator.journal import Journal
from replicator.looks import Looks
from replicator.other_names import OtherNames
from replicator.outcome import Gone, Named, Ready
from replicator.pending import Pending
from replicator.reader import Reader
from replicator.turns import Item
from replicator.watcher import Grade
from tests.replicator.source.eyes import WATCHERS
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.replicator.source.support import LIMIT, Heard
from tests.replicator.source.support import until as wait_until

Kind = type[InotifyWatcher | FanotifyWatcher]


class Ears:
    """The kernel's queue, which is not read while `held`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._free = threading.Event()
        self._free.set()
        for kind in (Fanotify, Inotify):
            self._hold(monkeypatch, kind)

    def _hold(self, monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
        read = kind.read

        def reading(ear: Any, limit: float | None) -> Any:
            heard = read(ear, limit)
            self._free.wait()
            return heard

        monkeypatch.setattr(kind, "read", reading)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile nothing is heard."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Ears:
    """To be held."""
    return Ears(monkeypatch)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A file of one name, and one of two."""
    path = tmp_path / "tree"
    path.mkdir()
    (path / "single").write_text("first")
    (path / "one").write_text("first")
    (path / "other").hardlink_to(path / "one")
    return path


@asynccontextmanager
async def seen(kind: Kind, tree: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A tree that is at the vault and is watched so; no scan is due for an hour."""
    monkeypatch.setattr("replicator.source.BestWatcher", kind)
    async with (
        vault(tree.parent / "vault") as server,
        replicating(settings(tree.parent / "state", server.port, tree)) as running,
    ):
        await running.settle()
        await equal(tree, tree.parent / "vault")
        yield running


@pytest.mark.parametrize("kind", WATCHERS)
@pytest.mark.parametrize("name", ["single", "one"])
def test_written_by_a_name_that_came_and_went(
    tree: Path, monkeypatch: pytest.MonkeyPatch, ears: Ears, kind: Kind, name: str
) -> None:
    """A new name is written by and is gone before anybody looks: fanotify tells of the file; else a scan counts it."""
    monkeypatch.setattr(missed, "_PATIENCE", 0.2)

    async def scenario() -> None:
        async with seen(kind, tree, monkeypatch) as running:
            with ears.held():
                (tree / "short").hardlink_to(tree / name)
                with (tree / "short").open("a") as file:
                    file.write("more")
                (tree / "new").write_text("new")
                (tree / "short").unlink() if name == "single" else (tree / "new").rename(tree / "short")
            if kind is InotifyWatcher:
                await running.settle()
                running.replicator._sources[0].sight._ask()
                await until(lambda: running.source["missed"])
            await equal(tree, tree.parent / "vault")
            assert kind is InotifyWatcher or not running.source["missed"]

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", WATCHERS)
@pytest.mark.parametrize("end", ["removed", "replaced"])
def test_written_on_by_a_name_that_is_gone(tree: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, end: str) -> None:
    """A writer holds the file by a name that goes: what it writes later is read by the name that is left."""

    async def scenario() -> None:
        async with seen(kind, tree, monkeypatch):
            with (tree / "other").open("a") as file:
                file.write("more")
                file.flush()
                if end == "removed":
                    (tree / "other").unlink()
                else:
                    (tree / "new").write_text("new")
                    (tree / "new").rename(tree / "other")
                await equal(tree, tree.parent / "vault")
                file.write(" and more")
            await equal(tree, tree.parent / "vault")

    asyncio.run(scenario())


@pytest.mark.parametrize("end", ["removed", "replaced", "removed with its folder"])
def test_written_on_by_a_name_that_went_while_nobody_watched(
    tree: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """A backup by a link, then a save over the name, then the start: the first writer still writes to the backup."""
    folder = tree / "folder"
    folder.mkdir()
    with (folder / "document").open("w+b") as file:
        file.write(bytes(4096))
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0)
        (tree / "backup").hardlink_to(folder / "document")
        if end == "replaced":
            (tree / "new").write_text("new")
            (tree / "new").rename(folder / "document")
        elif end == "removed":
            (folder / "document").unlink()
        else:
            shutil.rmtree(folder)

        async def scenario() -> None:
            async with seen(FanotifyWatcher, tree, monkeypatch):
                file.write(b"written")
                file.flush()  # while it stays open
                await equal(tree, tree.parent / "vault")
                file.close()  # the mapping keeps it from being closed
                await equal(tree, tree.parent / "vault")
                mapped[:6] = b"mapped"  # which nobody is told
                mapped.close()
                await equal(tree, tree.parent / "vault")

        asyncio.run(scenario())


def test_written_by_a_name_outside(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name outside of the tree that was given while somebody watched is one by which changes are seen."""
    outside = tree.parent / "outside"

    async def scenario() -> None:
        async with seen(FanotifyWatcher, tree, monkeypatch):
            outside.hardlink_to(tree / "single")
            await equal(tree, tree.parent / "vault")
            outside.write_text("by the name outside")
            await equal(tree, tree.parent / "vault")

    asyncio.run(scenario())


def test_files_of_one_name_are_told_by_name_alone(tree: Path) -> None:
    """Writing, replacing and deleting a file of one name tells of no other names, and asks no journal."""
    heard, watcher = Heard(), FanotifyWatcher()
    watcher.start(os.fsencode(tree), heard)
    try:
        (tree / "new").write_text("x")
        inodes = {(tree / name).stat().st_ino for name in ("new", "single")}
        assert watcher.drain(LIMIT)  # while its name stands
        with (tree / "new").open(), (tree / "single").open():  # a number that is free may be another file's at once
            (tree / "new").rename(tree / "single")
            assert watcher.drain(LIMIT)
            (tree / "single").unlink()
            (tree / "third").hardlink_to(tree / "one")
            assert wait_until(lambda: (tree / "one").stat().st_ino in heard.inodes)
        assert watcher.drain(LIMIT)
        assert b"single" in heard.paths()
        assert not heard.inodes & inodes  # others are told, of the whole file system
    finally:
        watcher.stop()


def test_written_on_by_a_name_that_was_excluded_and_went_while_nobody_watched(tree: Path) -> None:
    """A program writes under a name that is left out, gives the file its own one by a link, and writes on."""
    heard, watcher = Heard(), FanotifyWatcher(Excludes(("*.tmp",)))
    with (tree / "document.tmp").open("w") as file:
        (tree / "document").hardlink_to(tree / "document.tmp")
        (tree / "document.tmp").unlink()
        watcher.start(os.fsencode(tree), heard)
        try:
            file.write("more")
            file.flush()
            assert watcher.drain(LIMIT)
            assert (tree / "document").stat().st_ino in heard.inodes
        finally:
            watcher.stop()


def test_a_kernel_that_does_not_tell_of_files(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 5.17 the kernel refuses to tell of the file: folders and names are told as before."""
    monkeypatch.setattr("replicator.fanotify._REPORT_FILE", 0x1000)  # without its other half any kernel refuses it
    heard, watcher = Heard(), FanotifyWatcher()
    watcher.start(os.fsencode(tree), heard)
    try:
        (tree / "third").hardlink_to(tree / "one")
        (tree / "third").write_text("longer")
        assert watcher.drain(LIMIT)
        assert b"third" in heard.paths()
        assert not heard.inodes
    finally:
        watcher.stop()


def test_a_name_that_was_told_on_a_line_that_was_cut_is_told_again(tree: Path, tmp_path: Path) -> None:
    """What was read of a name that is gone did not leave: the next reading tells of the names that are left again."""
    journal = Journal(tmp_path / "replicator.sqlite")
    number, _ = journal.source("docs")

    def reader() -> Reader:
        return Reader(os.fsencode(tree), number, journal, lambda: True, lambda _: False)

    try:
        outcomes, _ = reader().read([Item(name, 0, Grade.NOW, 0) for name in (b"one", b"other")])
        for ready in outcomes:
            if isinstance(ready, Ready):
                journal.put(number, ready.path, ready.known)
        (tree / "one").write_text("another text")
        (tree / "one").unlink()
        reading, one = reader(), Item(b"one", 5, Grade.NOW, 0)
        told = [Gone(one), Named([b"other"], 5)]
        assert reading.read([one])[0] == told
        assert reading.read([one])[0] == told[:1]
        reading.forget()
        assert reading.read([one])[0] == told
        reading.forget()
        one.late = True
        assert reading.read([one])[0] == [Gone(one), Named([b"other"], 0)]
    finally:
        journal.close()


def test_a_name_that_is_gone_is_told_once(tree: Path, tmp_path: Path) -> None:
    """A file of three names loses one: whoever reads it by the others tells of the third once, not for ever."""
    journal = Journal(tmp_path / "replicator.sqlite")
    number, _ = journal.source("docs")
    reader = Reader(os.fsencode(tree), number, journal, lambda: True, lambda _: False)
    (tree / "third").hardlink_to(tree / "one")

    def told(*names: bytes) -> list[bytes]:
        outcomes, _ = reader.read([Item(name, 5, Grade.NOW, 0) for name in names])
        for ready in outcomes:
            if isinstance(ready, Ready):
                journal.put(number, ready.path, ready.known)
        return sorted({path for named in outcomes if isinstance(named, Named) for path in named.paths})

    try:
        told(b"one", b"other", b"third")
        (tree / "third").unlink()
        assert b"third" in told(b"one")
        for text in ("another text", "a third one"):
            (tree / "one").write_text(text)
            assert told(b"one") == [b"other"]
            assert not told(b"other")
    finally:
        journal.close()


def test_names_that_are_looked_for_are_waited_for() -> None:
    """From the word of a file until what its names changed to is sent something waits; one look is for many words."""
    pending, free = Pending(lambda *_: None), threading.Event()
    looks: list[list[int]] = []

    def names(inodes: Sequence[int]) -> list[bytes]:
        looks.append(list(inodes))
        free.wait(LIMIT)
        return [b"%d" % ino for ino in inodes]

    def named(paths: list[bytes], seen_ns: int) -> None:
        for path in paths:
            pending.add_late(path, seen_ns, 0.0)

    def blind(reason: str, *, lasting: bool) -> None:
        raise AssertionError(reason, lasting)

    async def scenario() -> None:
        with ThreadPoolExecutor(1) as threads:
            other = OtherNames(names, Looks(threads, pending=pending, named=named, blind=blind))
            for ino in (1, 2, 3, 2):
                other.look([ino])
            heard_ns = time.time_ns()
            pending.add(b"younger", heard_ns + 1, 0.0)
            assert pending.waits(heard_ns)
            assert 0 < pending.oldest_ns <= heard_ns
            free.set()
            await until(lambda: len(pending) == 4)
        assert looks == [[1], [2, 3]]
        assert pending.waits(heard_ns)
        for item in pending.take(9, 0.0):
            pending.finish(item, 0.0, sent=True)
        assert not pending.waits(heard_ns)
        assert not len(pending)

    asyncio.run(scenario())

"""What a folder that took another's name has not got: looked for once it is at the vault, and waited for."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from replicator.change import Kind, Meta
from replicator.errors import JournalError
from replicator.journal import Journal
from replicator.journal_rows import Known
from replicator.leftover import Leftovers
from replicator.looks import Looks
from replicator.messages import INLINE
from replicator.pending import Pending
from replicator.turns import Item
from replicator.watcher import Grade
from tests.replicator.source.pair import until
from tests.replicator.source.support import LIMIT


def known(kind: Kind, size: int = 0) -> Known:
    """A state of that kind."""
    return Known(meta=Meta(kind=kind, mode=0o644, mtime_ns=0, uid=0, gid=0, size=size))


class Bench:
    """A tree of one folder `a`, in which the vault has `here` and `left`, and a look that is held until `free`."""

    def __init__(self, root: Path, threads: ThreadPoolExecutor) -> None:
        (root / "tree" / "a" / "here").mkdir(parents=True)
        self.journal = Journal(root / "replicator.sqlite")
        self._number, _ = self.journal.source("docs")
        self.journal.put(self._number, b"a", known(Kind.FOLDER))
        for name in (b"a/here", b"a/left"):
            self.journal.put(self._number, name, known(Kind.FILE))
        self.pending = Pending(lambda *_: None)
        self.free = threading.Event()
        self.blinds: list[str] = []
        threads.submit(self.free.wait, LIMIT)
        tree = os.fsencode(root / "tree")
        looks = Looks(threads, pending=self.pending, named=self._named, blind=self._blind)
        self.leftovers = Leftovers(tree, self._number, self.journal, looks)

    def _named(self, paths: list[bytes], seen_ns: int) -> None:
        for path in paths:
            self.pending.add_late(path, seen_ns, 0.0)

    def _blind(self, reason: str, *, lasting: bool) -> None:
        assert not lasting
        self.blinds.append(reason)

    async def durable(self, item: Item, state: Known | None) -> None:
        """The vault has this path: a look is due, and is made once `free` is set."""
        self.leftovers.after(item, state)
        assert self.pending.waits(item.seen_ns) is not item.late
        assert len(self.pending) == 1
        assert self.pending.oldest_ns
        self.free.set()
        await until(lambda: not self.pending._sought)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """All of it."""
    with ThreadPoolExecutor(1) as threads:
        bench = Bench(tmp_path, threads)
        try:
            yield bench
        finally:
            bench.free.set()
            bench.journal.close()


def _item(path: bytes, *, late: bool = False) -> Item:
    item = Item(path, 5, Grade.NOW, 0)
    item.late = late
    return item


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("path", "state", "left"),
    [
        (b"a", known(Kind.FOLDER), b"a/left"),
        (b"a", None, b"a/left"),
        (b"gone", known(Kind.FILE, INLINE + 1), b"gone"),
    ],
)
def test_what_is_left_is_waited_for(bench: Bench, path: bytes, state: Known | None, left: bytes, *, late: bool) -> None:
    """From a path's word of the vault until what it left is sent something waits, as old as the path's own change."""
    asyncio.run(bench.durable(_item(path, late=late), state))
    assert [item.path for item in bench.pending] == [left]
    assert bench.pending.waits(5) is not late


def test_nothing_left_is_waited_for_no_longer(bench: Bench) -> None:
    """A look that finds everything ends it."""
    bench.journal.put(1, b"a/left", None)
    asyncio.run(bench.durable(_item(b"a"), known(Kind.FOLDER)))
    assert not len(bench.pending)


def test_a_look_that_cannot_be_made_is_blindness(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that cannot be read at that moment names nothing: a scan has to find it, and nobody waits longer."""

    async def scenario() -> None:
        children = bench.journal.children

        def asked(source: int, parent: bytes) -> dict[bytes, Known]:
            if threading.current_thread() is threading.main_thread():
                return children(source, parent)
            raise JournalError("read journal: disk I/O error")

        monkeypatch.setattr(bench.journal, "children", asked)
        await bench.durable(_item(b"a"), known(Kind.FOLDER))

    asyncio.run(scenario())
    assert bench.blinds == ["read journal: disk I/O error"]
    assert not len(bench.pending)


def test_a_folder_that_cannot_be_listed_is_blindness(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it nobody knows then."""

    def refuse(_: bytes) -> list[bytes]:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "listdir", refuse)
    asyncio.run(bench.durable(_item(b"a"), known(Kind.FOLDER)))
    assert bench.blinds == ["[Errno 5] Input/output error"]
    assert not len(bench.pending)

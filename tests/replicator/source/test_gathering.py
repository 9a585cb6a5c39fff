"""What spares work while much is pending: frames gathered, strangers known, signatures that wait."""

import asyncio
import threading
from pathlib import Path
from typing import cast

import pytest

from replicator.bandwidth import Bandwidth
from replicator.change import Kind, Meta
from replicator.journal import Journal
from replicator.journal_rows import Known
from replicator.link import Link, Sent
from replicator.messages import FromVault, Put
from replicator.outcome import Ready
from replicator.reader import Reader
from replicator.replicator_metrics import LineMetrics
from replicator.signature import SMALLEST, Regions
from replicator.signatures import Signatures
from replicator.strangers import Strangers
from replicator.stream import Stream
from replicator.turns import Item
from replicator.watcher import Grade
from replicator.wire import to_vault
from tests.support.waiting import until

_KNOWN = Known(meta=Meta(kind=Kind.FILE, mode=0o644, mtime_ns=0, uid=0, gid=0))


class Wire:
    """A stream that keeps each writing."""

    def __init__(self) -> None:
        self.pipe = self
        self.rate: float | None = None
        self.line: float | None = None
        self.written: list[bytes] = []

    def post_all(self, parts: list[bytes]) -> None:
        """As in `Stream`."""
        self.written.append(b"".join(parts))

    async def drain(self) -> None:
        """Everything has left."""


def _messages(data: bytes) -> list[tuple[bytes, int]]:
    frames = to_vault()
    frames.feed(data)
    found = []
    while (got := frames.next()) is not None:
        assert isinstance(got[0], Put)
        found.append((got[0].path, len(got[1])))
    return found


def test_small_frames_leave_in_one_writing_at_the_end_of_the_turn() -> None:
    """Nothing is written while frames are said; then all at once, in order; more bytes than the limit do not wait."""

    async def scenario() -> None:
        wire = Wire()
        link = Link(cast("Stream[FromVault]", wire), Bandwidth(0), LineMetrics())
        for number in range(3):
            sent = Sent(source="docs", path=b"%d" % number, item=None, known=_KNOWN, size=1)
            await link.put(sent, body=b"x" * number)
        assert not wire.written
        await asyncio.sleep(0)
        assert [_messages(each) for each in wire.written] == [[(b"0", 0), (b"1", 1), (b"2", 2)]]
        for number in range(3):
            sent = Sent(source="docs", path=b"%d" % number, item=None, known=_KNOWN, size=1)
            await link.put(sent, body=b"x" * 200_000)
        assert [len(_messages(each)) for each in wire.written] == [3, 2]
        await link.flush()
        assert [len(_messages(each)) for each in wire.written] == [3, 2, 1]

    asyncio.run(scenario())


def test_what_is_said_first_decides_nothing_for_documents() -> None:
    """A turn that begins with a folder looks at the line for the document behind it, too."""

    async def scenario() -> None:
        wire = Wire()
        link = Link(cast("Stream[FromVault]", wire), Bandwidth(0), LineMetrics())
        link.takes = frozenset({"zstd"})
        wire.rate = wire.line = 100_000.0
        for first in (True, False):
            if first:
                await link.put(Sent(source="docs", path=b"folder", item=None, known=_KNOWN, size=0))
            await link.put(Sent(source="docs", path=b"x", item=None, known=_KNOWN, size=1), body=b"text " * 4000)
            await link.flush()
        assert all(len(each) < 1000 for each in wire.written)

    asyncio.run(scenario())


def test_a_stranger_is_never_somebody_who_was_told() -> None:
    """Every key that was added is known; nearly all others are strangers."""
    strangers = Strangers()
    for number in range(5000):
        strangers.add((1, b"%d" % number))
    assert not any((1, b"%d" % number) in strangers for number in range(5000))
    assert sum((2, b"%d" % number) in strangers for number in range(5000)) > 4900


def test_the_folders_that_were_told_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many folders there are, few are remembered; each is told before what is in it, one forgotten again."""
    monkeypatch.setattr("replicator.reader._FOLDERS", 4)
    paths = [b"top/%d/file" % number for number in range(20)]
    for path in paths:
        (tmp_path / path.decode()).parent.mkdir(parents=True)
        (tmp_path / path.decode()).write_bytes(path)
    journal = Journal(tmp_path / "replicator.sqlite")
    try:
        number, _ = journal.source("docs")
        reader = Reader(bytes(tmp_path), number, journal, lambda: True, lambda _: False)
        for _ in range(2):
            outcomes, _ = reader.read([Item(path, 0, Grade.NOW, 0) for path in paths])
            told = [outcome.path for outcome in outcomes if isinstance(outcome, Ready)]
            assert [path for path in told if path.endswith(b"file")] == paths
            assert all(told.index(b"top/%d" % each) + 1 == told.index(paths[each]) for each in range(20))
            assert len(reader._parents) <= 4
    finally:
        journal.close()


def test_a_signature_waits_while_much_is_pending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once the rest has gone; who closes meanwhile does not wait for that."""
    monkeypatch.setattr("replicator.signatures._PATIENCE", 1e9)
    data = b"x" * SMALLEST
    (tmp_path / "big").write_bytes(data)
    regions = Regions()
    regions.feed(data)
    known = Known(meta=Meta(kind=Kind.FILE, mode=0o644, mtime_ns=0, uid=0, gid=0, size=len(data)), hash=b"h" * 32)
    asked, free = threading.Event(), threading.Event()

    def busy() -> bool:
        asked.set()
        return not free.is_set()

    signatures = Signatures(tmp_path / "kept", lambda: bytes(tmp_path), busy=busy)
    signatures.ask(b"big", known, regions.sums())
    assert asked.wait(30)
    assert signatures.load(b"big") is None
    free.set()
    until(lambda: signatures.load(b"big") is not None, "it is made")
    free.clear()
    asked.clear()
    (tmp_path / "other").write_bytes(data)
    signatures.ask(b"other", known, regions.sums())
    assert asked.wait(30)
    closing = threading.Thread(target=signatures.close)
    closing.start()
    closing.join(30)
    closed = not closing.is_alive()
    free.set()
    closing.join()
    assert closed
    assert signatures.load(b"other") is None

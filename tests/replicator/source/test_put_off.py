"""What cannot be sent now is tried again by itself, and one path that cannot be said stops no other."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from replicator.journal import Journal
from replicator.link import Link, Sent
from replicator.outcome import Busy, Gone, Held, Inside, Outcome
from replicator.pending import Pending
from replicator.sender import Sender
from replicator.source import Source
from replicator.turns import Item
from tests.replicator.source.pair import replicating, settings, until, vault
from tests.support.disks import own_disk

Decide = Callable[[Item], Outcome]


class Line:
    """A line on which everything leaves at once."""

    def __init__(self) -> None:
        self.gone: list[bytes] = []

    async def room(self) -> None:
        """As in `Link`."""

    async def flush(self) -> None:
        """As in `Link`."""

    def delete(self, sent: Sent, *, seen_ns: int) -> None:  # noqa: ARG002 - as in `Link`
        """As in `Link`."""
        self.gone.append(sent.path)


def _source(decide: Decide) -> Source:
    """A source of which nothing more is ever seen."""
    source = Source.__new__(Source)
    source.id = "docs"
    source.pending = Pending(lambda *_: None)
    source.wake = asyncio.Event()
    source.sight = cast("Any", SimpleNamespace(missing=""))

    async def read(items: list[Item]) -> list[Outcome]:
        return [decide(item) for item in items]

    source.read = read  # type: ignore[method-assign]
    return source


@pytest.mark.parametrize(
    ("decide", "gone"),
    [
        (lambda item: Gone(item) if item.tries else Busy(item), [b"d"]),
        (lambda item: Gone(item) if item.tries else Held(item), [b"d"]),
        (lambda item: Inside(item, [b"d/x"]) if item.path == b"d" and not item.tries else Gone(item), [b"d/x", b"d"]),
    ],
    ids=["busy", "held", "inside"],
)
def test_what_is_put_off_is_tried_again_though_nothing_happens(decide: Decide, gone: list[bytes]) -> None:
    """The next batch is asked for while one is said: who waits for it hears of what was put off meanwhile."""

    async def scenario() -> None:
        source, line = _source(decide), Line()
        sender = asyncio.create_task(Sender(source, cast("Link", line), urgent=lambda: False).run())
        await asyncio.sleep(0)  # it waits for the first change
        source.pending.add(b"d", 1, time.monotonic())
        source.wake.set()
        await until(lambda: line.gone == gone)
        sender.cancel()
        await asyncio.wait([sender])

    asyncio.run(scenario())


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[Path]:
    """A file system whose times have more bits than the format."""
    with own_disk(tmp_path / "wide") as folder:
        yield folder


def test_a_time_far_off_stops_nothing(tmp_path: Path, wide: Path) -> None:
    """A file of the year 2603 or of 1300 is carried, with the farthest time there is, and so are the others."""
    for name, seconds in (("far", 20_000_000_000), ("early", -20_000_000_000)):
        (wide / name).write_text(name)
        os.utime(wide / name, (seconds, seconds))
        assert abs((wide / name).stat().st_mtime) > 2**63 / 1e9, "the file system does not hold such times"

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault") as server,
            replicating(settings(tmp_path / "state", server.port, wide)) as running,
        ):
            await running.settle()
            (wide / "now").write_text("now")
            await running.settle()
            assert not running.source["set_aside"]
        current = tmp_path / "vault" / "current" / "docs"
        assert {path.name: path.read_text() for path in current.iterdir()} == {
            name: name for name in ("far", "early", "now")
        }

    asyncio.run(scenario())


def test_a_journal_that_lost_its_log_is_told(tmp_path: Path) -> None:
    """Its thread does not end in silence: the damage is told, and the process begins anew with it."""
    journal = Journal(tmp_path / "journal.sqlite")
    source, _ = journal.source("docs")
    (tmp_path / "journal.sqlite-wal").unlink()
    journal.wait(source, b"path", None)
    deadline = time.monotonic() + 30
    while not journal.damage:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    journal.close()

"""A machine that slept and a clock that is set: blindness since before, times that stay as long ago as they were."""

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from replicator import clock
from replicator.change import Kind
from replicator.clock import Clocks, Leap, compare
from replicator.journal import Journal
from replicator.marks import RACY_NS, meta_of
from replicator.reader import known_of
from replicator.scanner import Scanned, Scanner
from tests.replicator.source.pair import equal, replicating, settings, until, vault

SECOND = 10**9


@pytest.mark.parametrize(
    ("now", "leap"),
    [
        (Clocks(101 * SECOND, 11 * SECOND, 21 * SECOND), Leap(0, 0)),
        (Clocks(101 * SECOND + 10**6, 11 * SECOND, 21 * SECOND), Leap(0, 0)),
        (Clocks(3701 * SECOND, 11 * SECOND, 3621 * SECOND), Leap(3600 * SECOND, 0)),
        (Clocks(41 * SECOND, 11 * SECOND, 21 * SECOND), Leap(0, -60 * SECOND)),
        (Clocks(3761 * SECOND, 11 * SECOND, 3621 * SECOND), Leap(3600 * SECOND, 60 * SECOND)),
    ],
)
def test_what_happened_between_two_readings(now: Clocks, leap: Leap) -> None:
    """A sleep shows between the two steady clocks, a set clock beside them, and both at once are told apart."""
    assert compare(Clocks(100 * SECOND, 10 * SECOND, 20 * SECOND), now) == leap


class Shifted:
    """The real clocks, shifted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = self.boot = 0
        self._time = time.time_ns
        self._read = clock.read
        monkeypatch.setattr(clock, "read", self.read)
        monkeypatch.setattr(time, "time_ns", lambda: self._time() + self.wall)

    def read(self) -> Clocks:
        """As of `clock.read`."""
        found = self._read()
        return found._replace(boot=found.boot + self.boot)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree to be carried out."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


def test_a_sleep_is_blindness_since_before_it(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a sleep the source is told as blind since before it, until a scan has looked at all."""
    shifted = Shifted(monkeypatch)
    free = threading.Event()
    free.set()
    scan = Scanner.scan

    def waiting(self: Scanner, *, replaced: bool) -> Scanned:
        free.wait()
        return scan(self, replaced=replaced)

    monkeypatch.setattr(Scanner, "scan", waiting)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                scanned = running.source["scanned_at"]
                free.clear()
                shifted.wall = shifted.boot = 3600 * SECOND
                await until(lambda: running.source["blind_reason"] == "this machine slept for 3600 s")
                assert running.source["lag_seconds"] >= 3600
                free.set()
                await running.settle()
                assert running.source["scanned_at"] > scanned
                slept = running.replicator.status()["clock"]["slept_seconds"]
                assert slept == pytest.approx(3600, abs=60)
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


@pytest.mark.parametrize("by", [-7200, 7200])
def test_a_set_clock_changes_no_lag(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, by: int) -> None:
    """What waits for the vault is as old after the clock was set as before, and that it was set is told."""
    shifted = Shifted(monkeypatch)
    (tree / "before").write_text("of the first copy")

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            port = server.port
        async with replicating(settings(tmp_path / "state", port, tree)) as running:
            await until(lambda: running.source["blind_since"] is None)
            (tree / "file").write_text("x")
            await until(lambda: running.source["pending"] and running.source["lag_seconds"] > 0.05)
            shifted.wall = by * SECOND
            await until(lambda: running.replicator.status()["clock"]["set_seconds"])
            assert running.replicator.status()["clock"]["set_seconds"] == pytest.approx(by, abs=60)
            assert 0.05 < running.source["lag_seconds"] < 3600
            running.replicator._look()
            assert not running.source["copied"]
            async with vault(tmp_path / "vault", port=port):
                await running.settle()
                assert running.source["lag_seconds"] == 0
                await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_what_was_read_under_a_clock_that_was_set_back_is_read_again(tmp_path: Path, tree: Path) -> None:
    """After the clock was set back a file may change again and bear the same times: its bytes are compared."""
    journal = Journal(tmp_path / "replicator.sqlite")
    number, _ = journal.source("docs")
    (tree / "file").write_text("x")
    found = os.lstat(tree / "file")
    journal.put(number, b"file", known_of(found, meta_of(found, Kind.FILE), b"", found.st_ctime_ns + 2 * RACY_NS))
    racy = []
    for since_ns in (found.st_ctime_ns, found.st_ctime_ns - 1):
        journal.doubt(number, since_ns)
        known = journal.get(number, b"file")
        assert known is not None
        racy.append(known.racy)
    journal.close()
    assert racy == [False, True]

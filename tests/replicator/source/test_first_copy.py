"""A tree that the vault has not got, or a line that is gone for long: what waits is bounded, what waited goes first."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from replicator.handover import HandOver
from replicator.scanner import Found
from replicator.segments import Found as Stored
from replicator.segments import read
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.replicator.source.support import until as wait_until

#: Paths that may wait here before the scan waits for them, and those that it hands over at once.
_AHEAD, _BATCH = 200, 512
_FILES = 1200


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """1,200 files in 12 folders."""
    tree = tmp_path / "tree"
    for number in range(_FILES):
        path = tree / str(number // 100) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    return tree


@pytest.fixture
def port() -> int:
    """A port on which nobody listens yet."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_scan_waits_for_room_and_for_nothing_after_the_end() -> None:
    """Handing over returns once there is room again, and at once when nobody takes anything any more."""
    taken: list[Found] = []
    full, returned = threading.Event(), threading.Semaphore(0)
    full.set()
    hands = HandOver(lambda call, *values: call(*values), taken.extend, full.is_set)

    def scan() -> None:
        for number in range(3):
            hands.hand([Found(b"%d" % number, 0)])
            returned.release()

    thread = threading.Thread(target=scan)
    thread.start()
    assert wait_until(lambda: hands.waited)
    assert len(taken) == 1
    full.clear()
    assert all(returned.acquire(timeout=30) for _ in range(3))
    thread.join()
    full.set()
    hands.close()
    hands.hand([Found(b"last", 0)])
    assert len(taken) == 4


def test_what_a_scan_finds_waits_in_bounds(
    tmp_path: Path, tree: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the vault is away the scan waits with what it has found; when it comes everything is carried."""
    monkeypatch.setattr("replicator.source._AHEAD", _AHEAD)

    async def scenario() -> None:
        async with replicating(settings(tmp_path / "state", port, tree)) as running:
            await until(lambda: running.replicator._sources[0].sight.behind)
            assert running.source["scanning"]
            assert _AHEAD <= running.source["pending"] <= _AHEAD + _BATCH
            async with vault(tmp_path / "vault", port=port):
                await running.settle()
                await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_root_that_goes_while_the_scan_waits_is_told(
    tmp_path: Path, tree: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan that waits for the vault ends when its root goes: the source is told as missing, and is found again."""
    monkeypatch.setattr("replicator.source._AHEAD", _AHEAD)
    away = tmp_path / "away"

    async def scenario() -> None:
        async with replicating(settings(tmp_path / "state", port, tree)) as running:
            await until(lambda: running.replicator._sources[0].sight.behind)
            await asyncio.to_thread(tree.rename, away)
            await until(lambda: running.source["missing"])
            await asyncio.to_thread(away.rename, tree)
            async with vault(tmp_path / "vault", port=port):
                await running.settle()
                await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_long_first_copy_is_no_blindness(
    tmp_path: Path, tree: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first scan that waits for the line alarms nobody, however long ago it began; another blindness does."""
    monkeypatch.setattr("replicator.source._AHEAD", _AHEAD)

    async def scenario() -> None:
        running = Running(settings(tmp_path / "state", port, tree))
        await running.replicator.start()
        source = running.replicator._sources[0]
        await until(lambda: source.sight.behind)
        source.sight.blind_since_ns -= 3600 * 10**9
        assert "blind:docs" not in running.conditions
        assert running.metric("bongsu_replication_blind") == running.metric("bongsu_replication_first_copy") == 1
        source.sight.blind("the queue overflowed", lasting=False)
        await until(lambda: source.sight.blind_reason != "starting")
        assert "blind:docs" in running.conditions
        assert not running.metric("bongsu_replication_first_copy")
        await running.replicator.stop(timedelta(0))

    asyncio.run(scenario())


def test_a_first_copy_goes_on_after_a_restart(
    tmp_path: Path, tree: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends between the first scan and the vault's last word has not copied all: the next says so."""

    async def scenario() -> None:
        config = settings(tmp_path / "state", port, tree)
        async with replicating(config, drain=timedelta(0)) as running:
            await until(lambda: running.source["scanned_at"])
            assert running.metric("bongsu_replication_first_copy")
        monkeypatch.setattr("replicator.source._AHEAD", _AHEAD)
        (tree / "0" / "more").write_text("found by the next scan")
        async with replicating(config) as running:
            sight = running.replicator._sources[0].sight
            await until(lambda: sight.behind)
            sight.blind_since_ns -= 3600 * 10**9
            assert not running.source["copied"]
            assert running.metric("bongsu_replication_first_copy")
            assert "blind:docs" not in running.conditions
            async with vault(tmp_path / "vault", port=port):
                await running.settle()
                await until(lambda: running.source["copied"])
        async with replicating(config, drain=timedelta(0)) as running:
            assert running.source["copied"]

    asyncio.run(scenario())


def test_a_later_start_that_waits_for_the_line_is_blindness(
    tmp_path: Path, tree: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first copy is over once all is at the vault: what changed while nobody looked is no first copy again."""

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault", port=port),
            replicating(settings(tmp_path / "state", port, tree)) as running,
        ):
            await running.settle()
            await until(lambda: running.source["copied"])
            assert not running.metric("bongsu_replication_first_copy")
        _rewrite([tree / str(number // 100) / str(number) for number in range(_FILES)])
        monkeypatch.setattr("replicator.source._AHEAD", _AHEAD)
        async with replicating(settings(tmp_path / "state", port, tree), drain=timedelta(0)) as running:
            sight = running.replicator._sources[0].sight
            await until(lambda: sight.behind)
            assert "blind:docs" not in running.conditions
            sight.blind_since_ns -= 3600 * 10**9
            assert "blind:docs" in running.conditions
            assert running.source["copied"]
            assert not running.metric("bongsu_replication_first_copy")
            assert running.metric("bongsu_replication_starting")
            sight.blind("the queue overflowed", lasting=False)
            await until(lambda: not running.metric("bongsu_replication_starting"))

    asyncio.run(scenario())


def test_what_waited_goes_before_what_a_scan_finds(tmp_path: Path, tree: Path) -> None:
    """After a restart the vault's next records are what the journal held as pending; what the scan finds follows."""
    waiting = [tree / str(number // 100) / str(number) for number in range(0, _FILES, 10)]
    others = [tree / str(number // 100) / str(number) for number in range(5, _FILES, 10)]

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            port = server.port
            running = Running(settings(tmp_path / "state", port, tree))
            await running.replicator.start()
            await running.settle()
            position = server.status()["sources"]["docs"]["position"]
        _rewrite(waiting)
        await until(lambda: running.source["pending"] == len(waiting))
        await running.replicator.stop(timedelta(0))
        _rewrite(others)
        async with vault(tmp_path / "vault", port=port) as server:
            async with replicating(settings(tmp_path / "state", port, tree)) as running:
                await running.settle()
            sent = _sent(tmp_path / "vault", server.status()["vault"], position, tree)
        assert set(sent[: len(waiting)]) == set(waiting)
        assert set(sent[len(waiting) :]) == set(others)

    asyncio.run(scenario())


def _rewrite(paths: Sequence[Path]) -> None:
    for path in paths:
        path.write_text("another text")


def _sent(root: Path, vault_id: str, position: int, tree: Path) -> list[Path]:
    """The paths of the source's records behind a position, in order."""
    records = [item.record for item in read(root / "journal", vault_id) if isinstance(item, Stored)]
    return [tree / record.path.decode() for record in records if record.source == "docs" and record.position > position]

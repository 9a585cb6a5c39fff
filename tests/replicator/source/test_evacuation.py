"""An alarm asks the documents to leave: limits lifted, the smallest first, recovery points sealed."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from replicator.bandwidth import Bandwidth
from replicator.messages import INLINE
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.replicator.source.proxy import line


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty tree to be carried out."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


def _complete(running: Running, alarm: str) -> bool:
    return running.replicator.evacuations()[alarm].complete


def test_an_evacuation_seals_at_once_and_when_complete(tmp_path: Path, tree: Path) -> None:
    """A recovery point named for the alarm is durable, and a second one says that all that was here is out."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                for number in range(50):
                    (tree / str(number)).write_bytes(os.urandom(1000))
                await running.replicator.evacuate("fire", "point")
                await running.replicator.evacuate("fire", "another")
                assert list(running.replicator.evacuations()) == ["fire"]
                await until(lambda: _complete(running, "fire"))
                # What was written before the alarm may be seen after it: that is sent too, but not waited for.
                await until(lambda: not running.replicator.evacuations()["fire"].oldest_ns)
                state = running.replicator.evacuations()["fire"]
                assert (state.point, state.sealed) == ("point", True)
                await running.replicator.end_evacuation("fire")
                assert not running.replicator.evacuations()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_an_evacuation_lifts_the_limit(tmp_path: Path, tree: Path) -> None:
    """At 20 kB a second these files would take minutes; once the alarm comes they leave at once."""
    for number in range(40):
        (tree / str(number)).write_bytes(os.urandom(100_000))

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree, bandwidth=20_000)
            async with replicating(config, drain=timedelta(0)) as running:
                await until(lambda: running.source["pending"] and running.source["scanned_at"])
                assert running.source["pending"] > 30
                await running.replicator.evacuate("fire")
                await until(lambda: _complete(running, "fire"))
                assert running.replicator.evacuations()["fire"].point.startswith("alarm:fire ")
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_an_evacuation_survives_a_cut(tmp_path: Path, tree: Path) -> None:
    """Seals that were said and not answered are said again on the next connection."""

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault") as server,
            line(server.port) as cable,
            replicating(settings(tmp_path / "state", cable.port, tree)) as running,
        ):
            await running.settle()
            cable.down = True
            cable.cut()
            (tree / "file").write_text("x")
            await until(lambda: running.source["pending"])
            await running.replicator.evacuate("fire")
            state = running.replicator.evacuations()["fire"]
            assert not state.sealed
            assert state.pending >= 1
            cable.down = False
            await until(lambda: _complete(running, "fire"))

    asyncio.run(scenario())


def test_small_files_leave_before_large_ones(tmp_path: Path, tree: Path) -> None:
    """While documents flee the small ones are durable while a large one is still on its way."""
    order: list[bytes] = []

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            cable.down = True
            async with replicating(settings(tmp_path / "state", cable.port, tree)) as running:
                (tree / "0-large").write_bytes(os.urandom(INLINE * 100))
                for number in range(100):
                    (tree / f"1-small-{number}").write_bytes(os.urandom(2000))
                await until(lambda: running.source["pending"] >= 101 and running.source["scanned_at"])
                await running.replicator.evacuate("fire")
                source = running.replicator._sources[0]
                done = source.done
                source.done = lambda sent: (order.append(sent.path), done(sent))[1]  # type: ignore[method-assign, func-returns-value]
                cable.down = False
                await until(lambda: _complete(running, "fire"))
                assert order.index(b"0-large") > 50

    asyncio.run(scenario())


def test_bandwidth_is_limited_until_lifted() -> None:
    """A bucket lets a second's worth through at once, makes the next wait, and lets all go when lifted."""

    async def scenario() -> None:
        bucket = Bandwidth(1000)
        await bucket.take(1000)
        waiting = asyncio.create_task(bucket.take(100_000))
        await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert not waiting.done()
        bucket.lift(lifted=True)
        await waiting
        await bucket.take(10**9)

    asyncio.run(scenario())

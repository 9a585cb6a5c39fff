"""The limit of bytes a second: changed while somebody waits, and set by the hours."""

import asyncio
import os
from pathlib import Path

from config.hours import Hours
from config.model import Config
from replicator.bandwidth import Bandwidth
from tests.replicator.source.pair import replicating, settings, until, vault


def test_who_waits_hears_of_a_new_limit() -> None:
    """What would have waited for hours at the old rate goes at once when the limit falls away."""

    async def scenario() -> None:
        bucket = Bandwidth(10)
        waiting = [asyncio.create_task(bucket.take(100_000)) for _ in range(3)]
        await asyncio.sleep(0)
        bucket.limit(5)
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        bucket.limit(0)
        async with asyncio.timeout(30):
            await asyncio.gather(*waiting)
        bucket.limit(10)
        assert bucket.rate == 10

    asyncio.run(scenario())


def test_lifted_is_without_limit_whatever_the_hours_say() -> None:
    """While documents flee a new hour's limit does not hold; afterwards it does."""

    async def scenario() -> None:
        bucket = Bandwidth(10)
        bucket.lift(lifted=True)
        bucket.limit(5)
        async with asyncio.timeout(30):
            await bucket.take(10**9)
        bucket.lift(lifted=False)
        assert bucket.rate == 5

    asyncio.run(scenario())


def _with_hours(config: Config, **hours: str | int) -> Config:
    if config.replicator is None:
        raise AssertionError
    week = [Hours.model_validate({"from": "00:00", "to": "24:00", **hours})]
    return config.model_copy(update={"replicator": config.replicator.model_copy(update={"hours": week})})


def test_the_hours_limit_what_leaves_and_an_evacuation_lifts_it(tmp_path: Path) -> None:
    """At 1 kB a second all day the tree would take a minute and a half; the alarm lets it go."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(10):
        (tree / str(number)).write_bytes(os.urandom(10_000))  # nothing that packing makes less

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = _with_hours(settings(tmp_path / "state", server.port, tree), bandwidth=1000)
            async with replicating(config) as running:
                session = running.replicator._session
                assert session is not None
                assert session.bandwidth.rate == 1000
                await until(lambda: running.source["scanned_at"])
                assert running.source["pending"]
                await running.replicator.evacuate("fire")
                assert session.bandwidth.rate == 0
                await until(lambda: running.replicator.evacuations()["fire"].complete)

    asyncio.run(scenario())

"""A stop that meets a lost connection in the same moment."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from replicator.link import Link
from replicator.messages import FromVault, Welcome
from replicator.session import Session
from replicator.stream import Stream
from tests.replicator.source.pair import Running, settings, until, vault
from tests.replicator.source.support import LIMIT

Serve = Callable[[Session, Stream[FromVault], Link, Welcome], Awaitable[None]]


async def lose_and_stop(folder: Path, streams: list[Stream[FromVault]], turns: int) -> None:
    """Cut the line, let the loop turn so many times, and stop."""
    async with vault(folder / "vault") as server:
        running = Running(settings(folder / "state", server.port, folder / "tree"))
        await running.replicator.start()
        await until(lambda: streams)
        streams[-1].abort()
        for _ in range(turns):
            await asyncio.sleep(0)
        stop = asyncio.create_task(running.replicator.stop(timedelta(0)))
        done, _ = await asyncio.wait([stop], timeout=LIMIT)  # a time-out in it would itself be taken for a cancellation
        assert done


@pytest.mark.parametrize("turns", range(8))
def test_stop_ends_though_the_line_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    """In whichever turn of the loop the two meet, the stop is not forgotten."""
    (tmp_path / "tree").mkdir()
    streams: list[Stream[FromVault]] = []
    serve: Serve = Session._serve

    async def remembered(self: Session, stream: Stream[FromVault], link: Link, welcome: Welcome) -> None:
        streams.append(stream)
        await serve(self, stream, link, welcome)

    monkeypatch.setattr(Session, "_serve", remembered)
    asyncio.run(lose_and_stop(tmp_path, streams, turns))

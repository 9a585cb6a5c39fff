"""A connection's bytes: what was said is heard, however late somebody listens."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from replicator.errors import StreamError
from replicator.messages import Beat, Data, FromVault
from replicator.stream import Stream, connect
from replicator.wire import encode
from tests.replicator.vault.support import LIMIT, wait_until


async def _between(
    other: Callable[[socket.socket], None], here: Callable[[Stream[FromVault]], Awaitable[None]]
) -> None:
    """A stream whose other end is a plain socket, used in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stream = await connect("127.0.0.1", listening.getsockname()[1])  # first: who accepts must not wait for nobody
        said = asyncio.create_task(asyncio.to_thread(lambda: other(listening.accept()[0])))
        try:
            await asyncio.wait_for(here(stream), LIMIT)
        finally:
            await stream.close()
            await said


def test_what_was_said_before_the_end_is_heard() -> None:
    """Whoever listens only after the other end has left hears every message, then the end."""

    def other(line: socket.socket) -> None:
        with line:
            line.sendall(b"".join(encode(Beat(now_ns=number)) for number in range(100)))

    async def here(stream: Stream[FromVault]) -> None:
        await asyncio.sleep(0.05)  # either order is right; this one was the wrong one
        assert [(await stream.receive())[0] for _ in range(100)] == [Beat(now_ns=number) for number in range(100)]
        with pytest.raises(StreamError, match="closed"):
            await stream.receive()

    asyncio.run(_between(other, here))


def test_nobody_listening_holds_the_other_end_back() -> None:
    """What is not taken is not read without end; once it is taken all of it comes, in order."""
    count, payload = 64, bytes(500_000)

    def other(line: socket.socket) -> None:
        with line:
            for number in range(count):
                line.sendall(encode(Data(offset=number), payload))

    async def here(stream: Stream[FromVault]) -> None:
        for number in range(count):
            if not number % 16:
                await wait_until(lambda: stream._frames.full and not stream._transport.is_reading())
            message, data = await stream.receive()
            assert message == Data(offset=number)
            assert data == payload

    asyncio.run(_between(other, here))

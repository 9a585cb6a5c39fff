"""Closing a connection whose other end takes nothing."""

import asyncio

from replicator.messages import Chunk
from replicator.stream import connect


def test_a_line_that_takes_nothing_can_be_closed() -> None:
    """It is cut after a short time, and whoever closes it goes on: a cancelled session would never connect again."""

    async def scenario() -> None:
        held: list[asyncio.StreamWriter] = []

        async def take_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            held.append(writer)

        server = await asyncio.start_server(take_nothing, "127.0.0.1", 0)
        stream = await connect("127.0.0.1", server.sockets[0].getsockname()[1])
        for number in range(64):
            stream.post(Chunk(upload=1, offset=number, size=1), bytes(1 << 20))
        await stream.close()
        assert stream.closing
        for writer in held:
            writer.transport.abort()
        server.close()

    asyncio.run(scenario())

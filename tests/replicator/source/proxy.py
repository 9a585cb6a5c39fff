"""A line between replicator and vault that can be cut, as cables are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    """A TCP relay. `cut` drops every connection at once; while `down` new ones are dropped too.

    While `swallow` is set every byte vanishes, and nobody is told; so do then all later ones of the same connection.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.down = False
        self.swallow = False
        #: Cut by itself when so many bytes more have gone to the vault; None: never.
        self.cut_after: int | None = None
        self.cuts = 0
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Drop every connection now."""
        self.cuts += 1
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.down:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._relay(reader, back, count=True), self._relay(there, writer, count=False))
        finally:
            for each in (writer, back):
                self._open.discard(each)
                each.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool) -> None:
        deaf = False
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                deaf = deaf or self.swallow
                if deaf:
                    continue
                if count and self.cut_after is not None:
                    self.cut_after -= len(data)
                    if self.cut_after <= 0:
                        self.cut_after = None
                        self.cut()
                        return
                writer.write(data)
                await writer.drain()
        if not deaf and not self.swallow:
            writer.transport.abort()


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    """A line to this port of this machine."""
    relay = Line(port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.cut()
        await asyncio.sleep(0)

"""The bytes of one connection: read straight into the frames' own room, written with regard to a slow other end."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from replicator.wire import Frames

_Said = TypeVar("_Said")


class Connection(asyncio.BufferedProtocol, Generic[_Said]):
    """The event loop's end of a connection. `hear` is for one task, `drain` for any.

    Attributes:
        frames: what came and was not taken yet.
        ended: done once the connection is gone.
    """

    transport: asyncio.Transport

    def __init__(self, frames: Frames[_Said]) -> None:
        self.frames = frames
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._lost: OSError | None = None
        self._fresh = self._over = False
        self._reading = True
        self._writing: deque[asyncio.Future[None]] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    async def hear(self, silence: float) -> bool:
        """Wait for more bytes in `frames`; False at the end of what the other end has to say.

        Raises:
            TimeoutError: none came for so many seconds.
            OSError: the connection broke.
        """
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()
        if not (self._fresh or self._over):
            await self._wait(silence)
        if self._fresh:  # before the end, which may have come with them
            self._fresh = False
            return True
        if self._lost is not None:
            raise self._lost
        return False

    async def _wait(self, silence: float) -> None:
        self._waiter = self._loop.create_future()
        self._deadline = self._loop.time() + silence
        if self._alarm is not None and self._alarm.when() > self._deadline:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:  # one for all that is heard until it rings
            self._alarm = self._loop.call_at(self._deadline, self._ring)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _ring(self) -> None:
        self._alarm = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline:
            self._alarm = self._loop.call_at(self._deadline, self._ring)
        else:
            self._waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def drain(self) -> None:
        """Wait until the other end has taken most of what was written.

        Raises:
            OSError: the connection broke.
        """
        if self._lost is not None:
            raise self._lost
        if self.transport.is_closing():
            await asyncio.sleep(0)  # let it be told
        if self.ended.done():
            raise ConnectionResetError("connection lost")
        if self._writing is not None:
            waiter = self._loop.create_future()
            self._writing.append(waiter)
            await waiter

    # ---------------------------------------------------------------- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As in `asyncio.BaseProtocol`."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"use transport {transport!r}: it does not both read and write")
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop's guess
        """As in `asyncio.BufferedProtocol`."""
        return self.frames.room()

    def buffer_updated(self, nbytes: int) -> None:
        """As in `asyncio.BufferedProtocol`."""
        self.frames.filled(nbytes)
        self._fresh = True
        if self.frames.full:
            self._reading = False
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """As in `asyncio.BufferedProtocol`: what is still to be said may be said, but for TLS, which ends both ways."""
        self._over = True
        self._wake()
        return self.transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        """As in `asyncio.BaseProtocol`."""
        self._writing = deque()

    def resume_writing(self) -> None:
        """As in `asyncio.BaseProtocol`."""
        waiting, self._writing = self._writing, None
        for waiter in waiting or ():
            if not waiter.done():
                waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """As in `asyncio.BaseProtocol`."""
        self._over = True
        if exc is not None:
            self._lost = exc if isinstance(exc, OSError) else ConnectionResetError(str(exc))
        for waiter in self._writing or ():
            if not waiter.done():
                waiter.set_exception(self._lost or ConnectionResetError("connection lost"))
        if self._alarm is not None:
            self._alarm.cancel()
        if not self.ended.done():
            self.ended.set_result(None)
        self._wake()

"""The line between replicator and vault, to be cut, stalled and half opened, in a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Self


class Cable:
    """A TCP relay to a port of this machine. Every method may be called from any thread."""

    def __init__(self, to: int, port: int) -> None:
        self._to = to
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._deaf: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._down = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cable", daemon=True)
        self.bytes = 0

    def __enter__(self) -> Self:
        """Open it."""
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, with all that goes over it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def cut(self) -> None:
        """Drop every connection now."""
        self._say(self._abort)

    def down(self, *, down: bool) -> None:
        """Whether nobody gets through: connections are dropped, new ones too."""

        def act() -> None:
            self._down = down
            if down:
                self._abort()

        self._say(act)

    def stall(self, *, stalled: bool) -> None:
        """Whether bytes stand still, connections stay."""
        self._say(self._flows.clear if stalled else self._flows.set)

    def half_open(self) -> None:
        """The connections of now are dead without a word to either end, as behind a router that was switched off."""
        self._say(lambda: self._deaf.update(self._writers))

    def _say(self, act: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(act)

    def _abort(self) -> None:
        for writer in self._writers - self._deaf:
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._accept, "127.0.0.1", self._port)
        server = self._loop.run_until_complete(start)
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._relay(reader, back), self._relay(there, writer))
        finally:
            self._writers -= {writer, back}
            self._deaf -= {writer, back}
            back.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                if writer in self._deaf:
                    continue
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        if writer not in self._deaf:
            writer.transport.abort()

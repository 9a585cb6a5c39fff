"""Deltas on their way in over one connection: each is applied by a task of its own, beside the stream."""

import asyncio
from functools import partial

import structlog

from replicator.errors import BaseError, DamagedError, FullError, WireError
from replicator.messages import Base, Chunk, Put
from replicator.objects import Objects
from replicator.patch import Patch
from replicator.threads import in_thread

#: Deltas of one connection at the same time, and of each of its sources.
_OPEN_MAX, _OPEN_EACH = 8, 4
#: What is answered to the `Put`; everything else ends the connection.
_ANSWERED = (DamagedError, FullError)
#: Chunks of one delta that may wait to be applied; after them the stream waits.
_WAITING = 4
_log = structlog.get_logger(__name__)


class _Running:
    """One delta: what waits to be applied, and what went wrong."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.received = 0
        self.patch: Patch | None = None
        self.error: Exception | None = None
        self.dropped = False
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self.task: asyncio.Task[None] | None = None


class Patches:
    """The deltas of one connection. `close` drops what is not finished."""

    def __init__(self, objects: Objects, label: str, *, sources: int = 1) -> None:
        self._objects = objects
        self._label = label
        self._most = max(_OPEN_MAX, _OPEN_EACH * sources)
        self._open: dict[int, _Running] = {}

    def __contains__(self, upload: int) -> bool:
        return upload in self._open

    def begin(self, base: Base) -> None:
        """A delta begins. What is wrong with its base is told when it ends.

        Raises:
            WireError: too many are open, or this number is.
        """
        if base.upload <= 0 or base.upload in self._open or len(self._open) >= self._most:
            raise WireError(f"take delta {base.upload}: its number is taken, or over {self._most} are open")
        running = self._open[base.upload] = _Running(base)
        running.task = asyncio.get_running_loop().create_task(self._work(running))

    async def take(self, chunk: Chunk, data: bytes) -> None:
        """The next bytes of a delta; waits when many wait before them.

        Raises:
            WireError: they are not the next.
            BrokenError: the disk did not take earlier ones.
        """
        running = self._open[chunk.upload]
        if chunk.offset != running.received or chunk.size != running.base.size:
            raise WireError(f"take delta {chunk.upload}: a chunk at {chunk.offset}, {running.received} bytes are here")
        if running.error is not None and not isinstance(running.error, _ANSWERED):
            raise running.error
        running.received += len(data)
        await running.waiting.put(data)

    async def finish(self, put: Put) -> None:
        """Make it the object that a `Put` names; durable when this returns.

        Raises:
            BaseError: the base is not here, or its bytes are not what its name says.
            DamagedError: the delta does not make what the `Put` says.
            FullError: no room.
            BrokenError: the disk did not take it.
        """
        running = self._open.pop(put.upload)
        try:
            await running.waiting.put(None)
            if running.task is not None:
                await running.task
            if running.error is not None:
                raise running.error
            if running.patch is None or put.meta.size != running.base.size:
                raise DamagedError(f"take delta {put.upload}: it is of another size")
            await self._name(running.patch, put.hash, running.base.base)
        finally:
            await self._drop(running)

    async def _name(self, patch: Patch, digest: bytes, base: bytes) -> None:
        try:
            await in_thread(lambda: patch.finish(digest))
        except DamagedError:
            if await in_thread(patch.sound):
                raise
            raise BaseError(f"read base {base.hex()}: its bytes are not what its name says", damaged=True) from None

    async def cancel(self, number: int) -> None:
        """Drop a delta; nothing when there is none."""
        if (running := self._open.pop(number, None)) is not None:
            await self._drop(running)

    async def close(self) -> None:
        """Drop all."""
        for number in list(self._open):
            await self.cancel(number)

    async def _drop(self, running: _Running) -> None:
        running.dropped = True
        if running.patch is not None:
            running.patch.interrupt()
        if running.task is not None:
            running.task.cancel()
            await asyncio.wait([running.task])
        patch, running.patch = running.patch, None
        if patch is not None:
            await in_thread(patch.drop)

    async def _work(self, running: _Running) -> None:
        while not running.dropped and (data := await running.waiting.get()) is not None:
            if running.error is None:
                try:
                    await in_thread(partial(self._apply, running, data))
                except Exception as error:  # noqa: BLE001 - whoever finishes or goes on with it raises it
                    running.error = error

    def _apply(self, running: _Running, data: bytes) -> None:
        if running.patch is None:
            base = running.base
            running.patch = Patch(self._objects, self._label, base.base, base.base_size, base.size)
        running.patch.apply(data)


def unpatched(error: DamagedError) -> str:
    """Why a delta came to nothing, as a label of `item.UNPATCHED`; logged. A damaged base is a damaged version."""
    if isinstance(error, BaseError) and error.damaged:
        _log.error("object damaged", reason=str(error), hint=error.hint)
        return "base-damaged"
    _log.warning("delta not applied", reason=str(error))
    return "base-missing" if isinstance(error, BaseError) else "delta"

"""Large contents on their way in over one connection: chunks to a file, in threads, in order."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from replicator import holes
from replicator.errors import DamagedError, FullError, WireError
from replicator.messages import Chunk, Put
from replicator.objects import Objects, Upload
from replicator.wire import PAYLOAD_MAX

#: Uploads of one connection at the same time, and of each of its sources.
_OPEN_MAX, _OPEN_EACH = 64, 4
_Result = TypeVar("_Result")


class Uploads:
    """The uploads of one connection; for one task, `finish` excepted. `close` drops what is not finished."""

    def __init__(self, objects: Objects, label: str, *, sources: int = 1) -> None:
        self._objects = objects
        self._label = label
        self._most = max(_OPEN_MAX, _OPEN_EACH * sources)
        self._open: dict[int, Upload] = {}
        self._failed: dict[int, FullError] = {}

    async def take(self, chunk: Chunk, data: bytes) -> None:
        """The next bytes of an upload; one that finds no room is dropped, and its `Put` refused.

        Raises:
            WireError: they are not the next, or too many uploads are open.
            BrokenError: the disk did not take them.
        """
        if chunk.upload in self._failed:
            return
        data = _meant(chunk, data)
        upload = self._open.get(chunk.upload)
        received = 0 if upload is None else upload.received
        if (
            chunk.offset != received
            or not 0 <= received + len(data) <= chunk.size
            or (upload is not None and upload.size != chunk.size)
            or chunk.upload <= 0
        ):
            raise WireError(f"take upload {chunk.upload}: a chunk at {chunk.offset}, {received} bytes are here")
        if upload is None and len(self._open) + len(self._failed) >= self._most:
            raise WireError(f"take upload {chunk.upload}: over {self._most} are open")
        try:
            await in_thread(lambda: self._write(chunk, data))
        except FullError as error:
            self._failed[chunk.upload] = error
            await self.cancel(chunk.upload)

    def _write(self, chunk: Chunk, data: bytes) -> None:
        upload = self._open.get(chunk.upload)
        if upload is None:
            upload = self._objects.begin(f"{self._label}-{chunk.upload}", chunk.size)
            self._open[chunk.upload] = upload
        upload.write(data)

    async def finish(self, put: Put) -> None:
        """Make an upload the object that a `Put` names; durable when this returns.

        Raises:
            FullError: no room.
            DamagedError: other bytes came than the `Put` says, or none.
            BrokenError: the disk did not take it.
        """
        if error := self._failed.pop(put.upload, None):
            raise error
        upload = self._open.pop(put.upload, None)
        if upload is None or upload.size != put.meta.size:
            if upload is not None:
                await in_thread(upload.drop)
            raise DamagedError(f"take upload {put.upload}: nothing of this size came")
        try:
            await in_thread(lambda: upload.finish(put.hash))
        finally:
            await in_thread(upload.drop)

    async def cancel(self, number: int) -> None:
        """Drop an upload; nothing when there is none."""
        upload = self._open.pop(number, None)
        if upload is not None:
            await in_thread(upload.drop)

    def forget(self, number: int) -> None:
        """The sender gave an upload up that had found no room."""
        self._failed.pop(number, None)

    async def close(self) -> None:
        """Drop all."""
        for number in list(self._open):
            await self.cancel(number)


def _meant(chunk: Chunk, data: bytes) -> bytes:
    """The bytes of a chunk, also where they are only named."""
    if not chunk.zeros:
        return data
    if data or not 0 < chunk.zeros <= PAYLOAD_MAX:
        raise WireError(f"take upload {chunk.upload}: a chunk of {chunk.zeros} zeros and {len(data)} bytes")
    return holes.zeros(chunk.zeros)


async def in_thread(work: Callable[[], _Result]) -> _Result:
    """Run work in a thread. When cancelled it waits for the thread, so that nothing is used after it was closed."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise

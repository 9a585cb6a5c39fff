"""Large contents on their way in over one connection: chunks to a file, in threads, in order."""

import contextlib

from replicator import holes
from replicator.errors import DamagedError, FullError, WireError
from replicator.messages import Chunk, Have, Put, Resume
from replicator.objects import Objects, Upload
from replicator.partial import STEP, Partial, Partials
from replicator.threads import in_thread
from replicator.wire import PAYLOAD_MAX

#: Uploads of one connection at the same time, and of each of its sources.
_OPEN_MAX, _OPEN_EACH = 64, 4
_SIZE_MAX = 2**63
#: An upload of so many bytes is written in one go with its `Put`, so that what comes behind need not wait; nothing
#: of it would be kept over a cut. And the bytes of all that may wait for that.
_AT_ONCE, _WAITING = STEP, 8 * 1024 * 1024
#: Pieces of one that may wait: each costs memory of its own, however small it is.
_PIECES = 16


class _Coming:
    """One upload: its file, once there is one, and the bytes that wait to be written to it."""

    def __init__(self, size: int, upload: Upload | None = None) -> None:
        self.size = size
        self.upload = upload
        self.received = 0 if upload is None else upload.received
        self.pieces: list[bytes] = []

    def restart(self) -> None:
        """Forget what is here."""
        if isinstance(self.upload, Partial):
            self.upload.restart()
        self.received, self.pieces = 0, []


class Uploads:
    """The uploads of one connection; for one task, `finish` and `resume` excepted. `close` ends what is open."""

    def __init__(self, objects: Objects, label: str, *, partials: Partials, site: str = "", sources: int = 1) -> None:
        self._objects = objects
        self._partials = partials
        self._site = site
        self._asked: set[int] = set()
        self._label = label
        self._most = max(_OPEN_MAX, _OPEN_EACH * sources)
        self._open: dict[int, _Coming] = {}
        self._waiting = 0
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
        coming = self._open.get(chunk.upload)
        if coming is not None and isinstance(coming.upload, Partial) and not chunk.offset and coming.received:
            self._gather(coming)
            await in_thread(coming.restart)  # other bytes stand there now
        received = 0 if coming is None else coming.received
        if (
            (not data and (chunk.size or coming is not None))
            or chunk.offset != received
            or not 0 <= received + len(data) <= chunk.size
            or (coming is not None and coming.size != chunk.size)
            or chunk.upload <= 0
            or chunk.upload in self._asked
        ):
            raise WireError(f"take upload {chunk.upload}: a chunk at {chunk.offset}, {received} bytes are here")
        if coming is None:
            self._room(chunk.upload)
            coming = self._open[chunk.upload] = _Coming(chunk.size)
        coming.pieces.append(data)
        coming.received += len(data)
        self._waiting += len(data)
        if coming.size > _AT_ONCE or self._waiting >= _WAITING or len(coming.pieces) >= _PIECES:
            pieces = self._gather(coming)
            try:
                await in_thread(lambda: self._write(coming, pieces))
            except FullError as error:
                self._failed[chunk.upload] = error
                await self.cancel(chunk.upload)

    def ask(self, message: Resume) -> None:
        """Take note that an upload will begin with `resume`.

        Raises:
            WireError: it has begun, its size is none, or too many uploads are open.
        """
        number = message.upload
        taken = number in self._open or number in self._asked or number in self._failed
        if number <= 0 or taken or not 0 <= message.size < _SIZE_MAX:
            raise WireError(f"resume upload {number}: it has begun, or is none")
        self._room(number)
        self._asked.add(number)

    async def resume(self, message: Resume) -> Have:
        """Begin an upload with what an earlier connection brought of it; `ask` came before.

        Raises:
            BrokenError: the disk did not take it.
        """
        number = message.upload
        try:
            partial = await in_thread(lambda: self._begin(number, message))
        except FullError as error:
            self._failed[number] = error
            return Have(upload=number)
        finally:
            self._asked.discard(number)
        if partial is None:
            return Have(upload=number)
        return Have(upload=number, offset=partial.received, hash=partial.digest)

    def _begin(self, number: int, message: Resume) -> Partial | None:
        partial = self._partials.begin(self._site, message)
        if partial is not None:  # here, so that a cancelled connection closes it too
            self._open[number] = _Coming(partial.size, partial)
        return partial

    def _room(self, number: int) -> None:
        if len(self._open) + len(self._failed) + len(self._asked) >= self._most:
            raise WireError(f"take upload {number}: over {self._most} are open")

    def _gather(self, coming: _Coming) -> list[bytes]:
        """What waits of one, from now on the caller's."""
        pieces, coming.pieces = coming.pieces, []
        self._waiting -= sum(map(len, pieces))
        return pieces

    def _write(self, coming: _Coming, pieces: list[bytes]) -> Upload:
        """What came since the last time goes to the file."""
        if coming.upload is None:
            coming.upload = self._objects.begin(self._label, coming.size)
        for piece in pieces:
            coming.upload.write(piece)
        return coming.upload

    def whole(self, put: Put) -> bytes | None:
        """The bytes of an upload that may ride in the record of its `Put`, which ends it; None when it needs a file.

        So three flushes are spared. What has holes keeps them in a file.
        """
        coming = self._open.get(put.upload)
        if coming is None or coming.upload is not None or not coming.received == coming.size == put.meta.size:
            return None
        if coming.size > PAYLOAD_MAX or any(map(holes.empty, coming.pieces)):
            return None
        del self._open[put.upload]
        return b"".join(self._gather(coming))

    async def finish(self, put: Put) -> None:
        """Make an upload the object that a `Put` names; durable when this returns.

        Raises:
            FullError: no room.
            DamagedError: other bytes came than the `Put` says, or none.
            BrokenError: the disk did not take it.
        """
        if error := self._failed.pop(put.upload, None):
            raise error
        coming = self._open.pop(put.upload, None)
        if coming is None:
            raise DamagedError(f"take upload {put.upload}: nothing of this size came")
        pieces = self._gather(coming)
        if coming.size != put.meta.size:
            await in_thread(lambda: self._end(coming))
            raise DamagedError(f"take upload {put.upload}: nothing of this size came")
        await in_thread(lambda: self._finish(coming, pieces, put.hash))

    def _finish(self, coming: _Coming, pieces: list[bytes], digest: bytes) -> None:
        try:
            self._write(coming, pieces).finish(digest)
        finally:
            self._end(coming)

    async def cancel(self, number: int) -> None:
        """Drop an upload; nothing when there is none."""
        coming = self._open.pop(number, None)
        if coming is not None:
            self._gather(coming)
            await in_thread(lambda: self._end(coming))

    def _end(self, coming: _Coming, *, keep: bool = False) -> None:
        if isinstance(coming.upload, Partial):
            self._partials.end(coming.upload, keep=keep)
        elif coming.upload is not None:
            coming.upload.drop()

    def forget(self, number: int) -> None:
        """The sender gave an upload up that had found no room."""
        self._failed.pop(number, None)

    async def close(self) -> None:
        """The connection is over: what may go on with the next one is kept, the rest dropped."""
        await in_thread(
            self._end_all
        )  # in one go: who is replaced meanwhile is cancelled here, and must not stop halfway

    def _end_all(self) -> None:
        while self._open:
            _, coming = self._open.popitem()
            pieces = self._gather(coming)
            try:
                if isinstance(coming.upload, Partial):
                    with contextlib.suppress(FullError):  # that much less to go on with
                        self._write(coming, pieces)
            finally:
                self._end(coming, keep=True)


def _meant(chunk: Chunk, data: bytes) -> bytes:
    """The bytes of a chunk, also where they are only named."""
    if not chunk.zeros:
        return data
    if data or not 0 < chunk.zeros <= PAYLOAD_MAX:
        raise WireError(f"take upload {chunk.upload}: a chunk of {chunk.zeros} zeros and {len(data)} bytes")
    return holes.zeros(chunk.zeros)

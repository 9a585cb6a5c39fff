"""One live connection as the senders use it: numbers, a bounded window, and what each number stands for."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable

import msgspec

from replicator.bandwidth import Bandwidth
from replicator.errors import StreamError, WireError
from replicator.journal_rows import Known
from replicator.link_pipe import SLOW, chunk_for
from replicator.messages import (
    Cancel,
    Chunk,
    Delete,
    Done,
    FromVault,
    Have,
    Mark,
    Need,
    Put,
    Refused,
    Resume,
    Seal,
    ToVault,
)
from replicator.packing import Packer, Parcel, Plan, plan
from replicator.replicator_metrics import LineMetrics
from replicator.signature import Sums
from replicator.stream import Stream
from replicator.turns import Item
from replicator.wire import head

#: Most items that wait for the vault's word, and most bytes of theirs.
WINDOW_ITEMS = 4096
WINDOW_BYTES = 24 * 1024 * 1024
#: Bytes of frames that are gathered for one writing; fewer leave at the end of the loop's turn.
_TOGETHER = 256 * 1024
_NOTHING = Parcel(b"", 0, "")


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for the vault's word.

    Attributes:
        source: the source's id.
        path: which path; empty for a seal or a mark.
        item: what is to be finished with it; None for a parent folder or a seal.
        known: what the vault then has; None when it is deleted.
        size: bytes that count against the window.
        regions: checksums of a large file's regions (`signature.Regions`), for its signature.
        seal: called when a seal, or all before a mark, is durable.
        unsealed: called when it was refused.
    """

    source: str
    path: bytes
    item: Item | None
    known: Known | None
    size: int
    regions: Sums | None = None
    seal: Callable[[], None] | None = None
    unsealed: Callable[[], None] | None = None


class Link:
    """For the event loop only. Numbers rise by one with each `Put`, `Delete`, `Seal` and `Mark`."""

    def __init__(self, stream: Stream[FromVault], bandwidth: Bandwidth, metrics: LineMetrics) -> None:
        self._stream = stream
        self._bandwidth = bandwidth
        self._metrics = metrics
        self._packer = Packer()
        #: What of `TAKES` the vault knows.
        self.takes: frozenset[str] = frozenset()
        self._ids = itertools.count(1)
        self._uploads = itertools.count(1)
        self._sent: dict[int, Sent] = {}
        self._bytes = 0
        self._parts: list[bytes | memoryview] = []
        self._gathered = 0
        self._planned, self._slow = self._plan(), False
        #: Whether something was said in this turn of the loop, and whether the line was looked at.
        self._began = self._looked = False
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._asked: dict[int, asyncio.Future[Have]] = {}
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        """How many wait for the vault's word."""
        return len(self._sent)

    async def room(self) -> None:
        """Wait until the window has room."""
        await self._room.wait()

    async def flush(self) -> None:
        """Wait until the connection has taken most of what was said."""
        self._leave()
        await self._stream.drain()

    async def put(self, sent: Sent, *, body: bytes | None = None, upload: int = 0, seen_ns: int = 0) -> None:
        """Say that a path is so; `body` goes in the frame.

        Raises:
            WireError: it cannot be said; the connection lives on.
        """
        if sent.known is None:
            raise ValueError("a put needs a state")
        parcel = _NOTHING
        if body:
            if not self._looked:  # once for all that is said in one turn
                self._looked = True
                self._planned, self._slow = self._plan(), self._is_slow()
            parcel = self._packed(self._packer.body(body, self._planned), len(body))
            if self._bandwidth.rate:
                await self._bandwidth.take(len(parcel.data))
            if self._slow:
                await self.flush()
        self._packer.forget(upload)
        number = self._note(sent)
        known = sent.known
        message = Put(
            id=number,
            source=sent.source,
            path=sent.path,
            meta=known.meta,
            hash=known.hash,
            seen_ns=seen_ns,
            inline=body is not None,
            upload=upload,
            packed=parcel.packed,
        )
        try:
            self._say(message, parcel.data)
        except WireError:
            self._pop(number)
            raise

    def _say(self, message: ToVault, body: bytes | memoryview = b"") -> None:
        """Gather frames, so that many small ones are one call to the kernel."""
        if not self._began:
            self._began = True
            self._loop.call_soon(self._end_turn)
        self._parts.append(head(message, len(body)))
        if body:
            self._parts.append(body)
            self._gathered += len(body)
            if self._gathered >= _TOGETHER:
                self._leave()

    def _end_turn(self) -> None:
        self._began = self._looked = False
        with contextlib.suppress(StreamError):  # whoever listens hears that it is over
            self._leave()

    def _leave(self) -> None:
        if self._parts:
            parts, self._parts, self._gathered = self._parts, [], 0
            self._stream.post_all(parts)

    def delete(self, sent: Sent, *, seen_ns: int) -> None:
        """Say that a path is gone."""
        self._say(Delete(id=self._note(sent), source=sent.source, path=sent.path, seen_ns=seen_ns))

    def seal(self, sent: Sent, name: str, pending: int, pending_bytes: int, oldest_ns: int) -> None:
        """Name a recovery point."""
        self._say(
            Seal(
                id=self._note(sent),
                source=sent.source,
                name=name,
                pending=pending,
                pending_bytes=pending_bytes,
                oldest_ns=oldest_ns,
            )
        )

    def mark(self, sent: Sent) -> None:
        """Ask for a word when all that was said before is durable."""
        self._say(Mark(id=self._note(sent), source=sent.source))

    def begin_upload(self) -> int:
        """A number for an upload."""
        return next(self._uploads)

    async def resume(self, upload: int, source: str, path: bytes, size: int, identity: bytes) -> Have | None:
        """Ask what the vault has of an upload from before a cut; None from a vault that keeps none."""
        if "resume" not in self.takes:
            return None
        answer: asyncio.Future[Have] = asyncio.get_running_loop().create_future()
        self._asked[upload] = answer
        self._say(Resume(upload=upload, source=source, path=path, size=size, identity=identity))
        try:
            return await answer
        finally:
            del self._asked[upload]

    def have(self, message: Have) -> None:
        """The vault's word on it."""
        if (answer := self._asked.get(message.upload)) is not None and not answer.done():
            answer.set_result(message)

    async def chunk(self, upload: int, offset: int, size: int, data: memoryview) -> None:
        """The next bytes of an upload of `size` bytes; uploads take turns, so that one chunk at most is in the way."""
        async with self._turn:
            parcel = self._packed(self._packer.part(upload, data, self._plan()), len(data))
            await self._bandwidth.take(len(parcel.data))
            self._leave()
            await self._stream.send(Chunk(upload=upload, offset=offset, size=size, packed=parcel.packed), parcel.data)

    async def zeros(self, upload: int, offset: int, size: int, count: int) -> None:
        """The same for bytes that are all zero: they need not travel."""
        async with self._turn:
            self._say(Chunk(upload=upload, offset=offset, size=size, zeros=count))
            await self.flush()

    def chunk_bytes(self, upload: int) -> int:
        """How many bytes the next chunk should have: few on a slow line, where small files would wait behind it."""
        rate = self._rate()
        return chunk_for(rate * self._packer.grow(upload) if rate else None)

    def _plan(self) -> Plan:
        rates = [rate for rate in (self._stream.pipe.line, self._bandwidth.rate) if rate]
        return plan(min(rates, default=None), able="zstd" in self.takes)

    def _packed(self, parcel: Parcel, size: int) -> Parcel:
        if parcel.packed:
            self._metrics.saved(size - len(parcel.data))
        else:
            self._metrics.unpacked(parcel.reason, size)
        return parcel

    def _is_slow(self) -> bool:
        rate = self._rate()
        return rate is not None and rate < SLOW

    def _rate(self) -> float | None:
        """Bytes a second that may leave and can; None while unknown."""
        rates = [rate for rate in (self._stream.pipe.rate, self._bandwidth.rate) if rate]
        return min(rates, default=None)

    def cancel(self, upload: int) -> None:
        """Give an upload up."""
        self._packer.forget(upload)
        self._say(Cancel(upload=upload))

    def post(self, message: ToVault) -> None:
        """Say something that nobody waits for."""
        self._say(message)

    def unanswered(self) -> list[Sent]:
        """What may or may not be durable, now that the connection is over."""
        return list(self._sent.values())

    def done(self, message: Done) -> list[Sent]:
        """What is durable by this word."""
        return [sent for number in message.ids if (sent := self._pop(number)) is not None]

    def answered(self, message: Need | Refused) -> Sent | None:
        """What this word is about."""
        return self._pop(message.id)

    def _note(self, sent: Sent) -> int:
        number = next(self._ids)
        self._sent[number] = sent
        self._bytes += sent.size
        if len(self._sent) >= WINDOW_ITEMS or self._bytes >= WINDOW_BYTES:
            self._room.clear()
        return number

    def _pop(self, number: int) -> Sent | None:
        sent = self._sent.pop(number, None)
        if sent is not None:
            self._bytes -= sent.size
            if len(self._sent) < WINDOW_ITEMS and self._bytes < WINDOW_BYTES:
                self._room.set()
        return sent

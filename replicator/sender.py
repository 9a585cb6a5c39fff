"""Ships one source on one connection: take, read, say; large files beside the small ones."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from replicator import holes
from replicator.delta import Delta
from replicator.deltas import Line, Start, begin
from replicator.errors import WireError
from replicator.journal_rows import Known
from replicator.largefile import LargeFile
from replicator.link import Link, Sent
from replicator.outcome import Busy, Failed, Gone, Held, Inside, Large, Named, Outcome, Ready, Same
from replicator.resume import RESUME_FROM, skip
from replicator.signature import Signature
from replicator.source import Source
from replicator.turns import Item

#: Paths read in one go of the reading thread.
BATCH = 64
#: Large files side by side: one waits for its disk while the other sends.
SIDE_BY_SIDE = 2
#: What an item without bytes weighs in the window.
_WEIGHT = 256

_Result = TypeVar("_Result")


class Sender:
    """For one connection's life; `run` ends only with an error or cancelled."""

    def __init__(self, source: Source, link: Link, *, urgent: Callable[[], bool]) -> None:
        self._source = source
        self._link = link
        self._urgent = urgent
        self._large: list[Large] = []
        self._come = asyncio.Semaphore(0)
        #: One batch is read while the one before is said, and no more: what waits here stands behind no evacuation.
        self._batches: asyncio.Queue[list[Outcome]] = asyncio.Queue()
        self._ahead = asyncio.Semaphore(1)

    async def run(self) -> None:
        """Ship what is pending and what becomes so.

        Raises:
            StreamError: the connection is over.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._ship())
            for _ in range(SIDE_BY_SIDE):
                tasks.create_task(self._upload())

    async def _read(self) -> None:
        while True:
            await self._ahead.acquire()
            await self._link.room()
            items = await self._source.take(BATCH)
            await self._batches.put(await self._source.read(items))

    async def _ship(self) -> None:
        while True:
            outcomes = await self._batches.get()
            self._ahead.release()
            for outcome in outcomes:
                await self._say(outcome)
            await self._link.flush()

    async def _say(self, outcome: Outcome) -> None:
        source = self._source
        match outcome:
            case Ready():
                await self._put(outcome)
            case Gone(item):
                self._link.delete(self._gone(item), seen_ns=item.seen_ns)
            case Same(item, known):
                source.same(item, known)
            case Named(paths, seen_ns):
                source.named(paths, seen_ns)
            case Inside(item, paths):
                source.inside(item, paths)
            case Large(item):
                source.pending.sized(item, outcome.found.st_size)
                self._large.append(outcome)
                self._come.release()
            case Busy(item):
                source.busy(item)
            case Failed(item, reason):
                source.failed(item, reason)
            case Held(item):
                source.held(item)

    async def _put(self, ready: Ready) -> None:
        size = len(ready.body) if ready.body else 0
        seen_ns = 0
        if ready.item is not None:
            self._source.pending.sized(ready.item, ready.meta.size)
            seen_ns = ready.item.seen_ns
        sent = Sent(source=self._source.id, path=ready.path, item=ready.item, known=ready.known, size=size + _WEIGHT)
        try:
            await self._link.put(sent, body=ready.body, seen_ns=seen_ns)
        except WireError as error:  # one that cannot be said stops no other
            if ready.item is not None:
                self._source.failed(ready.item, str(error))

    def _gone(self, item: Item) -> Sent:
        return Sent(source=self._source.id, path=item.path, item=item, known=None, size=_WEIGHT)

    # ------------------------------------------------------------------ large files

    async def _upload(self) -> None:
        while True:
            await self._come.acquire()
            await self._one(self._next())

    def _next(self) -> Large:
        """The one that came first; when documents must flee the smallest, then the newest."""
        if not self._urgent():
            return self._large.pop(0)
        best = min(self._large, key=lambda large: (large.found.st_size.bit_length(), -large.found.st_mtime_ns))
        self._large.remove(best)
        return best

    async def _one(self, large: Large) -> None:
        item = large.item
        try:
            file, known = await self._thread(self._open, large)
        except (FileNotFoundError, NotADirectoryError):
            self._source.pending.requeue(item)  # whoever looks next finds it gone
            self._source.wake.set()
            return
        except OSError as error:
            self._source.failed(item, (error.strerror or str(error)).lower())
            return
        try:
            await self._send(file, large, known)
        except OSError as error:
            self._source.failed(item, (error.strerror or str(error)).lower())
        finally:
            if not file.closed:
                await asyncio.shield(self._thread(file.close))

    def _open(self, large: Large) -> tuple[LargeFile, Signature | None]:
        """In a thread; each hop to one costs as much as reading 100 kB."""
        file = LargeFile(self._source.sight.root, large.item, large.shared)
        return file, self._source.signatures.load(large.item.path)

    async def _send(self, file: LargeFile, large: Large, known: Signature | None) -> None:
        if not file.large:
            self._source.busy(large.item)
            return
        if large.hash and (known is None or known.hash != large.hash) and not await self._is_new(file, large):
            return
        started = await self._thread(begin, self._source, file, large, known)
        if started is not None:
            await self._change(file, large, started)
            return
        upload = self._link.begin_upload()
        offset = await self._resume(file, large.item, upload)
        while not file.ended:
            try:
                data = await self._thread(file.read)
            except OSError:
                self._link.cancel(upload)
                raise
            if data is None:
                self._link.cancel(upload)
                self._source.busy(large.item)
                return
            await self._chunks(upload, offset, file.size, data)
            offset += len(data)
        await self._finish(file, large.item, upload)

    async def _chunks(self, upload: int, offset: int, size: int, data: bytes) -> None:
        if holes.empty(data):
            await self._link.zeros(upload, offset, size, len(data))
            return
        with memoryview(data) as view:
            start = 0
            while start < len(view):
                part = view[start : start + self._link.chunk_bytes(upload)]
                await self._link.chunk(upload, offset + start, size, part)
                start += len(part)

    async def _change(self, file: LargeFile, large: Large, started: Start) -> None:
        """Say what is new in a file of which the vault has a state."""
        base, delta = started
        line = Line(self._link, base, file.size)
        try:
            while not delta.ended:
                commands = await self._thread(delta.read)
                if commands is None:
                    break
                if delta.wrong:
                    line.cancel()
                    await self._thread(file.rewind)
                    line, delta = Line(self._link, base, file.size), Delta(file, base)
                    continue
                await line.say(commands)
        except OSError:
            line.cancel()
            raise
        if not delta.ended:
            line.cancel()
            self._source.busy(large.item)
        elif not delta.differs and file.digest != base.hash:  # checksums met by chance
            self._source.signatures.drop(large.item.path)
            self._source.busy(large.item)
        else:
            await self._finish(file, large.item, line.upload)

    async def _resume(self, file: LargeFile, item: Item, upload: int) -> int:
        """Where to begin: behind what the vault has of it since a line was cut."""
        if file.size < RESUME_FROM:
            return 0
        have = await self._link.resume(upload, self._source.id, item.path, file.size, file.identity)
        if have is None or not have.offset:
            return 0
        try:
            return await self._thread(skip, file, have)
        except OSError:
            self._link.cancel(upload)
            raise

    async def _is_new(self, file: LargeFile, large: Large) -> bool:
        """Hash it here first: the vault may have these bytes by another name or from before."""
        digest = await self._thread(file.hash_all)
        if digest == large.hash:
            await self._finish(file, large.item, 0)
            return False
        if digest is None:
            self._source.busy(large.item)
            return False
        await self._thread(file.rewind)
        return True

    async def _finish(self, file: LargeFile, item: Item, upload: int) -> None:
        await self._link.room()
        known = await self._thread(_end, file)
        if known is None:
            if upload:
                self._link.cancel(upload)
            self._source.busy(item)
            return
        sent = Sent(
            source=self._source.id, path=item.path, item=item, known=known, size=_WEIGHT, regions=file.regions.sums()
        )
        await self._link.put(sent, upload=upload, seen_ns=item.seen_ns)

    async def _thread(self, call: Callable[..., _Result], *values: object) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._source.large_threads, call, *values)


def _end(file: LargeFile) -> Known | None:
    """As it is to be put; None where its folder is a file now, and it would be a folder again at the vault."""
    known = file.finish() if file.placed else None
    file.close()
    return known

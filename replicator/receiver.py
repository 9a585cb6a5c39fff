"""One sender's connection: puts, deletions and seals go to the store, what came of them goes back."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Protocol

import msgspec
from msgspec.structs import replace

from replicator.errors import BrokenError, DamagedError, FullError, PathError, WireError
from replicator.item import Item, Outcome, check
from replicator.messages import (
    Base,
    Beat,
    Cancel,
    Chunk,
    Delete,
    Done,
    Hello,
    Mark,
    Need,
    Put,
    Refused,
    Resume,
    Seal,
    ToVault,
    Tree,
)
from replicator.objects import Objects
from replicator.partial import Partials
from replicator.patches import Patches, unpatched
from replicator.paths import show
from replicator.stream import Stream
from replicator.threads import to_the_end
from replicator.unpacked import unpacked
from replicator.uploads import Uploads

#: What one connection may have waiting for its commit before the vault stops reading from it.
_WAITING_BYTES = 32 * 1024 * 1024
_WAITING_ITEMS = 8192
#: Uploads of one connection that are finished at the same time; each may hold `partial.STEP` bytes in memory.
_FINISHING = 32


class Shelf(Protocol):
    """Where items go. The server's side of the store, as a receiver sees it."""

    def submit(self, *items: Item) -> None:
        """Commit these; `Receiver.deliver` hears what came of them."""
        ...

    def positions(self) -> dict[str, int]:
        """Each source's durable position."""
        ...

    def count_refused(self, reason: str, *, content: bool = False) -> None:
        """Count an item that was not taken; whether a content was refused with it."""
        ...


class Heard(msgspec.Struct):
    """What a sender said last.

    Attributes:
        at: when anything was heard of it, monotonic seconds.
        at_ns: the same by the vault's clock.
        beat: its last `Beat`.
    """

    at: float
    at_ns: int
    beat: Beat


class Receiver:
    """Reads one sender's stream. `run` ends with the connection; `deliver` is called in the same loop."""

    def __init__(
        self,
        stream: Stream[ToVault],
        hello: Hello,
        shelf: Shelf,
        objects: Objects,
        partials: Partials,
        *,
        label: str,
        answer: Callable[[Stream[ToVault], ToVault], Coroutine[None, None, None]],
    ) -> None:
        self.stream = stream
        self.site = hello.site
        self.sources = frozenset(hello.sources)
        self.heard = Heard(time.monotonic(), time.time_ns(), Beat(now_ns=0))
        self.welcomed = False
        self._shelf = shelf
        self._answer = answer
        self._uploads = Uploads(objects, label, partials=partials, site=hello.site, sources=len(self.sources))
        self._patches = Patches(objects, label, sources=len(self.sources))
        self._finishing: dict[tuple[str, bytes], asyncio.Task[None]] = {}
        self._listing: asyncio.Task[None] | None = None
        self._items = self._bytes = 0
        self._ready: list[Item] = []
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Take messages until the connection ends.

        Raises:
            StreamError: it ended.
            WireError: it said what a sender may not say, or bytes that are not what it said.
            BrokenError: the disk did not take an upload.
        """
        self.welcomed = True
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    message, payload = self.stream.take() or await self._hear()
                    payload = unpacked(message, payload)
                    if type(message) is Put and not message.upload and not self._finishing:  # nearly all there is
                        if self._sound(message, payload):
                            self._submit(message, payload)
                    else:
                        await self._take(group, message, payload)
                    while self._items > _WAITING_ITEMS or self._bytes > _WAITING_BYTES:
                        self._hand_over()
                        self._room.clear()
                        await self._room.wait()
        except BaseExceptionGroup as group_error:
            errors = group_error.exceptions
            raise next((each for each in errors if isinstance(each, BrokenError)), errors[0]) from None
        finally:
            self._hand_over()
            await to_the_end(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        """Both, whatever becomes of the first; who is replaced meanwhile is cancelled, and must not stop halfway."""
        try:
            await self._patches.close()
        finally:
            await self._uploads.close()

    async def _hear(self) -> tuple[ToVault, bytes]:
        """The next message, when there is none at hand: what there was is handed over in one go."""
        self._hand_over()
        got = await self.stream.receive()
        self.heard = Heard(time.monotonic(), time.time_ns(), self.heard.beat)
        return got

    async def _take(self, group: asyncio.TaskGroup, message: ToVault, payload: bytes) -> None:
        match message:
            case Put() | Delete() | Seal() | Mark():
                await self._keep(group, message, payload)
            case Resume() if message.source in self.sources:
                self._uploads.ask(message)
                group.create_task(self._resume(message))
            case Base():
                self._patches.begin(message)
            case Chunk() if message.upload in self._patches:
                await self._patches.take(message, payload)
            case Chunk():
                await self._uploads.take(message, payload)
            case Cancel():
                await self._patches.cancel(message.upload)
                self._uploads.forget(message.upload)
                await self._uploads.cancel(message.upload)
            case Beat():
                self.heard.beat = message
            case Tree() if message.source in self.sources:
                if self._listing is not None:  # the sender may have all of it before the task here has ended
                    await asyncio.wait([self._listing])
                self._listing = group.create_task(self._answer(self.stream, message))
            case _:
                raise WireError(f"hear from sender: {type(message).__name__.lower()} is not for senders to say")

    async def _resume(self, message: Resume) -> None:
        have = await self._uploads.resume(message)
        if not self.stream.closing:
            self.stream.post(have)

    async def _keep(self, group: asyncio.TaskGroup, message: Put | Delete | Seal | Mark, payload: bytes) -> None:
        if not self._sound(message, payload):
            return
        # Uploads are finished beside the stream; what must come after them waits.
        if isinstance(message, Seal | Mark):
            if self._finishing:
                await asyncio.wait(self._finishing.values())
        elif earlier := self._under_way(message.source, message.path):
            await asyncio.wait(earlier)
        if isinstance(message, Put) and (body := self._uploads.whole(message)) is not None:
            self._submit(replace(message, upload=0, inline=True), body)
        elif isinstance(message, Put) and message.upload:
            while len(self._finishing) >= _FINISHING:
                await asyncio.wait(self._finishing.values(), return_when=asyncio.FIRST_COMPLETED)
            task = group.create_task(self._finish(message))
            self._finishing[message.source, message.path] = task
        else:
            self._submit(message, payload)

    def _sound(self, message: Put | Delete | Seal | Mark, payload: bytes) -> bool:
        """Whether a message may be taken; it is refused when not.

        Raises:
            WireError: it has bytes that it does not speak of; nobody would compare them with a hash.
        """
        if payload and not (isinstance(message, Put) and message.inline and not message.upload):
            raise WireError(f"hear from sender: a {type(message).__name__.lower()} with bytes that it does not name")
        if message.source not in self.sources:
            self._refuse(message.id, "source", f"source {message.source[:64]!r} was not named at the start")
            return False
        try:
            check(message)
        except PathError as error:
            self._refuse(message.id, "path", str(error))
            return False
        return True

    def _under_way(self, source: str, path: bytes) -> list[asyncio.Task[None]]:
        """Uploads that are being finished for this path or for what lies under it."""
        inside = path + b"/"
        return [
            task
            for (its, each), task in self._finishing.items()
            if its == source and (each == path or each.startswith(inside))
        ]

    async def _finish(self, put: Put) -> None:
        patched = put.upload in self._patches
        try:
            await (self._patches.finish(put) if patched else self._uploads.finish(put))
            self._submit(put, b"", stored=True)
            self._hand_over()
        except FullError as error:
            self._refuse(put.id, "full", str(error), again=True, content=True)
        except DamagedError as error:
            if patched:  # whatever was wrong with the delta or its base: the whole file heals it
                self._shelf.count_refused(unpatched(error))
                self._post(Need(id=put.id))
                return
            self._refuse(put.id, "upload", f"{show(put.path)}: {error}", again=True)
        finally:
            self._finishing.pop((put.source, put.path), None)

    def _submit(self, message: Put | Delete | Seal | Mark, payload: bytes, *, stored: bool = False) -> None:
        self._items += 1
        self._bytes += len(payload)
        self._ready.append(Item(message=message, site=self.site, payload=payload, stored=stored, ticket=self))

    def _hand_over(self) -> None:
        if self._ready:
            ready, self._ready = self._ready, []
            self._shelf.submit(*ready)

    def deliver(self, outcomes: list[Outcome]) -> None:
        """Tell the sender what came of its items; one `Done` for all that are durable."""
        done: list[int] = []
        touched: set[str] = set()
        for outcome in outcomes:
            self._items -= 1
            self._bytes -= len(outcome.item.payload)
            message = outcome.item.message
            if message is None:
                continue
            if outcome.code == "done":
                done.append(message.id)
                touched.add(message.source)
            elif outcome.code == "need":
                self._post(Need(id=message.id))
            else:
                self._refuse(message.id, outcome.code, outcome.text, again=outcome.again, content=outcome.item.content)
        if done:
            positions = self._shelf.positions()
            self._post(Done(ids=done, positions={source: positions.get(source, 0) for source in touched}))
        self._room.set()

    def _refuse(self, number: int, code: str, text: str, *, again: bool = False, content: bool = False) -> None:
        self._shelf.count_refused(code, content=content)
        self._post(Refused(id=number, code=code, text=text, again=again))

    def _post(self, message: Done | Need | Refused) -> None:
        if not self.stream.closing:
            self.stream.post(message)

"""Answers to questions about what a vault keeps, page by page, as fast as the other end takes them."""

import asyncio
import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

from replicator.archive import Version
from replicator.attributes import size_of
from replicator.change import Entry, Meta
from replicator.errors import DamagedError, ReplicatorError, StreamError, UnknownError, WireError
from replicator.local import LocalArchive
from replicator.messages import (
    CHUNK,
    Aged,
    Beat,
    Data,
    End,
    Examine,
    Fetch,
    FromVault,
    Kept,
    Listed,
    Past,
    Refused,
    Sources,
    ToVault,
    Tree,
)
from replicator.stream import Stream
from replicator.threads import in_thread

#: Bytes of one page's header, well below the limit of a frame.
_PAGE_BYTES = 40 * 1024
#: Pages fetched from a thread at a time.
_PAGES = 4
#: What an entry takes beside its path, target and attributes, at most.
_ENTRY_BYTES = 192
#: Seconds in which the other end must take a page.
_TAKE = 60.0
#: Seconds that a reader may say nothing.
READER_SILENCE = 300.0

_Thing = TypeVar("_Thing")
Page = tuple[FromVault, bytes]


class Answers:
    """Answers one connection's questions, one after the other."""

    def __init__(self, archive: LocalArchive) -> None:
        self._archive = archive

    async def serve(self, stream: Stream[ToVault]) -> None:
        """Answer a reader's questions in order until it goes.

        Raises:
            StreamError: it went.
            WireError: it said what a reader may not say.
        """
        while True:
            question, _ = await stream.receive(READER_SILENCE)
            if not isinstance(question, Beat):
                await self.answer(stream, question)

    async def answer(self, stream: Stream[ToVault], question: ToVault) -> None:
        """Answer one question.

        Raises:
            StreamError: the other end went, or does not take the answer.
            WireError: it is no question.
        """
        pages = self._pages(question)
        try:
            while some := await in_thread(lambda: _some(pages)):
                for page in some:
                    stream.post(*page)
                await _taken(stream)
                if isinstance(some[-1][0], End | Kept):
                    return
        except (UnknownError, DamagedError) as error:
            code = "unknown" if isinstance(error, UnknownError) else "damaged"
            stream.post(Refused(id=0, code=code, text=_with_hint(error)))
        finally:
            with contextlib.suppress(ReplicatorError):
                await in_thread(pages.close)

    def _pages(self, question: ToVault) -> Generator[Page, None, None]:
        archive = self._archive
        match question:
            case Sources():
                yield Kept(positions=archive.sources()), b""
                return
            case Tree():
                entries = archive.tree(question.source, question.at_ns, question.paths)
                yield from _listed(entries)
            case Past():
                yield from _aged(archive.past(question.source, question.path))
            case Fetch():
                yield from _data(archive.fetch(question.hash, question.offset), question.offset)
            case Examine() if not question.repair:
                for item in archive.examine():
                    yield item, b""
            case _:
                name = type(question).__name__.lower()
                raise WireError(f"hear from reader: {name} is not for readers to say")
        yield End(), b""


def _some(pages: Iterator[Page]) -> list[Page]:
    """The next pages, about as many as one trip to a thread is worth."""
    some: list[Page] = []
    for page in pages:
        some.append(page)
        if len(some) >= _PAGES or len(page[1]) >= CHUNK:
            break
    return some


async def _taken(stream: Stream[ToVault]) -> None:
    try:
        async with asyncio.timeout(_TAKE):
            await stream.drain()
    except TimeoutError:
        raise StreamError(f"answer {stream.peer}: nothing was taken for {_TAKE:.0f} s") from None


def _listed(entries: Iterable[Entry]) -> Iterator[Page]:
    for some in _parcels(entries, lambda e: len(e.path) + _weight(e.meta)):
        yield Listed(entries=[(entry.path, entry.meta, entry.hash) for entry in some]), b""


def _weight(meta: Meta) -> int:
    return len(meta.target) + size_of(meta.xattrs)


def _aged(versions: Iterable[Version]) -> Iterator[Page]:
    for some in _parcels(versions, lambda v: _weight(v.meta) if v.meta else 0):
        yield Aged(versions=[(each.at_ns, each.meta, each.hash, each.position) for each in some]), b""


def _data(pieces: Iterable[bytes], offset: int) -> Iterator[Page]:
    for piece in pieces:
        yield Data(offset=offset), piece
        offset += len(piece)


def _parcels(things: Iterable[_Thing], weight: Callable[[_Thing], int]) -> Iterator[list[_Thing]]:
    """The things in parcels that fit a page."""
    parcel: list[_Thing] = []
    size = 0
    for thing in things:
        its = weight(thing) + _ENTRY_BYTES
        if parcel and size + its > _PAGE_BYTES:
            yield parcel
            parcel, size = [], 0
        parcel.append(thing)
        size += its
    if parcel:
        yield parcel


def _with_hint(error: ReplicatorError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)

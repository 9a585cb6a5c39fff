"""What a sender chooses about its uploads harms nobody else, and what was not put on disk is not relied on."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from replicator import durable, object_names
from replicator import objects as objects_module
from replicator.errors import BrokenError, FaultError, StreamError, WireError
from replicator.item import Item
from replicator.messages import Chunk, Hello, Put
from replicator.objects import Objects
from replicator.partial import Partials
from replicator.patches import Patches
from replicator.receiver import Receiver
from replicator.uploads import Uploads
from tests.replicator.vault.support import (
    LIMIT,
    SITE,
    SOURCE,
    faults,
    half_written,
    opened,
    put_file,
    sending,
    serving,
    sha,
    wait_until,
)

BIG = os.urandom(2_000_000)


class Gate:
    """Stands in for a function: whoever calls it waits until it opens."""

    def __init__(self, then: Callable[..., None]) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()
        self._then = then

    def __call__(self, *args: object) -> None:
        """The function that it stands for, after a while."""
        self.reached.set()
        assert self.open.wait(LIMIT)
        self._then(*args)


def _broken(*_: object) -> None:
    raise BrokenError("flush folder objects: input/output error")


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """An empty vault's objects."""
    for number in range(256):
        (tmp_path / "objects" / f"{number:02x}").mkdir(parents=True)
    (tmp_path / "incoming").mkdir()
    (tmp_path / "partial").mkdir()
    return Objects(tmp_path)


def _uploads(objects: Objects) -> Uploads:
    return Uploads(objects, "1", partials=Partials(objects.folder.parent, objects))


def _put(data: bytes, upload: int, number: int = 0) -> Put:
    return replace(put_file(b"f%d" % upload, data, number=number), inline=False, upload=upload)


def _keep(objects: Objects, data: bytes = BIG) -> None:
    objects.keep(iter([data]), sha(data), len(data))


def test_a_number_used_again_changes_no_object(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an upload is being flushed another one of the same number has a file of its own."""
    gate = Gate(durable.flush)
    monkeypatch.setattr(objects_module, "flush", gate)
    other = BIG[::-1]

    async def scenario() -> None:
        uploads = _uploads(objects)
        await uploads.take(Chunk(upload=1, offset=0, size=len(BIG)), BIG)
        first = asyncio.create_task(uploads.finish(_put(BIG, 1)))
        await wait_until(gate.reached.is_set)
        await uploads.take(Chunk(upload=1, offset=0, size=len(other)), other)
        gate.open.set()
        await first
        await uploads.finish(_put(other, 1))

    asyncio.run(scenario())
    assert objects.path(sha(BIG)).read_bytes() == BIG
    assert objects.path(sha(other)).read_bytes() == other


def test_a_number_used_over_and_over_is_done_each_time(objects: Objects) -> None:
    """A sender that counts to one only stops nobody, and nothing is left of it."""
    contents = [b"%d" % number for number in range(20)]

    async def scenario() -> None:
        uploads = _uploads(objects)
        async with asyncio.TaskGroup() as group:
            for data in contents:
                await uploads.take(Chunk(upload=1, offset=0, size=len(data)), data)
                group.create_task(uploads.finish(_put(data, 1)))
                await asyncio.sleep(0)  # it begins

    asyncio.run(scenario())
    assert all(objects.path(sha(data)).read_bytes() == data for data in contents)
    assert half_written(objects.folder.parent) == []


def test_a_flush_that_fails_while_the_line_is_cut_ends_the_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the document would be acknowledged when it is said again: its name is there, and nothing is flushed."""
    gate = Gate(_broken)

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            monkeypatch.setattr(durable, "flush_folder", gate)
            await sender.chunks(1, BIG)
            await sender.stream.send(_put(BIG, 1, number=1))
            await wait_until(gate.reached.is_set)
            (receiver,) = server._senders.all()
            (finishing,) = receiver._finishing.values()
            sender.stream.abort()
            await wait_until(finishing.cancelling)
            gate.open.set()
            async with asyncio.timeout(LIMIT):
                assert "input/output error" in str(await server.failed())
            monkeypatch.undo()

    asyncio.run(scenario())


def test_a_name_is_relied_on_only_once_it_is_on_disk(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bring the same bytes, a third asks for them: none is told yes while the folder's flush may still fail."""
    gate = Gate(_broken)
    monkeypatch.setattr(object_names, "flush_folder", _broken)
    monkeypatch.setattr(durable, "flush_folder", gate)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(_keep, objects)
        assert gate.reached.wait(LIMIT)
        assert objects.has(sha(BIG), len(BIG))
        second = pool.submit(_keep, objects)
        third = pool.submit(objects.keeps, sha(BIG), len(BIG))
        gate.open.set()
        for each in (first, second, third):
            with pytest.raises(BrokenError):
                each.result(LIMIT)


def test_what_a_process_before_has_named_is_flushed_once(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have ended between the name and its flush; a folder is flushed once, however many objects are in it."""
    contents = [b"%d" % number for number in range(600)]
    for data in contents:
        _keep(objects, data)
    flushed: list[Path] = []
    monkeypatch.setattr(object_names, "flush_folder", flushed.append)
    again = Objects(objects.folder.parent)
    assert all(again.keeps(sha(data), len(data)) for data in contents * 2)
    assert sorted(flushed) == sorted({objects.path(sha(data)).parent for data in contents})
    assert not again.keeps(sha(BIG), len(BIG))


def test_a_put_without_bytes_waits_for_the_name_of_its_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was killed named it; what its folder's flush says now counts."""
    with opened(tmp_path) as bench:
        _keep(bench.store.objects)
    with opened(tmp_path) as bench:
        monkeypatch.setattr(object_names, "flush_folder", _broken)
        assert bench.say(replace(put_file(b"a", BIG), inline=False)) == "failed"


def test_a_put_without_bytes_writes_none(tmp_path: Path) -> None:
    """Its bytes are an object; what came beside it was compared with nothing, and must not be in the journal."""
    with opened(tmp_path) as bench:
        _keep(bench.store.objects)
        bare = replace(put_file(b"a", BIG), inline=False)
        assert bench.say(bare, b"anything else") == "done"
    assert faults(tmp_path) == []


@pytest.mark.parametrize("upload", [0, 1])
def test_bytes_that_nobody_named_end_the_connection(tmp_path: Path, upload: int) -> None:
    """They would be compared with no hash."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            with pytest.raises(FaultError) as caught:
                await sender.keep(replace(put_file(b"a", b"x"), inline=False, upload=upload), b"y")
            assert caught.value.code == "wire"

    asyncio.run(scenario())


def test_small_pieces_do_not_gather(objects: Objects) -> None:
    """However small they are, few wait; what they make is whole, and nothing is counted at the end."""
    data = BIG[:1000]

    async def scenario() -> None:
        uploads = _uploads(objects)
        for offset in range(len(data)):
            await uploads.take(Chunk(upload=1, offset=offset, size=len(data)), data[offset : offset + 1])
            assert len(uploads._open[1].pieces) <= 16
        await uploads.finish(_put(data, 1))
        await uploads.take(Chunk(upload=2, offset=0, size=5), b"four")
        await uploads.cancel(2)
        assert uploads._waiting == 0

    asyncio.run(scenario())
    assert objects.path(sha(data)).read_bytes() == data


@pytest.mark.parametrize(("size", "before"), [(10, 0), (0, 1)])
def test_a_chunk_of_nothing_is_none(objects: Objects, size: int, before: int) -> None:
    """But the only one of an empty upload: there would be no end of them."""

    async def scenario() -> None:
        uploads = _uploads(objects)
        for _ in range(before):
            await uploads.take(Chunk(upload=1, offset=0, size=size), b"")
        with pytest.raises(WireError):
            await uploads.take(Chunk(upload=1, offset=0, size=size), b"")
        await uploads.close()

    asyncio.run(scenario())


class _Deaf:
    """A stream that has ended and that nobody reads, and a shelf that keeps nothing."""

    closing = True

    def take(self) -> None:
        """Nothing."""

    async def receive(self) -> None:
        """The end."""
        raise StreamError("closed")

    def submit(self, *items: Item) -> None:
        """Nothing."""


def _receiver(objects: Objects) -> Receiver:
    deaf, hello = _Deaf(), Hello(protocol=1, role="sender", site=SITE, sources=[SOURCE])
    partials = Partials(objects.folder.parent, objects)
    return Receiver(deaf, hello, deaf, objects, partials, label="1", answer=_never)  # type: ignore[arg-type]


def test_who_is_replaced_while_it_drops_its_deltas_drops_its_uploads_too(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled once or twice while it waits, it leaves no file behind."""

    async def scenario() -> None:
        reached, let = asyncio.Event(), asyncio.Event()

        async def close(_: Patches) -> None:
            reached.set()
            await let.wait()

        monkeypatch.setattr(Patches, "close", close)
        receiver = _receiver(objects)
        await receiver._uploads.take(Chunk(upload=1, offset=0, size=len(BIG)), BIG[:1000])
        assert half_written(objects.folder.parent)
        running = asyncio.create_task(receiver.run())
        await reached.wait()
        for _ in range(2):
            running.cancel()
            await asyncio.sleep(0)
        let.set()
        await asyncio.wait([running])
        assert running.cancelled()
        assert half_written(objects.folder.parent) == []

    asyncio.run(scenario())


def test_few_are_finished_at_the_same_time(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their bytes wait for a thread, and for a slow disk: the stream waits with them."""

    async def scenario() -> None:
        let = asyncio.Event()
        monkeypatch.setattr(Uploads, "finish", lambda *_: let.wait())
        receiver = _receiver(objects)

        async def feed(group: asyncio.TaskGroup) -> None:
            for number in range(1, 101):
                await receiver._take(group, _put(BIG, number), b"")

        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            feeding = group.create_task(feed(group))
            for _ in range(1000):
                await asyncio.sleep(0)
            assert len(receiver._finishing) == 32
            let.set()
            await feeding
        assert receiver._items == 100

    asyncio.run(scenario())


async def _never(*_: object) -> None:
    raise AssertionError

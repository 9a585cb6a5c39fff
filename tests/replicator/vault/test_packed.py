"""Bytes that come packed: the right ones come out of it, or the connection ends; never more memory than the limit."""

import asyncio
import random
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from replicator.delta_commands import END, MAGIC, copy, literal
from replicator.errors import StreamError, WireError
from replicator.local import LocalArchive
from replicator.messages import CHUNK, INLINE, Base, Chunk, Done, Have, Put, Resume
from replicator.wire import PAYLOAD_MAX
from replicator.zstd import Compressor, unpack
from tests.replicator.vault.support import (
    SOURCE,
    Sender,
    content,
    faults,
    half_written,
    put_file,
    sending,
    serving,
    sha,
    tree,
    wait_until,
)

TEXT = b"".join(b"line %d of a record that is kept for ten years\n" % number for number in range(20_000))
_PACK = Compressor()


def frame(data: bytes, level: int = 3) -> bytes:
    """The bytes, packed."""
    return _PACK.pack(data, level)


def _bytes(text: bytes, times: int) -> bytes:
    return text * times


_GOOD = frame(TEXT[:5000])


@given(st.builds(_bytes, st.binary(min_size=1, max_size=300), st.integers(1, 3000)), st.integers(1, 3))
def test_what_is_packed_comes_out(data: bytes, level: int) -> None:
    """Any bytes up to the limit, at every level."""
    assert unpack(frame(data, level), len(data)) == data


@given(st.binary(max_size=300), st.integers(-1, 2 * PAYLOAD_MAX))
def test_junk_is_refused(junk: bytes, size: int) -> None:
    """Bytes that are no frame give `WireError`, whatever they begin with."""
    for bad in (junk, _GOOD[:4] + junk, _GOOD[:12] + junk):
        with pytest.raises(WireError):
            unpack(bad, size)


@given(st.data())
def test_a_damaged_frame_is_refused_or_makes_as_many_bytes(data: st.DataObject) -> None:
    """One byte that is another, or a cut: never another length, never another error. The hash decides on the rest."""
    good = _GOOD
    at = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    with pytest.raises(WireError):
        unpack(good[:at], 5000)
    try:
        assert len(unpack(damaged, 5000)) == 5000
    except WireError:
        return


def _raw(*, window: int, size: int, block: bytes, dictionary: int = 0) -> bytes:
    """A frame by hand: a descriptor of the window, a dictionary's number, the content's size, one last block."""
    head = bytes([0x81, window, dictionary]) if dictionary else bytes([0x80, window])
    return zstandard.FRAME_HEADER + head + struct.pack("<I", size) + block


def _run(count: int) -> bytes:
    """A last block that says one byte so many times."""
    return struct.pack("<I", count << 3 | 1 << 1 | 1)[:3] + b"a"


def _sized(size: int) -> bytes:
    """An honest frame's header that claims another size, before honest bytes."""
    return _raw(window=0x50, size=size, block=_run(5000))


def _no_size() -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(TEXT[:5000])


HOSTILE = {
    "another length": (frame(TEXT[:4999]), 5000),
    "more than it says": (_sized(100), 100),
    "less than it says": (_sized(100_000), 100_000),
    "no length": (_no_size(), 5000),
    "a bomb": (_raw(window=0x50, size=1 << 30, block=_run(1 << 17)), 1 << 30),
    "a bomb that says little": (_raw(window=0x50, size=1 << 30, block=_run(1 << 17)), 5000),
    "over the limit": (frame(bytes(PAYLOAD_MAX + 1)), PAYLOAD_MAX + 1),
    "a wide window": (_raw(window=0x88, size=5000, block=_run(5000)), 5000),
    "a dictionary": (_raw(window=0x50, size=5000, block=_run(5000), dictionary=7), 5000),
    "one to skip": (struct.pack("<II", 0x184D2A50, 5000) + bytes(5000), 5000),
    "two": (frame(TEXT[:2500]) * 2, 5000),
    "one and an empty one": (frame(TEXT[:5000]) + frame(b""), 5000),
    "more behind it": (frame(TEXT[:5000]) + b"x", 5000),
    "cut": (frame(TEXT[:5000])[:-1], 5000),
    "nothing": (b"", 5000),
    "none": (frame(b""), 0),
    "less than nothing": (frame(TEXT[:5000]), -5000),
    "as it is": (TEXT[:5000], 5000),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_frame_is_refused(name: str) -> None:
    """Each is a wrong frame, refused without memory for what it claims."""
    bad, size = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match="unpack frame"):
            unpack(bad, size)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_the_frame_by_hand_is_one() -> None:
    """The hostile ones are refused for what they claim, not for how they were made."""
    assert unpack(_raw(window=0x50, size=5000, block=_run(5000)), 5000) == b"a" * 5000


def _wrong() -> Iterator[tuple[Put | Chunk, bytes]]:
    for bad, size in filter(lambda each: each[1], HOSTILE.values()):  # of 0 bytes is not packed
        yield replace(put_file(b"bad", TEXT[:5000], number=1), packed=size), bad
        yield Chunk(upload=1, offset=0, size=10**6, packed=size), bad
    good = frame(TEXT[:5000])
    yield Chunk(upload=1, offset=0, size=10**6, zeros=5000, packed=5000), b""
    yield Chunk(upload=1, offset=0, size=10**6, zeros=5000, packed=5000), good
    yield Chunk(upload=1, offset=0, size=4999, packed=5000), good
    yield replace(put_file(b"bad", TEXT[:5000], number=1), packed=5000, inline=False), good
    yield replace(put_file(b"bad", TEXT[:5000], number=1), packed=5000, inline=False, upload=1), b""


def test_a_wrong_frame_ends_its_connection_and_nothing_else(tmp_path: Path) -> None:
    """Whatever comes over one connection, another source's documents arrive, and nothing is left of the wrong one."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port, "other") as other:
            for number, (message, payload) in enumerate(_wrong()):
                async with sending(server.port) as sender:
                    await sender.stream.send(message, payload)
                    await _ended(sender)
                saying = put_file(b"%d" % number, TEXT[:5000], source="other")
                if isinstance(message, Put):
                    assert isinstance(await other.keep(replace(saying, packed=5000), frame(TEXT[:5000])), Done)
            await wait_until(lambda: not half_written(tmp_path))

    asyncio.run(scenario())
    with LocalArchive(tmp_path) as archive:
        assert archive.sources().keys() == {"other"}
    assert faults(tmp_path) == []


async def _ended(sender: Sender) -> None:
    with pytest.raises(StreamError) as ended:
        await sender.hear()
    assert "silent" not in str(ended.value)


def test_a_document_comes_packed(tmp_path: Path) -> None:
    """In its frame, in chunks of which some are packed, and as a packed delta: it is stored as it was."""
    large = TEXT + random.Random(5).randbytes(CHUNK) + TEXT

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            assert "zstd" in sender.welcome.takes
            small = TEXT[:INLINE]
            assert isinstance(await sender.keep(replace(put_file(b"small", small), packed=INLINE), frame(small)), Done)
            await _chunks(sender, 1, large)
            assert isinstance(await sender.keep(replace(put_file(b"large", large), inline=False, upload=1)), Done)
            delta = MAGIC + copy(0, len(large)) + literal(small) + END
            await sender.stream.send(Base(upload=2, base=sha(large), base_size=len(large), size=len(large) + INLINE))
            chunk = Chunk(upload=2, offset=0, size=len(large) + INLINE, packed=len(delta))
            await sender.stream.send(chunk, frame(delta))
            grown = put_file(b"grown", large + small)
            assert isinstance(await sender.keep(replace(grown, inline=False, upload=2)), Done)

    asyncio.run(scenario())
    with LocalArchive(tmp_path) as archive:
        for data in (TEXT[:INLINE], large, large + TEXT[:INLINE]):
            assert content(archive, sha(data)) == data
    assert tree(tmp_path).keys() == {b"small", b"large", b"grown"}
    assert faults(tmp_path) == []


async def _chunks(sender: Sender, upload: int, data: bytes, start: int = 0, end: int | None = None) -> None:
    for number, offset in enumerate(range(start, len(data) if end is None else end, CHUNK)):
        part = data[offset : offset + CHUNK]
        chunk = Chunk(upload=upload, offset=offset, size=len(data))
        if number % 3:
            await sender.stream.send(replace(chunk, packed=len(part)), frame(part))
        else:
            await sender.stream.send(chunk, part)


def test_packed_bytes_go_on_after_a_cut(tmp_path: Path) -> None:
    """What is here of a large file is told in unpacked bytes, and goes on packed or not."""
    data, ask = TEXT * 4, Resume(upload=1, source=SOURCE, path=b"big", size=4 * len(TEXT), identity=b"one")

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            async with sending(server.port) as sender:
                await sender.say(ask)
                await _chunks(sender, 1, data, end=9 * CHUNK)
                (half,) = (tmp_path / "partial").iterdir()
                await wait_until(lambda: half.stat().st_size == 9 * CHUNK)
            async with sending(server.port) as sender:
                assert await sender.say(ask) == Have(upload=1, offset=8 * CHUNK, hash=sha(data[: 8 * CHUNK]))
                await _chunks(sender, 1, data, start=8 * CHUNK)
                assert isinstance(await sender.keep(replace(put_file(b"big", data), inline=False, upload=1)), Done)

    asyncio.run(scenario())


def test_wrong_bytes_in_a_right_frame_are_refused(tmp_path: Path) -> None:
    """The hash is over the unpacked bytes: a frame of others is refused as such bytes are, and the connection lives."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            other = frame(TEXT[1:5001])
            answer = await sender.keep(replace(put_file(b"a", TEXT[:5000]), packed=5000), other)
            assert getattr(answer, "code", "") == "hash"
            answer = await sender.keep(replace(put_file(b"a", TEXT[:5000]), packed=4000), frame(TEXT[:4000]))
            assert getattr(answer, "code", "") == "size"
            assert isinstance(await sender.file(b"a", TEXT[:5000]), Done)

    asyncio.run(scenario())

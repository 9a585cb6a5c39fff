"""A delta from an end that is not trusted makes the right object, or none, within bounds."""

import asyncio
import contextlib
import io
import os
import random
from pathlib import Path

import pyrsync  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from replicator.delta_commands import END, MAGIC, copy, literal
from replicator.errors import BaseError, DamagedError
from replicator.local import LocalArchive
from replicator.messages import CHUNK, Base, Cancel, Chunk, Done, Need
from replicator.objects import Objects
from replicator.patch import Patch
from replicator.vault import VaultServer
from tests.replicator.vault.support import (
    LIMIT,
    Sender,
    content,
    faults,
    half_written,
    put_file,
    sending,
    serving,
    sha,
    tree,
    wait_for,
    wait_until,
)

_rng = random.Random(11)
_BASE = _rng.randbytes(400_000)
_FRESH = _BASE[:100_000] + b"new" * 3000 + _BASE[110_000:] + b"end"


def _librsync(base: bytes, fresh: bytes) -> bytes:
    signature, delta = io.BytesIO(), io.BytesIO()
    pyrsync.signature(io.BytesIO(base), signature, 32, pyrsync.RS_RK_BLAKE2_SIG_MAGIC, 2048)
    signature.seek(0)
    pyrsync.delta(io.BytesIO(fresh), signature, delta)
    return delta.getvalue()


_DELTA = _librsync(_BASE, _FRESH)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """A vault's objects, the base among them."""
    root = tmp_path_factory.mktemp("vault")
    for number in range(256):
        (root / "objects" / f"{number:02x}").mkdir(parents=True)
    (root / "incoming").mkdir()
    objects = Objects(root)
    objects.keep(iter([_BASE]), sha(_BASE), len(_BASE))
    return objects


def test_a_hole_of_the_base_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in a file with holes costs the vault its hash: the base's holes are not read, and stay holes."""
    (tmp_path / "objects" / "00").mkdir(parents=True)
    (tmp_path / "incoming").mkdir()
    objects, size = Objects(tmp_path), 16 << 20
    base = b"head" * 4096 + bytes(size - 16384)
    fresh = base[:-8] + b"changed."
    for data in (base, fresh):
        objects.path(sha(data)).parent.mkdir(exist_ok=True)
    objects.keep((base[at : at + (1 << 20)] for at in range(0, size, 1 << 20)), sha(base), size)
    reads, pread = [], os.pread

    def asked(descriptor: int, count: int, at: int) -> bytes:
        reads.append(at)
        return pread(descriptor, count, at)

    monkeypatch.setattr(os, "pread", asked)
    patch = Patch(objects, "patch", sha(base), size, size)
    try:
        patch.apply(MAGIC + copy(0, size - 8) + literal(b"changed.") + END)
        patch.finish(sha(fresh))
    finally:
        patch.drop()
    assert len(reads) <= 2
    assert objects.path(sha(fresh)).stat().st_blocks * 512 <= 2 << 20
    assert sha(b"".join(objects.read(sha(fresh)))) == sha(fresh)


def _patch(objects: Objects, delta: bytes, *, size: int = len(_FRESH), digest: bytes = sha(_FRESH)) -> None:
    patch = Patch(objects, "patch", sha(_BASE), len(_BASE), size)
    try:
        for start in range(0, len(delta), 50_000):
            patch.apply(delta[start : start + 50_000])
        patch.finish(digest)
    finally:
        patch.drop()
        patch.drop()


def test_librsync_speaks_as_we_read(objects: Objects) -> None:
    """A delta that librsync itself made gives the file."""
    _patch(objects, _DELTA)
    assert b"".join(objects.read(sha(_FRESH))) == _FRESH


@settings(max_examples=400, deadline=None, database=None)
@given(data=st.data())
def test_a_damaged_delta_makes_the_right_object_or_none(objects: Objects, data: st.DataObject) -> None:
    """Bytes changed, cut out, put in, swapped: refused as damaged, or the object is the one that was said."""
    delta = bytearray(_DELTA)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(delta) - 1)))
        match data.draw(st.sampled_from(["change", "cut", "put", "end"])):
            case "change" if delta:
                delta[at] = data.draw(st.integers(0, 255))
            case "cut":
                del delta[at : at + data.draw(st.integers(1, 40))]
            case "put":
                delta[at:at] = data.draw(st.binary(min_size=1, max_size=40))
            case _:
                del delta[at:]
    objects.path(sha(_FRESH)).unlink(missing_ok=True)
    with contextlib.suppress(DamagedError):
        _patch(objects, bytes(delta))
        assert b"".join(objects.read(sha(_FRESH))) == _FRESH
    found = objects.path(sha(_FRESH))
    assert not found.exists() or found.read_bytes() == _FRESH
    assert not list((objects.folder.parent / "incoming").iterdir())


@settings(max_examples=300, deadline=None, database=None)
@given(noise=st.binary(max_size=300), begun=st.booleans())
def test_noise_is_no_delta(objects: Objects, noise: bytes, begun: bool) -> None:
    """Random commands end as damage, at once."""
    with pytest.raises(DamagedError):
        _patch(objects, MAGIC + noise if begun else noise, digest=b"\0" * 32)


_HOSTILE = {
    "a bomb": MAGIC + copy(0, len(_BASE)) * 50_000 + END,
    "a copy behind the base": MAGIC + copy(len(_BASE) - 10, 11) + END,
    "a copy at the end of numbers": MAGIC + copy(2**64 - 1, 2**64 - 1) + END,
    "a long copy": MAGIC + copy(0, 2**62) + END,
    "a literal that never comes": MAGIC + b"\x44" + b"\xff" * 8,
    "no end": _DELTA[:-1],
    "no beginning": _DELTA[4:],
    "nothing": b"",
    "bytes after the end": _DELTA + b"\0",
    "too little": MAGIC + copy(0, 1000) + END,
    "commands of no bytes": MAGIC + b"\x45\x00\x00" * 1000 + END,
    "longer than what it makes": MAGIC + literal(b"x" * len(_FRESH)) + literal(b"x" * len(_FRESH)),
    "another file's bytes": MAGIC + literal(bytes(len(_FRESH))) + END,
}


def _whole(patch: Patch, delta: bytes) -> None:
    patch.apply(delta)
    patch.finish(sha(_FRESH))


@pytest.mark.parametrize("what", _HOSTILE)
def test_a_hostile_delta_writes_no_more_than_was_said(objects: Objects, what: str) -> None:
    """It is refused before a byte more than the said size is written, and leaves nothing behind."""
    patch = Patch(objects, "hostile", sha(_BASE), len(_BASE), len(_FRESH))
    (written,) = (objects.folder.parent / "incoming").iterdir()
    try:
        with pytest.raises(DamagedError):
            _whole(patch, _HOSTILE[what])
        assert written.stat().st_size <= len(_FRESH)
    finally:
        patch.drop()
    assert not written.exists()


def test_a_base_that_is_not_here(objects: Objects) -> None:
    """No such object, or one of another size, is told as the base's fault."""
    for name, size in ((sha(b"unknown"), 5), (sha(_BASE), len(_BASE) + 1)):
        with pytest.raises(BaseError):
            Patch(objects, "nobase", name, size, 100)


# ------------------------------------------------------------------ over the stream


def _as_object(root: Path) -> Path:
    """The base, where larger ones are."""
    objects = Objects(root)
    objects.keep(iter([_BASE]), sha(_BASE), len(_BASE))
    return objects.path(sha(_BASE))


async def _deltas(sender: Sender, number: int, base: bytes, delta: bytes, size: int, *, base_size: int) -> None:
    await sender.stream.send(Base(upload=number, base=base, base_size=base_size, size=size))
    for offset in range(0, len(delta), CHUNK):
        await sender.stream.send(Chunk(upload=number, offset=offset, size=size), delta[offset : offset + CHUNK])


async def _catalogued(server: VaultServer) -> None:
    """Wait until the catalog has all, and a record's content can be a base."""
    await asyncio.to_thread(wait_for, lambda: server._opened().behind == 0)


def test_a_delta_becomes_a_version(tmp_path: Path) -> None:
    """What a delta made is an object like any other: in the tree, by its hash, found whole by `verify`."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            assert isinstance(await sender.file(b"big", _BASE), Done)
            await _catalogued(server)
            await _deltas(sender, 77, sha(_BASE), _DELTA, len(_FRESH), base_size=len(_BASE))
            assert isinstance(await sender.keep(replace(put_file(b"big", _FRESH), inline=False, upload=77)), Done)
            with LocalArchive(tmp_path) as archive:
                assert content(archive, tree(tmp_path)[b"big"].hash) == _FRESH
                assert content(archive, sha(_BASE)) == _BASE
        assert not faults(tmp_path)

    asyncio.run(scenario())


@pytest.mark.parametrize("damage", ["gone", "a byte short", "a byte changed", "emptied"])
def test_a_base_that_is_not_what_it_was_is_answered_by_need(damage: str, tmp_path: Path) -> None:
    """Whatever happened to the base: the whole file is asked for and taken, and the vault counts what it found."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            path = _as_object(tmp_path)
            assert isinstance(await sender.file(b"big", _BASE), Done)
            path.chmod(0o600)
            match damage:
                case "gone":
                    path.unlink()
                case "a byte short":
                    os.truncate(path, len(_BASE) - 1)
                case "emptied":
                    os.truncate(path, 0)
                case _:
                    path.write_bytes(b"\0" + _BASE[1:] if _BASE[0] else b"\1" + _BASE[1:])
            await _deltas(sender, 77, sha(_BASE), _DELTA, len(_FRESH), base_size=len(_BASE))
            answer = await sender.keep(replace(put_file(b"big", _FRESH), inline=False, upload=77))
            assert isinstance(answer, Need)
            counted = {
                reason: server._metrics.refused.labels(reason)._value.get()
                for reason in ("base-missing", "base-damaged", "delta")
            }
            assert counted == {"base-missing": damage == "gone", "base-damaged": damage != "gone", "delta": 0}
            assert isinstance(await sender.file(b"big", _FRESH), Done)
            assert not half_written(tmp_path)

    asyncio.run(scenario())


def test_a_base_that_is_damaged_in_its_record_is_answered_by_need(tmp_path: Path) -> None:
    """No object is made of it."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            assert isinstance(await sender.file(b"big", _BASE), Done)
            await _catalogued(server)
            with (tmp_path / "journal" / "00000001.seg").open("r+b") as segment:
                segment.seek(-1000, os.SEEK_END)
                segment.write(bytes(100))
            await _deltas(sender, 77, sha(_BASE), _DELTA, len(_FRESH), base_size=len(_BASE))
            assert isinstance(await sender.keep(replace(put_file(b"big", _FRESH), inline=False, upload=77)), Need)
            assert server._metrics.refused.labels("base-damaged")._value.get() == 1
            assert not Objects(tmp_path).path(sha(_BASE)).exists()
            assert not half_written(tmp_path)

    asyncio.run(scenario())


def test_hostile_deltas_end_no_connection(tmp_path: Path) -> None:
    """Each of them is answered by `Need`; the connection and its other items live on."""

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            assert isinstance(await sender.file(b"big", _BASE), Done)
            await _catalogued(server)
            for number, delta in enumerate(_HOSTILE.values(), 100):
                await _deltas(sender, number, sha(_BASE), delta, len(_FRESH), base_size=len(_BASE))
                answer = await sender.keep(replace(put_file(b"big", _FRESH), inline=False, upload=number))
                assert isinstance(answer, Need)
            assert isinstance(await sender.file(b"small", b"still here"), Done)
            assert not half_written(tmp_path)

    asyncio.run(scenario())


def test_a_delta_given_up_or_left_leaves_nothing(tmp_path: Path) -> None:
    """`Cancel`, and a connection that ends within a delta, leave no half file."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            async with sending(server.port) as sender:
                assert isinstance(await sender.file(b"big", _BASE), Done)
                await _catalogued(server)
                await _deltas(sender, 5, sha(_BASE), _DELTA[:5000], len(_FRESH), base_size=len(_BASE))
                await sender.stream.send(Cancel(upload=5))
                assert isinstance(await sender.file(b"small", b"after it"), Done)
                assert not half_written(tmp_path)
                await _deltas(sender, 6, sha(_BASE), _DELTA[:5000], len(_FRESH), base_size=len(_BASE))
                await wait_until(lambda: half_written(tmp_path))
            await wait_until(lambda: not half_written(tmp_path))

    asyncio.run(scenario())


def test_pieces_out_of_order_are_no_stream(tmp_path: Path) -> None:
    """A hole in a delta's bytes, or one upload begun twice, ends the connection, as with every upload."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            for second in (Chunk(upload=5, offset=9, size=1000), Base(upload=5, base=b"", base_size=0, size=1000)):
                async with sending(server.port) as sender:
                    await sender.stream.send(Base(upload=5, base=sha(_BASE), base_size=1, size=1000))
                    await sender.stream.send(second, b"x" if isinstance(second, Chunk) else b"")
                    with pytest.raises(Exception, match="take delta 5"):
                        await sender.stream.receive(LIMIT)

    asyncio.run(scenario())

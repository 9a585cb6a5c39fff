"""Holes cost what their hash costs: they are neither read nor summed anew, and what is made of them is the same."""

import hashlib
import os
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from replicator import holes, signature
from replicator.change import Kind, Meta
from replicator.delta_librsync import entries
from replicator.journal_rows import Known
from replicator.largefile import LargeFile
from replicator.signature import BLOCK, REGION, Regions, sum_bytes
from replicator.signatures import Signatures
from replicator.turns import Item
from replicator.watcher import Grade
from tests.replicator.source.support import signature_of
from tests.replicator.whole import with_holes
from tests.support.waiting import until

_MIB = 1024 * 1024
#: Bytes of the file; what is in it is read in at most so many goes of 4 MiB.
_SIZE, _GOES = 64 * _MIB + 1000, 4


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """64 MiB of holes with bytes at the start, in the middle and at the end."""
    path = tmp_path / "tree" / "file"
    path.parent.mkdir()
    with_holes(path, _SIZE, (0, b"head" * 4096), (20 * _MIB + 1, b"middle" * 4096), (_SIZE - 8, b"the end."))
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where the kernel was asked for bytes of a file."""
    found: list[int] = []
    pread: Callable[[int, int, int], bytes] = os.pread

    def asked(descriptor: int, count: int, at: int) -> bytes:
        found.append(at)
        return pread(descriptor, count, at)

    monkeypatch.setattr(os, "pread", asked)
    return found


def test_where_nothing_but_a_hole_is(sparse: Path) -> None:
    """A stretch is a hole if no byte of it was written, also at the end; behind the end there is none."""
    with sparse.open("r+b", buffering=0) as file:
        descriptor = file.fileno()
        assert holes.all_hole(descriptor, _MIB, 20 * _MIB)
        assert not holes.all_hole(descriptor, 0, _MIB)
        assert not holes.all_hole(descriptor, 19 * _MIB, 21 * _MIB)
        os.truncate(descriptor, 60 * _MIB)
        assert holes.all_hole(descriptor, 40 * _MIB, 60 * _MIB)
        assert not holes.all_hole(descriptor, 40 * _MIB, 61 * _MIB)
    reading, writing = os.pipe()
    try:
        assert not holes.all_hole(reading, 0, 1)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_hole_is_not_read(sparse: Path, reads: list[int]) -> None:
    """A file with holes is hashed and summed as it is; only what was written is read."""
    file = LargeFile(os.fsencode(sparse.parent), Item(b"file", 0, Grade.NOW, 0))
    try:
        assert file.hash_all() == hashlib.sha256(sparse.read_bytes()).digest()
        assert file.regions.sums().tobytes() == _sums(sparse.read_bytes(), REGION)
    finally:
        file.close()
    assert len(reads) <= _GOES


def test_a_file_that_lost_its_end_is_not_holes(sparse: Path) -> None:
    """What was cut off while the file is read is no hole: the reading ends, also of a file that is never still."""
    tired = Item(b"file", 0, Grade.OPEN, 0)
    file = LargeFile(os.fsencode(sparse.parent), tired)
    try:
        assert file.read()
        os.truncate(sparse, 16 * _MIB)
        said = 0
        while (data := file.read()) is not None:
            said += len(data)
        assert said <= 16 * _MIB
    finally:
        file.close()


def test_zeros_have_the_signature_that_librsync_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is the same whether zeros were summed or not; of zeros one block is."""
    data = bytes(3 * _MIB) + b"x" * 5000 + bytes(2 * _MIB + 77)
    summed: list[int] = []

    def counted(part: bytes, block: int) -> bytes:
        summed.append(len(part))
        return entries(part, block)

    monkeypatch.setattr(signature, "entries", counted)
    signature._entry_of_zeros.cache_clear()
    made = signature_of(data)
    block = sum_bytes(len(data))
    assert made.sums == entries(data, block)
    assert made.blocks == _sums(data, BLOCK)
    assert made.regions == _sums(data, REGION)
    assert sum(summed) <= 2 * _MIB + block


def test_a_signature_of_holes_reads_none(tmp_path: Path, sparse: Path, reads: list[int]) -> None:
    """Once a file with holes is at the vault its signature is made of what was written."""
    data = sparse.read_bytes()
    regions = Regions()
    regions.feed(data)
    meta = Meta(kind=Kind.FILE, mode=0o644, mtime_ns=0, uid=0, gid=0, size=_SIZE, sparse=True)
    known = Known(meta=meta, hash=hashlib.sha256(data).digest())
    signatures = Signatures(tmp_path / "kept", lambda: os.fsencode(sparse.parent))
    try:
        signatures.ask(b"file", known, regions.sums())
        until(lambda: signatures.load(b"file") is not None, "it is made")
        assert signatures.load(b"file") == signature_of(data)
    finally:
        signatures.close()
    assert len(reads) <= _GOES


def _sums(data: bytes, unit: int) -> bytes:
    """As `signature` has them, without what it spares."""
    return array("I", (zlib.crc32(data[at : at + unit]) for at in range(0, len(data), unit))).tobytes()

"""A large file that changed is said as what is new in it, and what is said makes the file again."""

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.delta import Delta
from replicator.delta_commands import Commands, Copy, copy, literal
from replicator.errors import DamagedError
from replicator.largefile import LargeFile
from replicator.signature import REGION, Regions, Sums, pack, renew, unpack
from replicator.turns import Item
from replicator.watcher import Grade
from tests.replicator.source.support import signature_of

_MIB = 1024 * 1024
_rng = random.Random(7)
_BASE = _rng.randbytes(3 * _MIB + 12_345)


def _sums(data: bytes) -> Sums:
    regions = Regions()
    regions.feed(data)
    return regions.sums()


def _delta(folder: Path, base: bytes, fresh: bytes, *, grown: bool = False) -> tuple[bytes, Delta]:
    (folder / "file").write_bytes(fresh)
    file = LargeFile(os.fsencode(folder), Item(b"file", 0, Grade.NOW, 0))
    try:
        delta = Delta(file, signature_of(base), grown=grown)
        said = b""
        while not delta.ended:
            commands = delta.read()
            assert commands is not None
            said += commands
        if not delta.wrong:
            assert file.regions.sums() == _sums(fresh)
        assert file.digest == hashlib.sha256(fresh).digest()
    finally:
        file.close()
    return said, delta


def _apply(base: bytes, delta: bytes, pieces: int = 1000) -> bytes:
    commands, made = Commands(), b""
    for start in range(0, len(delta), pieces):
        commands.feed(delta[start : start + pieces])
        while (command := commands.next()) is not None:
            if isinstance(command, Copy):
                assert command.offset + command.length <= len(base)
                made += base[command.offset : command.offset + command.length]
            else:
                made += command
    assert commands.ended
    return made


def _changed(data: bytes, at: int, fresh: bytes) -> bytes:
    return data[:at] + fresh + data[at + len(fresh) :]


_CHANGES: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "appended": (lambda base: base + _rng.randbytes(64_000), 69_000),
    "in the middle": (lambda base: _changed(base, 1_000_001, _rng.randbytes(10_000)), 20_000),
    "at the start": (lambda base: b"!" + base[1:], 5_000),
    "moved by an insertion": (lambda base: base[:5000] + b"inserted" + base[5000:], 60_000),
    "moved by a cut": (lambda base: base[:700_000] + base[710_000:], 60_000),
    "parts swapped": (lambda base: base[2 * _MIB :] + base[: 2 * _MIB], 80_000),
    "shortened": (lambda base: base[: _MIB + 77], 6_000),
    "of nothing that was": (lambda base: _rng.randbytes(len(base)), len(_BASE) + 2000),
    "moved and appended": (lambda base: base[10:] + _rng.randbytes(1000), 60_000),
    "grown in front of all": (lambda base: _rng.randbytes(2 * _MIB) + base, 2 * _MIB + 120_000),
}


@pytest.mark.parametrize("how", _CHANGES)
def test_a_change_is_said_in_few_bytes(how: str, tmp_path: Path) -> None:
    """Each way in which files change is said in about its own bytes, and makes the file again."""
    change, most = _CHANGES[how]
    fresh = change(_BASE)
    said, delta = _delta(tmp_path, _BASE, fresh)
    assert _apply(_BASE, said) == fresh
    assert len(said) <= most
    assert delta.differs


@pytest.mark.parametrize("size", [300_000, 5 * REGION, len(_BASE)])
@pytest.mark.parametrize("more", [1, 4096, 64_000, 300_000])
def test_a_file_believed_to_have_grown(size: int, more: int, tmp_path: Path) -> None:
    """If it has only grown, what is said is one copy and the new bytes; if not, that is known at the end of the old."""
    base, tail = _BASE[:size], _rng.randbytes(more)
    said, delta = _delta(tmp_path, base, base + tail, grown=True)
    assert not delta.wrong
    assert _apply(base, said) == base + tail
    assert len(said) < more + 100
    _, delta = _delta(tmp_path, base, _changed(base, size // 2, b"!") + tail, grown=True)
    assert delta.wrong


def test_a_file_that_is_the_same_is_not_said(tmp_path: Path) -> None:
    """While nothing differs from what the vault has, nothing is said."""
    said, delta = _delta(tmp_path, _BASE, _BASE)
    assert (said, delta.differs) == (b"", False)


@settings(max_examples=40, deadline=None, database=None)
@given(
    size=st.integers(1, 400_000),
    edits=st.lists(st.tuples(st.integers(0, 700_000), st.integers(0, 80_000), st.integers(0, 80_000)), max_size=6),
    seed=st.integers(0, 1000),
    pieces=st.sampled_from([7, 1000, 65_536, 1_000_000]),
)
def test_any_change_makes_the_file_again(
    tmp_path_factory: pytest.TempPathFactory, size: int, edits: list[tuple[int, int, int]], seed: int, pieces: int
) -> None:
    """Whatever is cut out, put in and overwritten, applying what is said to the base gives the file, in any pieces."""
    base = random.Random(seed).randbytes(size)
    fresh = base
    for number, (at, cut, put) in enumerate(edits):
        fresh = fresh[:at] + random.Random(seed + number).randbytes(put) + fresh[at + cut :]
    said, delta = _delta(tmp_path_factory.mktemp("delta"), base, fresh)
    if delta.differs:
        assert _apply(base, said, pieces) == fresh
    else:
        assert base == fresh


def test_a_signature_is_renewed_as_it_would_be_made_anew() -> None:
    """Taking what has not changed from the old signature gives the same as making it from all bytes."""
    old = signature_of(_BASE)
    for change, _ in _CHANGES.values():
        fresh = change(_BASE)
        assert signature_of(fresh, old) == signature_of(fresh)
    assert unpack(pack(old)) == old


def test_a_signature_is_not_made_of_other_bytes() -> None:
    """A file that changed after it was sent gets no signature that says otherwise."""
    regions = Regions()
    regions.feed(_BASE)
    other = _changed(_BASE, 2_000_000, b"other")
    made = renew(lambda offset, count: other[offset : offset + count], b"h" * 32, len(_BASE), regions.sums(), None)
    assert made is None


def test_a_damaged_signature_is_none() -> None:
    """A flipped bit anywhere, a cut, or other bytes: the file counts as unknown and is sent whole."""
    packed = pack(signature_of(_BASE[:300_000]))
    for at in range(0, len(packed), 997):
        damaged = bytearray(packed)
        damaged[at] ^= 1 << at % 8
        assert unpack(bytes(damaged)) is None
    assert unpack(packed[:-1]) is None
    assert unpack(b"") is None


@given(offset=st.integers(0, 2**64 - 1), length=st.integers(1, 2**64 - 1), data=st.binary(min_size=1, max_size=70_000))
@settings(max_examples=200, deadline=None, database=None)
def test_commands_are_read_as_they_were_written(offset: int, length: int, data: bytes) -> None:
    """Numbers of every width come back; a literal comes back whole."""
    commands = Commands()
    commands.feed(b"\x72\x73\x02\x36" + copy(offset, length) + literal(data) + b"\0")
    assert commands.next() == Copy(offset, length)
    assert commands.next() == data
    assert commands.next() is None
    assert commands.ended


def test_what_librsync_forbids_is_refused() -> None:
    """Unknown commands, empty ones, another beginning and bytes after the end are no delta."""
    for bad in (b"\x00\x01", b"\x55", b"\xff", b"\x41\x00", b"\x45\x00\x00"):
        with pytest.raises(DamagedError):
            _apply(_BASE, b"\x72\x73\x02\x36" + bad)
    with pytest.raises(DamagedError):
        _apply(_BASE, b"\x72\x73\x02\x37\x00")

"""Frames: what goes in comes out, and nothing else gets through."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import WireError
from replicator.messages import Beat, Chunk, Fetch, Put, ToVault
from replicator.wire import FRAME_MAX, HEADER_MAX, PAYLOAD_MAX, encode, to_vault
from tests.replicator.vault.support import put_file

_messages = st.one_of(
    st.builds(Beat, now_ns=st.integers(0, 2**63 - 1)),
    st.builds(Chunk, upload=st.integers(1, 9), offset=st.integers(0, 2**40), size=st.integers(0, 2**40)),
    st.builds(Fetch, hash=st.binary(min_size=32, max_size=32)),
    st.builds(put_file, st.binary(min_size=1, max_size=300), st.binary(max_size=50)),
)


@given(st.lists(st.tuples(_messages, st.binary(max_size=5000)), max_size=8), st.data())
def test_messages_survive_any_cut(said: list[tuple[ToVault, bytes]], data: st.DataObject) -> None:
    """However the network cuts the bytes, the same messages come out in the same order."""
    raw = b"".join(encode(message, payload) for message, payload in said)
    frames, heard = to_vault(), []
    while raw:
        cut = data.draw(st.integers(1, len(raw)))
        frames.feed(raw[:cut])
        raw = raw[cut:]
        while (got := frames.next()) is not None:
            heard.append(got)
    assert heard == said
    assert not frames.partial


@given(st.lists(st.tuples(_messages, st.binary(max_size=5000)), min_size=1, max_size=8), st.integers(1, 3000))
def test_messages_survive_in_the_frames_own_room(said: list[tuple[ToVault, bytes]], most: int) -> None:
    """What is written straight into the room comes out the same, round after round, and the room never ends."""
    frames, heard = to_vault(), []
    raw = b"".join(encode(message, payload) for message, payload in said) * 15
    while raw:
        room = frames.room()[:most]
        assert room
        some, raw = raw[: len(room)], raw[len(room) :]
        room[: len(some)] = some
        frames.filled(len(some))
        while (got := frames.next()) is not None:
            heard.append(got)
    assert heard == said * 15
    assert not frames.partial


@given(st.binary(min_size=4, max_size=4000))
def test_junk_is_refused_or_waits(junk: bytes) -> None:
    """Any bytes at all give messages, a wish for more, or `WireError`; never another error."""
    frames = to_vault()
    frames.feed(junk)
    try:
        while frames.next() is not None:
            pass
    except WireError:
        return
    (length,) = struct.unpack(">I", junk[:4])
    assert length <= FRAME_MAX


@pytest.mark.parametrize("length", [0, 1, FRAME_MAX + 1, 2**31, 2**32 - 1])
def test_a_length_over_the_limit_is_refused_at_once(length: int) -> None:
    """Four bytes are enough to refuse a frame: no memory is taken for it."""
    frames = to_vault()
    frames.feed(struct.pack(">I", length))
    with pytest.raises(WireError, match="length"):
        frames.next()


def test_a_header_longer_than_its_frame_is_refused() -> None:
    """The inner length is checked against the outer one."""
    frames = to_vault()
    frames.feed(struct.pack(">IH", 10, 9) + bytes(8))
    with pytest.raises(WireError, match="header"):
        frames.next()


def test_nobody_sends_what_the_other_end_would_refuse() -> None:
    """Header and payload are checked before they are sent."""
    with pytest.raises(WireError, match="limit"):
        encode(Beat(now_ns=1), bytes(PAYLOAD_MAX + 1))
    with pytest.raises(WireError, match="limit"):
        encode(Put(**{f: getattr(put_file(bytes(HEADER_MAX), b""), f) for f in Put.__struct_fields__}))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_who_says_little_costs_little() -> None:
    """A connection has room for a whole frame, but no memory for it until there is one."""
    before = _resident()
    frames = [to_vault() for _ in range(100)]
    for each in frames:
        each.feed(encode(Beat(now_ns=1)))
        each.room()
    assert _resident() - before < 100 * PAYLOAD_MAX / 4
    assert all(each.next() is not None for each in frames)

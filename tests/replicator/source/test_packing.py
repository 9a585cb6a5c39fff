"""What is packed and what is not, from the tree to the vault, over a line that counts its bytes."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.link_pipe import Best
from replicator.local import LocalArchive
from replicator.packing import REASONS, SHORT, Packer, Plan, Uploaded, plan
from replicator.restore import restore
from replicator.zstd import unpack
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.replicator.source.proxy import Line, line
from tests.replicator.whole import room, with_holes
from tests.support.trees import differences, snapshot

_MIB = 1024 * 1024
_MANY = 1 << 40
#: Bytes a second: slow enough for packing, and a second's worth may leave at once.
_SLOW = 2_000_000
_PACKED = Plan(3, "slow")


def text(count: int, seed: int = 1) -> bytes:
    """So many bytes of records, which shrink to a fifth or less."""
    chance = random.Random(seed)
    rows = (b"%07d;%d;received and filed in the archive\n" % (at, chance.randrange(1000)) for at in range(count // 40))
    return b"".join(rows).ljust(count, b".")[:count]


# ------------------------------------------------------------------ the decision


@pytest.mark.parametrize(
    ("rate", "able", "level", "reason"),
    [
        (1e6, True, 3, "slow"),
        (12.5e6, True, 3, "slow"),
        (25e6, True, 2, "slow"),
        (35e6, True, 1, "slow"),
        (125e6, True, 0, "fast"),
        (5e9, True, 0, "fast"),
        (None, True, 0, "unknown"),
        (1e6, False, 0, "vault"),
    ],
)
def test_only_a_slow_line_asks_for_it(rate: float | None, able: bool, level: int, reason: str) -> None:
    """The slower the line, the more is done; nothing on 1 Gbit/s, on a line that nobody knows, for an old vault."""
    assert plan(rate, able=able) == Plan(level, reason)


@given(st.none() | st.floats(0, 1e12), st.booleans())
def test_each_refusal_has_its_reason(rate: float | None, able: bool) -> None:
    """What is not packed is counted under a reason that the metric has."""
    wanted = plan(rate, able=able)
    assert (wanted.reason == "slow") if wanted.level else (wanted.reason in REASONS)


@given(st.lists(st.tuples(st.integers(SHORT, 2**20), st.booleans()), max_size=60))
def test_an_upload_that_does_not_shrink_is_tried_less_and_less(parts: list[tuple[int, bool]]) -> None:
    """After a part that did not shrink at least 1 MiB goes untried, and 64 MiB at most: never given up for good."""
    upload, untried = Uploaded(), _MANY
    for size, shrinks in parts:
        if not upload.tries(size):
            untried += size
            continue
        assert untried >= _MIB
        upload.tried(size, size // 3 if shrinks else size)
        untried = _MANY if shrinks else 0
        assert 1 <= upload.grow <= 4
    for _ in range(65):
        if upload.tries(_MIB):
            return
    raise AssertionError


def test_a_body_is_packed_when_it_shrinks() -> None:
    """Text is; what is short, or compressed already, also behind a head of text, is not."""
    packer, dense = Packer(), random.Random(2).randbytes(200_000)
    parcel = packer.body(text(200_000), _PACKED)
    assert parcel.packed == 200_000
    assert unpack(bytes(parcel.data), parcel.packed) == text(200_000)
    assert packer.body(text(SHORT - 1), _PACKED).reason == "short"
    for body in (dense, dense[:3000], text(20_000) + dense):
        assert packer.body(body, _PACKED) == (body, 0, "dense")
    assert packer.body(text(200_000), Plan(0, "fast")).reason == "fast"


def test_the_best_of_a_line_is_forgotten_in_time() -> None:
    """A line is as fast as it was seen to be in the last seconds: little to send is no slow line, a worse line is."""
    assert Best().rate is None
    best = Best()
    best.measured(100.0, 1000.0)
    best.measured(5.0, 1001.0)
    assert best.rate == 100.0
    best.measured(6.0, 1011.0)
    assert best.rate == 100.0
    best.measured(7.0, 1022.0)
    assert best.rate == 7.0


# ------------------------------------------------------------------ the whole way


class _Room:
    """A running pair whose line counts, with a limit on it."""

    def __init__(self, folder: Path, running: Running, counted: Line) -> None:
        self.docs, self.root = folder / "docs", folder / "vault"
        self.running = running
        self._folder, self._line = folder, counted

    async def sent(self) -> int:
        """Bytes that went to the vault since this was asked last; waits until all is there."""
        await self.running.settle()
        await equal(self.docs, self.root)
        left, self._line.cut_after = self._line.cut_after, _MANY
        assert left is not None
        return _MANY - left

    def count(self, name: str, **labels: str) -> float:
        """A metric."""
        return self.running.registry.get_sample_value(f"bongsu_replication_{name}_bytes_total", labels) or 0.0

    def restored(self) -> str:
        """How a restore differs from the tree."""
        with LocalArchive(self.root) as archive:
            restore(archive, self._folder / "restored")
        return differences(snapshot(self.docs), snapshot(self._folder / "restored"))


@asynccontextmanager
async def _room(folder: Path, bandwidth: int = _SLOW) -> AsyncIterator[_Room]:
    (folder / "docs").mkdir()
    async with vault(folder / "vault") as server, line(server.port) as counted:
        counted.cut_after = _MANY
        config = settings(folder / "state", counted.port, folder / "docs", bandwidth=bandwidth)
        async with replicating(config) as running:
            pair = _Room(folder, running, counted)
            await pair.sent()
            yield pair


def test_on_a_slow_line_documents_cost_a_fraction(tmp_path: Path) -> None:
    """Small ones, a large one, and what is appended to it; a restore gives them back."""

    async def scenario() -> None:
        async with _room(tmp_path) as pair:
            for number in range(20):
                (pair.docs / f"{number}.txt").write_bytes(text(50_000, number))
            assert await pair.sent() < 20 * 50_000 / 3
            (pair.docs / "large.csv").write_bytes(text(3 * _MIB))
            assert await pair.sent() < 3 * _MIB / 3
            with (pair.docs / "large.csv").open("ab") as file:
                file.write(text(300_000, 7))
            assert await pair.sent() < 300_000 / 2
            assert pair.count("saved") > 2 * _MIB
            assert pair.restored() == ""

    asyncio.run(scenario())


def test_what_does_not_shrink_goes_as_it_is(tmp_path: Path) -> None:
    """Compressed documents, small and large: not one byte more than their own and the frames', and counted so."""

    async def scenario() -> None:
        async with _room(tmp_path) as pair:
            (pair.docs / "photo.jpg").write_bytes(os.urandom(100_000))
            (pair.docs / "film.mp4").write_bytes(os.urandom(_MIB))
            assert _MIB + 100_000 < await pair.sent() < _MIB + 120_000
            assert pair.count("saved") == 0
            assert pair.count("unpacked", reason="dense") >= _MIB + 100_000 - SHORT

    asyncio.run(scenario())


def test_a_fast_line_carries_everything_as_it_is(tmp_path: Path) -> None:
    """Without a limit on this machine nothing is packed, one document at a time or many, small or large."""

    async def scenario() -> None:
        async with _room(tmp_path, bandwidth=0) as pair:
            for number in range(5):
                (pair.docs / f"{number}.txt").write_bytes(text(50_000, number))
                await pair.running.settle()
            (pair.docs / "large.csv").write_bytes(text(2 * _MIB))
            assert await pair.sent() > 2 * _MIB + 5 * 50_000
            assert pair.count("saved") == 0

    asyncio.run(scenario())


def test_an_evacuation_that_lifts_the_limit_packs_no_more(tmp_path: Path) -> None:
    """With the limit gone the line is what it is: here as fast as nothing is worth packing for."""

    async def scenario() -> None:
        async with _room(tmp_path, bandwidth=200_000) as pair:
            (pair.docs / "a.bin").write_bytes(os.urandom(100_000))  # the line is known then
            await pair.sent()
            await pair.running.replicator.evacuate("fire")
            (pair.docs / "b.txt").write_bytes(text(2 * _MIB))
            await until(lambda: pair.running.replicator.evacuations()["fire"].complete)
            assert await pair.sent() > 2 * _MIB
            assert pair.count("saved") == 0

    asyncio.run(scenario())


def test_an_old_vault_gets_nothing_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not name it in what it takes: everything goes as it is."""
    monkeypatch.setattr("replicator.greeting.TAKES", ["resume"])

    async def scenario() -> None:
        async with _room(tmp_path) as pair:
            (pair.docs / "small.txt").write_bytes(text(100_000))
            (pair.docs / "large.csv").write_bytes(text(_MIB))
            assert await pair.sent() > _MIB + 100_000
            assert pair.count("unpacked", reason="vault") == _MIB + 100_000

    asyncio.run(scenario())


def test_holes_and_mixed_files_come_whole(tmp_path: Path) -> None:
    """A hole is named, not packed; a file that is dense here and text there is both; all of it comes back."""

    async def scenario() -> None:
        async with _room(tmp_path) as pair:
            with_holes(pair.docs / "disk.img", 40 * _MIB, (3 * _MIB + 5, text(_MIB)), (39 * _MIB, b"end"))
            (pair.docs / "mixed.tar").write_bytes(text(_MIB) + os.urandom(_MIB) + text(2 * _MIB, 3))
            assert await pair.sent() < 3 * _MIB
            assert pair.restored() == ""
            assert room(tmp_path / "restored" / "disk.img") < 4 * _MIB

    asyncio.run(scenario())


def test_a_packed_upload_goes_on_after_a_cut(tmp_path: Path) -> None:
    """A line that is cut when half of a large packed file is there costs about the other half."""

    async def scenario() -> None:
        async with _room(tmp_path, bandwidth=400_000) as pair:
            (pair.docs / "large.csv").write_bytes(text(12 * _MIB))  # 1,200,000 bytes when packed
            await until(lambda: any(half.stat().st_size >= 6 * _MIB for half in _halves(pair.root)))
            pair._line.cut()
            pair._line.cut_after = _MANY
            assert await pair.sent() < 900_000
            assert pair.restored() == ""

    asyncio.run(scenario())


def _halves(root: Path) -> list[Path]:
    return list((root / "partial").iterdir())

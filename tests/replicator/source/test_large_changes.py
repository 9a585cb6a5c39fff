"""Large files that change, from the tree to the vault, over a line that counts its bytes."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from replicator.objects import Objects
from replicator.signature import unpack
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.replicator.source.proxy import Line, line

_MIB = 1024 * 1024
_MANY = 1 << 40


class _Room:
    """A running pair with one large file, its signature made."""

    def __init__(self, folder: Path, running: Running, counted: Line) -> None:
        self.docs, self.root, self.signatures = folder / "docs", folder / "vault", folder / "state/signatures/docs"
        self.big = self.docs / "big.bin"
        self.running = running
        self._line = counted
        self._from = _MANY

    async def signed(self) -> None:
        """Wait until everything is at the vault, and the signature speaks of the newest state."""
        await self.running.settle()
        await equal(self.docs, self.root)
        await until(self._signed)
        left = self._line.cut_after
        assert left is not None
        self._from = left

    def _signed(self) -> bool:
        wanted = hashlib.sha256(self.big.read_bytes()).digest()
        try:
            found = [unpack(path.read_bytes()) for path in self.signatures.iterdir() if path.name != "new"]
        except FileNotFoundError:
            return False
        return any(each is not None and each.hash == wanted for each in found)

    def sent(self) -> int:
        """Bytes that went to the vault since `signed`."""
        left = self._line.cut_after
        assert left is not None
        return self._from - left


@asynccontextmanager
async def _room(folder: Path, size: int = 4 * _MIB) -> AsyncIterator[_Room]:
    (folder / "docs").mkdir()
    (folder / "docs/big.bin").write_bytes(random.Random(3).randbytes(size))
    async with vault(folder / "vault") as server, line(server.port) as counted:
        counted.cut_after = _MANY
        async with replicating(settings(folder / "state", counted.port, folder / "docs")) as running:
            room = _Room(folder, running, counted)
            await room.signed()
            yield room


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_an_append_costs_its_own_bytes(tmp_path: Path) -> None:
    """64 kB more in a large file are 64 kB on the line and a little; again and again."""

    async def scenario() -> None:
        async with _room(tmp_path) as room:
            for _ in range(3):
                with room.big.open("ab") as file:
                    file.write(os.urandom(65_536))
                await room.running.settle()
                await equal(room.docs, room.root)
                assert 65_536 < room.sent() < 1.5 * 65_536
                await room.signed()

    asyncio.run(scenario())


def test_a_change_in_place_costs_its_own_bytes(tmp_path: Path) -> None:
    """A changed stretch and one byte elsewhere cost little more than themselves."""

    async def scenario() -> None:
        async with _room(tmp_path) as room:
            _overwrite(room.big, 1_000_000, os.urandom(50_000))
            _overwrite(room.big, 3_000_000, b"!")
            await room.running.settle()
            await equal(room.docs, room.root)
            assert 50_000 < room.sent() < 150_000  # each of the two closings may have gone by itself

    asyncio.run(scenario())


def test_a_file_that_grew_and_changed_arrives(tmp_path: Path) -> None:
    """It looks as if it had only grown; what changed between the places looked at is found, and little is sent."""

    async def scenario() -> None:
        async with _room(tmp_path) as room:
            data = bytearray(room.big.read_bytes() + os.urandom(20_000))
            data[300_000:300_010] = b"0123456789"
            (room.docs / "new").write_bytes(data)
            (room.docs / "new").rename(room.big)
            await room.running.settle()
            await equal(room.docs, room.root)
            await room.signed()
            _overwrite(room.big, 0, b"and goes on")
            await room.running.settle()
            await equal(room.docs, room.root)
            assert room.sent() < 20_000

    asyncio.run(scenario())


def test_an_insertion_costs_little(tmp_path: Path) -> None:
    """Bytes put in at the front move all the rest; librsync finds it."""

    async def scenario() -> None:
        async with _room(tmp_path) as room:
            data = room.big.read_bytes()
            (room.docs / "new").write_bytes(b"a new first line\n" + data)
            (room.docs / "new").rename(room.big)
            await room.running.settle()
            await equal(room.docs, room.root)
            assert room.big.read_bytes()[17:] == data

    asyncio.run(scenario())


def test_a_touched_file_sends_no_bytes(tmp_path: Path) -> None:
    """New times and nothing else: only they travel, and the old object serves."""

    async def scenario() -> None:
        async with _room(tmp_path) as room:
            os.utime(room.big, ns=(1, 1_234_567_890))
            await room.running.settle()
            await equal(room.docs, room.root)
            assert room.sent() < 10_000

    asyncio.run(scenario())


def test_an_append_is_seen_without_a_signature(tmp_path: Path) -> None:
    """Where the signature was lost, the old bytes' hash tells that a file was only appended to."""

    async def scenario() -> None:
        async with _room(tmp_path) as room:
            for path in room.signatures.iterdir():
                path.unlink()
            with room.big.open("ab") as file:
                file.write(os.urandom(65_536))
            await room.running.settle()
            await equal(room.docs, room.root)
            assert room.sent() < 1.5 * 65_536

    asyncio.run(scenario())


def test_a_damaged_base_at_the_vault_is_healed_by_the_whole_file(tmp_path: Path) -> None:
    """One byte of the base is gone, or another: the file arrives all the same, and goes on by deltas after that."""

    async def scenario() -> None:
        async with _room(tmp_path, _MIB) as room:
            for number, damage in enumerate(("short", "other", "gone")):
                await room.signed()
                _damage(room, damage)
                _overwrite(room.big, 500_000 + number, os.urandom(1000))
                await room.running.settle()
                await equal(room.docs, room.root)
            await room.signed()
            _overwrite(room.big, 0, os.urandom(100))
            await room.running.settle()
            await equal(room.docs, room.root)
            assert room.sent() < 20_000

    asyncio.run(scenario())


def _damage(room: _Room, how: str) -> None:
    path = Objects(room.root).path(hashlib.sha256(room.big.read_bytes()).digest())
    data = path.read_bytes()
    path.chmod(0o600)
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if how == "short" else data[:-1] + bytes((data[-1] ^ 1,)))


def test_a_signature_goes_with_its_path(tmp_path: Path) -> None:
    """Deleted, or become small: nothing is kept of it. Renamed: it is made for the new name."""

    async def scenario() -> None:
        async with _room(tmp_path, _MIB) as room:
            room.big.rename(room.docs / "other.bin")
            room.big = room.docs / "other.bin"
            await room.signed()
            await until(lambda: len(list(room.signatures.iterdir())) == 1)
            room.big.write_bytes(b"small")
            await until(lambda: not list(room.signatures.iterdir()))

    asyncio.run(scenario())


def test_random_changes_of_large_files_arrive(tmp_path: Path) -> None:
    """Overwritten, appended, cut, moved and replaced at random while the replicator works: the vault has the truth."""

    async def scenario() -> None:
        rng = random.Random(5)
        async with _room(tmp_path, _MIB) as room:
            for number in range(60):
                _change(room.docs / rng.choice(["big.bin", "two.bin", "three.bin"]), rng)
                await asyncio.sleep(rng.choice([0, 0, 0.01]))
                if number % 20 == 19:
                    await room.running.settle()
            await room.running.settle()
            await equal(room.docs, room.root)

    asyncio.run(scenario())


def _change(path: Path, rng: random.Random) -> None:
    data = path.read_bytes() if path.exists() else rng.randbytes(600_000)
    at = rng.randrange(len(data) + 1)
    match rng.randrange(5):
        case 0:
            path.write_bytes(data[:at] + rng.randbytes(5000) + data[at + 5000 :])
        case 1:
            with path.open("ab") as file:
                file.write(rng.randbytes(70_000))
        case 2:
            path.write_bytes(data[:at] + rng.randbytes(rng.randrange(3000)) + data[at:])
        case 3:
            path.write_bytes(data[: max(300_000, at)])
        case _:
            path.with_suffix(".new").write_bytes(rng.randbytes(300_000) + data[:300_000])
            path.with_suffix(".new").rename(path)

"""A bad line at full length: real packets between two rooms, delayed, lost, swapped, doubled, and cut without a word.

In each cut files are changed and a large one is under way; between the cuts an office goes on writing, and the vault's
clock is set by a day to and fro. What was acknowledged must not be sent again and nothing be scanned again; at the end
every state is there once, in order, at times that rise, and `current/` and a restore are the tree.
"""

import asyncio
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

from replicator import committer
from replicator.change import Kind
from replicator.local import LocalArchive
from replicator.records import What
from replicator.recover import vault_id
from replicator.restore import restore
from replicator.segments import Found, read
from tests.replicator.source.far import Far, far_vault, near
from tests.replicator.source.pair import Running, equal, replicating, until
from tests.support.trees import differences, snapshot
from tests.support.wan import Quality, Wan, wan

#: 50 ms to and fro, 5 % lost, 10 Mbit/s, and what a line over two ways does.
BAD = Quality(delay=0.025, loss=0.05, rate=10e6 / 8, swapped=0.01, doubled=0.01)
#: In how many cuts all changes are made, and how long each of them lasts at most, seconds.
CUTS, CUT = 5, 60.0
#: The share of a short campaign that is cut.
_CUT_SHARE = 0.75
_FOLDERS, _PATHS = 10, 5000
_SIZE, _LARGE = 1000, 5_000_000
_DAY_NS = 86_400 * 10**9
_PATIENCE = 3600.0
#: What a file costs on the line beside its bytes, and what of packets is doubled or sent again: a bound, not a measure.
_FRAME, _AGAIN = 400, 1.5
#: Seconds of silence that are borne, and what a loaded machine takes to say so.
_SILENCE, _LOADED = 10.0, 5.0


class Clock:
    """The vault's clock, which somebody sets; the rest is `time`."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def time_ns(self) -> int:
        """Nanoseconds since 1970, as it was set."""
        return time.time_ns() + self.ahead_ns

    def __getattr__(self, name: str) -> Any:
        """As of `time`."""
        return getattr(time, name)


def change(tree: Path, seed: int, count: int) -> dict[str, int]:
    """So many files written; which, and how many bytes each of them holds now."""
    chance, changed = random.Random(seed), {}
    block = chance.randbytes(1 << 16)
    for number in range(count):
        file = chance.randrange(_PATHS)
        path = tree / f"d{file % _FOLDERS}" / f"f{file}"
        start = chance.randrange(len(block) - _SIZE)
        changed[path.name] = path.write_bytes(b"%d" % number + block[start : start + _SIZE])
    return changed


class Office:
    """A tree that a process of its own writes, and how many bytes of it are to be sent."""

    def __init__(self, tree: Path, chance: random.Random, hand: ProcessPoolExecutor) -> None:
        self.tree = tree
        self._chance = chance
        self._hand = hand
        self._changed: dict[str, int] = {}
        for number in range(_FOLDERS):
            (tree / f"d{number}").mkdir(parents=True)

    async def change(self, count: int) -> None:
        """So many files written."""
        done = self._hand.submit(change, self.tree, self._chance.randrange(1 << 30), count)
        sizes: dict[str, int] = await asyncio.wrap_future(done)
        self._changed |= sizes

    def large(self) -> None:
        """A large file, written anew."""
        self._changed["large"] = (self.tree / "large").write_bytes(self._chance.randbytes(_LARGE))

    def owed(self) -> tuple[int, int]:
        """Files changed since this was asked last, and their bytes."""
        changed, self._changed = self._changed, {}
        return len(changed), sum(changed.values())


class Campaign:
    """The cuts, one after the other, and what each came to."""

    def __init__(self, line: Wan, far: Far, running: Running, office: Office, clock: Clock) -> None:
        self._line, self._far, self._running, self._office, self._clock = line, far, running, office, clock
        self.cuts: list[dict[str, float]] = []

    @property
    def _scanned(self) -> object:
        return self._running.source["scanned_at"]

    @property
    def _contents(self) -> int:
        return int(self._far.server._metrics.received_bytes._value.get())

    def _connected(self) -> bool:
        return bool(self._running.replicator.status()["vault"]["connected"])

    async def calm(self, seconds: float) -> None:
        """An office at work on a line that holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self._office.change(5)
            await asyncio.sleep(1)
        await until(self._running.idle, _PATIENCE)
        self._office.owed()

    async def cut(self, seconds: float, changes: int) -> None:
        """One cut of so many seconds, with so many changes in it.

        Raises:
            AssertionError: an end noticed too late, something was scanned again, or far more sent than was owed.
        """
        scanned, contents, sent = self._scanned, self._contents, self._line.bytes[0]
        self._office.large()
        await until(lambda: self._line.bytes[0] - sent > _LARGE / 4, _PATIENCE)
        self._clock.ahead_ns = _DAY_NS * (-1) ** len(self.cuts)
        began, self._line.cut = time.monotonic(), True
        here, there, _ = await asyncio.gather(
            _noticed(lambda: not self._connected(), began),
            _noticed(lambda: not self._far.hears, began),
            self._office.change(changes),
        )
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        pending, lasted = self._running.source["pending"], time.monotonic() - began
        back, self._line.cut = time.monotonic(), False
        await until(self._connected, _PATIENCE)
        connected = time.monotonic() - back
        await until(self._running.idle, _PATIENCE)
        files, owed = self._office.owed()
        self.cuts.append(
            told := {
                "seconds": round(lasted, 1),
                "noticed_here": round(here, 1),
                "noticed_there": round(there, 1),
                "changes": changes,
                "paths_pending": pending,
                "connected_again": round(connected, 1),
                "all_sent": round(time.monotonic() - back, 1),
                "bytes_owed": owed,
                "bytes_of_contents_received": self._contents - contents,
                "bytes_on_the_line": self._line.bytes[0] - sent,
                "scans": int(self._scanned != scanned),
            }
        )
        assert not told["scans"], told
        assert max(here, there) < _SILENCE + _LOADED, told
        assert told["bytes_of_contents_received"] <= owed, told
        assert told["bytes_on_the_line"] <= _AGAIN * (owed + files * _FRAME), told


async def _noticed(true: Callable[[], bool], began: float) -> float:
    await until(true, _PATIENCE)
    return time.monotonic() - began


def demand(root: Path, tree: Path, back: Path) -> dict[str, int]:
    """Every state once, in order, at times that rise; the vault's files and a restore are the tree.

    Raises:
        AssertionError: something is not so.
    """
    found: Counter[str] = Counter()
    position = at_ns = 0
    last: dict[bytes, object] = {}
    for item in read(root / "journal", vault_id(root)):
        assert isinstance(item, Found), item
        record = item.record
        assert record.at_ns > at_ns, "a time that does not rise"
        at_ns = record.at_ns
        if record.source != "docs":
            continue
        assert record.position == position + 1, f"position {record.position} after {position}"
        position = record.position
        if record.what not in {What.PUT, What.DELETE}:
            continue
        found["records"] += 1
        found["said_twice"] += last.get(record.path) == (record.meta, record.hash)
        found["of_files"] += record.meta is not None and record.meta.kind is Kind.FILE
        last[record.path] = (record.meta, record.hash)
    assert not found["said_twice"], found
    with LocalArchive(root) as archive:
        assert not restore(archive, back).failed
    for copy in (back, root / "current" / "docs"):
        assert not (told := differences(snapshot(tree), snapshot(copy))), told
    return dict(found)


def run(folder: Path, *, seconds: float, seed: int, changes: int) -> dict[str, Any]:
    """Five cuts of up to a minute in so many seconds, and what they came to."""
    chance = random.Random(seed)
    clock = Clock()
    length = min(CUT, seconds / CUTS * _CUT_SHARE)
    report: dict[str, Any] = {"quality": BAD._asdict(), "tcp": _tcp(), "cuts": []}
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as hand,
        patch.object(committer, "time", clock),
        wan(BAD, seed=chance.randrange(1000)) as line,
        far_vault(line, folder, folder / "tree") as far,
    ):
        office = Office(folder / "tree", chance, hand)

        async def scenario() -> None:
            end = time.monotonic() + seconds
            async with replicating(far.config) as running:
                await running.settle()
                campaign = Campaign(line, far, running, office, clock)
                report["cuts"] = campaign.cuts
                for number in range(CUTS):
                    await campaign.cut(length, changes // CUTS)
                    left = CUTS - 1 - number
                    await campaign.calm((end - time.monotonic() - left * length) / (left + 1))
                await running.settle()
                await equal(office.tree, folder / "vault-root")

        near(line, scenario, limit=24 * 3600.0)
    return {**report, **demand(folder / "vault-root", folder / "tree", folder / "back")}


def _tcp() -> str:
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def main(seconds: float, seed: int, changes: int) -> dict[str, Any]:
    """Run it in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bongsu-line-") as name:
        return run(Path(name), seconds=seconds, seed=seed, changes=changes)

"""The vault's disk is replaced by one that forgot what was not flushed.

Why a preloaded library and a model, and not a device: no device-mapper log is to be had on every kernel, and what
ext4 keeps is kinder than what is promised (it flushes names that nobody flushed). The shim sees each call of the real
vault, SQLite's included; from its log `powercut.Disk` builds what a disk that keeps its promises, and not one more,
may hold: no unflushed write, all of them, or any part, torn ones too. The shim makes each flush slower than the line,
so that a `Done` that does not wait for its flush is heard before it.
"""

import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.replicator.vault.faulty import Client, demand, doomed, work
from tests.support import disk
from tests.support.powercut import Disk

_SLOW_US = 4000
#: What a power cut left is looked at where flushes cost nothing.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def recorded(box: Path) -> list[disk.Step]:
    """All that a vault does on its disk in two lives: ended in the middle of a write, started again, stopped."""
    box.mkdir()
    log = box.with_suffix(".log")
    client = Client(work(), log)
    # No marks at first: each of them flushes the whole file system, also what should have been flushed before.
    with doomed(box, marks=False, log=log, slow_us=_SLOW_US, kill="write journal|half|9") as vault:
        client.run(vault.port)
        assert vault.end() < 0
    assert not client.ended()
    with doomed(box, log=log, slow_us=_SLOW_US) as vault:
        client.run(vault.port)
        assert vault.end() == 0
    assert client.ended()
    return list(disk.steps(log))


def moments(box: Path, taken: list[disk.Step], every: int) -> Iterator[tuple[Disk, int]]:
    """The disk after every so many steps, and how much of the work had been acknowledged by then."""
    model, done = Disk(box), 0
    for number, step in enumerate(taken):
        model.follow([step])
        if step.what == "A":
            done = json.loads(step.data)["done"]
        if number % every == 0 or step.what == "A":
            yield model, done


def survives(model: Disk, done: int, chance: random.Random, keep: float) -> None:
    """Cut the power at this moment and demand what was acknowledged.

    Raises:
        AssertionError: it is not there, or something is damaged.
    """
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        left = Path(folder) / "left"
        model.after(left, chance, keep)
        demand(left / "vault", work(), done)


def test_the_model_is_the_disk(tmp_path: Path) -> None:
    """With nothing lost the model's files are the real disk's, each byte: the shim has seen everything."""
    box = tmp_path / "box"
    model = Disk(box)
    model.follow(recorded(box))
    model.after(tmp_path / "left", random.Random(0), 1)
    assert _bytes(tmp_path / "left") == _bytes(box)


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Whatever the disk forgot of what was not flushed, each acknowledged version is there and nothing is damaged.

    A sample of the moments; `python -m tests.soak --only disk` takes each, many times.
    """
    box = tmp_path / "box"
    chance = random.Random(3)
    for number, (model, done) in enumerate(moments(box, recorded(box), every=41)):
        survives(model, done, chance, (0, 0.5, 0.2, 0.9)[number % 4])


def _bytes(folder: Path) -> dict[str, bytes]:
    # SQLite's shared memory is a cache and never on a disk; locks are empty.
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.endswith("-shm")
    }

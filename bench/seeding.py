"""A tree of documents is copied for the first time: how long until the last of it is at the other building?"""

import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench.figures import table
from bench.rsyncd import Rsyncd
from tests.acceptance.office import Office
from tests.support.waiting import until

_COUNT = int(os.environ.get("BENCH_SEEDING", "20000"))
#: Of the logarithm of a file's bytes: a mean of 49 kB, half of them under 27 kB, two in a hundred over 256 kB.
_MIDDLE, _SPREAD, _MOST = 10.2, 1.1, 2_000_000
_FOLDER = 400


def run(rounds: int) -> str:
    """Measure both in turn, `rounds` times, and return the table."""
    source = Path(tempfile.mkdtemp(prefix="seed-", dir="/tmp"))
    tree, rsyncd = source / "docs", Rsyncd()
    samples: dict[str, list[float]] = {"durable": [], "there": [], "rsync": []}
    try:
        size = _make(tree)
        used = []
        for number in range(rounds):
            start = time.monotonic()
            rsyncd.push(tree, str(number))
            samples["rsync"].append(time.monotonic() - start)
            office = Office()
            used.append(office)  # removed at the end: ext4 avoids inodes that were just given back, for seconds
            durable, there = _ours(office, tree)
            samples["durable"].append(durable)
            samples["there"].append(there)
    finally:
        rsyncd.close()
        for office in used:
            shutil.rmtree(office.root, ignore_errors=True)
        shutil.rmtree(source, ignore_errors=True)
    middle = {name: statistics.median(values) for name, values in samples.items()}
    rows = [
        [name, f"{middle[key]:.1f} s", f"{size / 1e6 / middle[key]:.0f} MB/s", f"{middle[key] / middle['rsync']:.1f} x"]
        for name, key in (
            ("bongsu, durable at the vault", "durable"),
            ("bongsu, plain files in `current/`", "there"),
            ("rsync -a to rsyncd (nothing flushed)", "rsync"),
        )
    ]
    return table([f"seeding {_COUNT:,} files, {size / 1e6:.0f} MB", "time", "rate", "to rsync"], rows)


def _make(tree: Path) -> int:
    chance, blob, size = random.Random(1), os.urandom(_MOST * 2), 0
    for number in range(_COUNT):
        folder = tree / f"{number // _FOLDER:04}"
        if not number % _FOLDER:
            folder.mkdir(parents=True)
        length = min(int(chance.lognormvariate(_MIDDLE, _SPREAD)), _MOST)
        at = chance.randrange(len(blob) - length)
        (folder / f"{number}.bin").write_bytes(number.to_bytes(8, "big") + blob[at : at + length])
        size += 8 + length
    return size


def _ours(office: Office, tree: Path) -> tuple[float, float]:
    """From the replicator's start to the last file's acknowledgement, and to the last in `current/`."""
    office.with_replicator()
    office.docs.rmdir()
    tree.rename(office.docs)
    try:
        office.start("vault")
        start = time.monotonic()
        office.start("replicator")
        until(lambda: _all_durable(office), "all is durable", limit=900, pause=0.05)
        durable = time.monotonic() - start
        until(lambda: _files(office.current) == _COUNT, "all is there", limit=900, pause=0.1)
        there = time.monotonic() - start
        for part in ("replicator", "vault"):
            office.stop(part)
    finally:
        office.docs.rename(tree)
    return durable, there


def _all_durable(office: Office) -> bool:
    """The scan has seen the whole tree, and nothing waits."""
    return not any(
        value
        for (name, _), value in office.metrics("replicator").items()
        if name in {"bongsu_replication_blind", "bongsu_replication_pending_files"}
    )


def _files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))

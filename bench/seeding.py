"""A tree of documents is copied for the first time: how long until the last of it is at the other building?"""

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.archives import Borg, Restic
from bench.documents import make_documents
from bench.figures import Result, Samples, number, ratio, table
from bench.peers import Peers
from bench.seeders import ArchiveSeeder, BongsuSeeder, RsyncSeeder, Seeder, SyncthingSeeder

_COUNT = int(os.environ.get("BENCH_SEEDING", "20000"))
_RSYNC = "rsync -a to rsyncd, there (nothing flushed)"
_FLUSHED = "rsync -a --fsync to rsyncd (each file flushed)"
_BORG = "borg create, local, not encrypted (flushed)"
_RESTIC = "restic backup, local, encrypted (flushed)"
_MAKERS: dict[str, Callable[[], Seeder]] = {
    "bongsu": BongsuSeeder,
    _RSYNC: partial(RsyncSeeder, _RSYNC),
    _FLUSHED: partial(RsyncSeeder, _FLUSHED, "--fsync"),
    _BORG: partial(ArchiveSeeder, _BORG, Borg),
    _RESTIC: partial(ArchiveSeeder, _RESTIC, Restic),
    SyncthingSeeder.name: SyncthingSeeder,
}


def run(rounds: int) -> Result:
    """Measure all in turn, `rounds` times."""
    samples = Samples()
    source = Path(tempfile.mkdtemp(prefix="seed-", dir="/tmp"))
    try:
        size = make_documents(source / "docs", _COUNT)
        with Peers(_MAKERS) as peers:
            for _ in range(rounds):
                peers.each(_seed, source / "docs", samples)
    finally:
        shutil.rmtree(source, ignore_errors=True)
    return Result(_table(samples, size), samples.rounds, peers.failed)


def _seed(peer: Seeder, tree: Path, samples: Samples) -> None:
    os.sync()  # nobody pays for what the one before did not flush
    for name, seconds in peer.seed(tree).items():
        samples.add(name, seconds)


def _table(samples: Samples, size: int) -> str:
    rows = []
    names = (BongsuSeeder.durable, BongsuSeeder.there, *(name for name in _MAKERS if name != BongsuSeeder.name))
    for name in names:
        seconds = samples.middle(name)
        ratios = [ratio(seconds, samples.middle(ours)) for ours in names[:2]]
        rows.append([name, number(seconds, ".1f", " s"), number(size / 1e6 / seconds, ".0f", " MB/s"), *ratios])
    head = [f"seeding {_COUNT:,} files, {size / 1e6:.0f} MB", "time", "rate", "times our durable", "times our seen"]
    return table(head, rows)

"""5,000 documents of 10 kB are saved at once: how long until the last is at the other building?"""

import os
import time
from pathlib import Path

from bench.bongsu import Bongsu
from bench.figures import Result, Samples, number, ratio, table
from bench.lsyncd import Lsyncd
from bench.peers import Carrier, Peers
from bench.syncthing import Syncthing
from bench.writer import Writer

_COUNT, _SIZE = int(os.environ.get("BENCH_BURST", "5000")), 10_000
_LIMIT = 300
_DURABLE = "bongsu, durable at the vault"
_NAMES = {
    "bongsu": "bongsu, plain files in `current/`",
    "lsyncd": "lsyncd, there (nothing flushed)",
    "Syncthing": "Syncthing, there (each file flushed)",
}


def run(rounds: int) -> Result:
    """Measure all in turn, `rounds` times."""
    samples = Samples()
    with Peers[Carrier]({"bongsu": Bongsu.tapped, "lsyncd": Lsyncd, "Syncthing": Syncthing.running}) as peers:
        for each in range(rounds):
            peers.each(_burst, f"burst{each}", samples)
    rows = []
    for name in (_DURABLE, *_NAMES.values()):
        rate = samples.middle(name)
        ratios = [ratio(rate, samples.middle(_NAMES[peer])) for peer in ("lsyncd", "Syncthing")]
        rows.append([name, number(rate), *ratios])
    head = [f"burst of {_COUNT:,} x {_SIZE // 1000} kB, first write to last", "files/s", "to lsyncd", "to Syncthing"]
    return Result(table(head, rows), samples.rounds, peers.failed)


def _burst(peer: Carrier, folder: str, samples: Samples) -> None:
    with Writer(peer.docs / folder, _COUNT, _SIZE) as writer:
        start = writer.go()
        there = _arrived(peer.far / folder)
    if isinstance(peer, Bongsu):
        written = (file.read_bytes() for file in (peer.docs / folder).iterdir())
        samples.add(_DURABLE, _COUNT / (peer.durable(written) - start))
    samples.add(_NAMES[peer.name], _COUNT / (there - start))


def _arrived(folder: Path) -> float:
    limit = time.monotonic() + _LIMIT
    while _there(folder) < _COUNT:
        if time.monotonic() > limit:
            raise AssertionError(f"{_there(folder)} of {_COUNT} files arrived within {_LIMIT} s")
        time.sleep(0.02)
    return time.monotonic()


def _there(folder: Path) -> int:
    # All write under another name first; such names do not end so.
    return sum(entry.name.endswith(".bin") for entry in os.scandir(folder)) if folder.is_dir() else 0

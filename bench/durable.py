"""One document of 50 kB is written: how long until it is durable, and seen, at the other building?"""

import os
import random
import time
from pathlib import Path

from bench.bongsu import Bongsu
from bench.figures import Result, Samples, milliseconds, ratio, table
from bench.lsyncd import Lsyncd
from bench.peers import Carrier, Peers
from bench.syncthing import Syncthing

_SIZE = 50_000
#: How many documents a round writes, one after the other has arrived, and the longest pause before each.
_OURS, _THEIRS = (100, 0.05), (8, 1.0)
_LIMIT = 60.0
_SHARES = (0.5, 0.99)
_DURABLE, _VISIBLE = "bongsu, acknowledged as durable", "bongsu, seen in `current/`"
_NAMES = {"lsyncd": "lsyncd, seen (nothing flushed)", "Syncthing": "Syncthing, seen (the file flushed)"}


def run(rounds: int) -> Result:
    """Measure all in turn, `rounds` times."""
    samples = Samples()
    with Peers[Carrier]({"bongsu": Bongsu.tapped, "lsyncd": Lsyncd, "Syncthing": Syncthing.running}) as peers:
        for number in range(rounds):
            peers.each(_round, number, samples)
    return Result(_table(samples), samples.rounds, peers.failed)


def _round(peer: Carrier, number: int, samples: Samples) -> None:
    # Peers with a tick of their own are met at every point of it.
    count, pause = _OURS if isinstance(peer, Bongsu) else _THEIRS
    durable, there = [], []
    for each in range(count):
        content = os.urandom(_SIZE)
        time.sleep(random.uniform(0.005, pause))
        name = f"round{number}-{each}.bin"
        (peer.docs / name).write_bytes(content)
        start = time.monotonic()
        if isinstance(peer, Bongsu):
            durable.append(peer.durable([content]) - start)
        there.append(_arrives(peer.far / name) - start)
        if (peer.far / name).read_bytes() != content:
            raise AssertionError(f"{peer.far / name} is not what was written")
    if durable:
        samples.add(_DURABLE, *durable)
    samples.add(_NAMES.get(peer.name, _VISIBLE), *there)


def _arrives(path: Path) -> float:
    limit = time.monotonic() + _LIMIT
    while not path.exists():
        if time.monotonic() > limit:
            raise AssertionError(f"{path} did not arrive within {_LIMIT:.0f} s")
        time.sleep(0.0002)
    return time.monotonic()


def _table(samples: Samples) -> str:
    rows = []
    for name in (_DURABLE, _VISIBLE, *_NAMES.values()):
        theirs = [samples.middle(name, share) for share in _SHARES]
        ratios = [
            " / ".join(ratio(their, samples.middle(ours, share)) for their, share in zip(theirs, _SHARES, strict=True))
            for ours in (_DURABLE, _VISIBLE)
        ]
        rows.append([name, str(samples.count(name)), *map(milliseconds, theirs), *ratios])
    head = ["50 kB, closed to", "documents", "p50", "p99", "times our durable, p50 / p99", "times our seen, p50 / p99"]
    return table(head, rows)

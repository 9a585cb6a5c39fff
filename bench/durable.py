"""One document of 50 kB is written: how long until it is at the other building?"""

import os
import random
import time
from pathlib import Path

from bench.bongsu import Bongsu
from bench.figures import median_of_rounds, milliseconds, table
from bench.lsyncd import Lsyncd

_SIZE = 50_000
#: How many documents a round writes, one after the other has arrived.
_EACH = {"bongsu": 60, "lsyncd": 8}


def run(rounds: int) -> str:
    """Measure both in turn, `rounds` times, and return the table."""
    bongsu, lsyncd = Bongsu(), Lsyncd()
    try:
        samples: dict[str, list[list[float]]] = {"bongsu": [], "lsyncd": []}
        for number in range(rounds):
            for peer in (bongsu, lsyncd):
                samples[peer.name].append(_round(peer.docs, peer.far, number, _EACH[peer.name]))
        acknowledged = bongsu.acknowledged()
    finally:
        bongsu.close()
        lsyncd.close()
    return _table(samples) + f"\n\nThe replicator's own histogram, seen to durable: {_shares(acknowledged)}."


def _round(docs: Path, far: Path, number: int, count: int) -> list[float]:
    samples = []
    for each in range(count):
        name = f"round{number}-{each}.bin"
        content = os.urandom(_SIZE)
        time.sleep(random.uniform(0.005, 0.05))
        (docs / name).write_bytes(content)
        start = time.perf_counter()
        samples.append(_arrives(far / name, start))
        if (far / name).read_bytes() != content:
            raise AssertionError(f"{far / name} is not what was written")
    return samples


def _arrives(path: Path, start: float) -> float:
    while not path.exists():
        if time.perf_counter() - start > 60:
            raise AssertionError(f"{path} did not arrive within 60 s")
        time.sleep(0.0002)
    return time.perf_counter() - start


def _table(samples: dict[str, list[list[float]]]) -> str:
    figures = {name: [median_of_rounds(rounds, share) for share in (0.5, 0.99)] for name, rounds in samples.items()}
    rows = [
        [name, str(sum(map(len, samples[name]))), milliseconds(middle), milliseconds(late)]
        for name, (middle, late) in figures.items()
    ]
    ratios = [theirs / ours for theirs, ours in zip(figures["lsyncd"], figures["bongsu"], strict=True)]
    rows.append(["lsyncd / bongsu", "", *(f"{ratio:,.0f} x" for ratio in ratios)])
    return table(["50 kB, closed to there", "documents", "p50", "p99"], rows)


def _shares(buckets: list[tuple[float, float]]) -> str:
    whole = buckets[-1][1]
    texts = []
    for share in (0.5, 0.99):
        bound = next(bound for bound, count in buckets if count >= share * whole)
        texts.append(f"{share:.0%} within {milliseconds(bound)}")
    return ", ".join(texts)

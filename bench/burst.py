"""5,000 documents of 10 kB are saved at once: how long until the last is at the other building?"""

import os
import statistics
import time
from pathlib import Path

from bench.bongsu import Bongsu
from bench.figures import table
from bench.lsyncd import Lsyncd
from bench.writer import Writer

_COUNT, _SIZE = 5_000, 10_000
_LIMIT = 300


def run(rounds: int) -> str:
    """Measure both in turn, `rounds` times, and return the table."""
    bongsu, lsyncd = Bongsu(), Lsyncd()
    there: dict[str, list[float]] = {"bongsu": [], "lsyncd": []}
    durable: list[float] = []
    try:
        for number in range(rounds):
            with Writer(bongsu.docs / f"burst{number}", _COUNT, _SIZE) as writer:
                before = bongsu.durable()
                start = writer.go()
                durable.append(_COUNT / (_durable(bongsu, before) - start))
                there["bongsu"].append(_COUNT / (_arrived(bongsu.far / f"burst{number}") - start))
            with Writer(lsyncd.docs / f"burst{number}", _COUNT, _SIZE) as writer:
                start = writer.go()
                there["lsyncd"].append(_COUNT / (_arrived(lsyncd.far / f"burst{number}") - start))
    finally:
        bongsu.close()
        lsyncd.close()
    ours, plain, theirs = (statistics.median(each) for each in (durable, there["bongsu"], there["lsyncd"]))
    rows = [
        ["bongsu, durable at the vault", f"{ours:,.0f}", f"{ours / theirs:.1f} x"],
        ["bongsu, plain files in `current/`", f"{plain:,.0f}", f"{plain / theirs:.1f} x"],
        ["lsyncd, there (nothing flushed)", f"{theirs:,.0f}", "1"],
    ]
    return table([f"burst of {_COUNT:,} x {_SIZE // 1000} kB, first write to last", "files/s", "to lsyncd"], rows)


def _durable(bongsu: Bongsu, before: int) -> float:
    limit = time.time() + _LIMIT
    while bongsu.durable() - before < _COUNT:
        if time.time() > limit:
            raise AssertionError(f"{bongsu.durable() - before} of {_COUNT} files were durable within {_LIMIT} s")
        time.sleep(0.02)
    return time.time()


def _arrived(folder: Path) -> float:
    limit = time.time() + _LIMIT
    while _there(folder) < _COUNT:
        if time.time() > limit:
            raise AssertionError(f"{_there(folder)} of {_COUNT} files arrived within {_LIMIT} s")
        time.sleep(0.02)
    return time.time()


def _there(folder: Path) -> int:
    # rsync and we both write under another name first; such names do not end so.
    return sum(entry.name.endswith(".bin") for entry in os.scandir(folder)) if folder.is_dir() else 0

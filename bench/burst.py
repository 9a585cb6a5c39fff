"""5,000 documents of 10 kB are saved at once: how long until the last is at the other building?"""

import os
import statistics
import time
from pathlib import Path

from bench.bongsu import Bongsu
from bench.figures import table
from bench.lsyncd import Lsyncd

_COUNT, _SIZE = 5_000, 10_000


def run(rounds: int) -> str:
    """Measure both in turn, `rounds` times, and return the table."""
    bongsu, lsyncd = Bongsu(), Lsyncd()
    try:
        rates: dict[str, list[float]] = {"bongsu": [], "lsyncd": []}
        for number in range(rounds):
            for peer in (bongsu, lsyncd):
                rates[peer.name].append(_COUNT / _round(peer.docs, peer.far, number))
    finally:
        bongsu.close()
        lsyncd.close()
    middle = {name: statistics.median(values) for name, values in rates.items()}
    rows = [[name, f"{value:,.0f}"] for name, value in middle.items()]
    rows.append(["bongsu / lsyncd", f"{middle['bongsu'] / middle['lsyncd']:.1f} x"])
    return table([f"burst of {_COUNT:,} x {_SIZE // 1000} kB, first write to last there", "files/s"], rows)


def _round(docs: Path, far: Path, number: int) -> float:
    # The bytes exist before the clock starts; only their way is measured.
    blocks = [os.urandom(_SIZE) for _ in range(_COUNT)]
    folder = docs / f"burst{number}"
    folder.mkdir()
    start = time.perf_counter()
    for name, block in enumerate(blocks):
        (folder / f"{name}.bin").write_bytes(block)
    while _there(far / folder.name) < _COUNT:
        if time.perf_counter() - start > 300:
            raise AssertionError(f"only {_there(far / folder.name)} of {_COUNT} files arrived within 300 s")
        time.sleep(0.02)
    return time.perf_counter() - start


def _there(folder: Path) -> int:
    # rsync and we both write under another name first; such names do not end so.
    return sum(entry.name.endswith(".bin") for entry in os.scandir(folder)) if folder.is_dir() else 0

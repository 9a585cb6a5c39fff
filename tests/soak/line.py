"""A bad line at full length: `python -m tests.soak.line [--cuts N] [--seconds S] [--changes N] [--seed N]`.

50 ms, 5 % lost, 10 Mbit/s; N cuts of S seconds each without a word, changes in each of them. After each: how soon each
end noticed, what was sent, how long it took, and whether anything was scanned again; then the two trees are compared.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.replicator.source.far import Far, far_vault, near
from tests.replicator.source.pair import Running, equal, replicating, until
from tests.replicator.source.test_line import BAD, changes
from tests.support.wan import Wan, wan

_PATHS = 5000
_PATIENCE = 3600.0


async def _noticed(true: Callable[[], bool], began: float) -> float:
    await until(true, _PATIENCE)
    return time.monotonic() - began


async def _cut(line: Wan, far: Far, running: Running, tree: Path, asked: argparse.Namespace) -> None:
    """One cut: changes meanwhile, and a large file that was under way."""
    (tree / "large").write_bytes(os.urandom(5_000_000))
    await asyncio.sleep(1)
    scanned, began = running.source["scanned_at"], time.monotonic()
    line.cut = True
    here, there, kept = await asyncio.gather(
        _noticed(lambda: not running.replicator.status()["vault"]["connected"], began),
        _noticed(lambda: not far.hears, began),
        asyncio.to_thread(changes, tree, asked.changes, _PATHS),
    )
    await asyncio.sleep(max(0.0, asked.seconds - (time.monotonic() - began)))
    pending, before = running.source["pending"], line.bytes[0]
    line.cut, back = False, time.monotonic()
    await until(lambda: running.replicator.status()["vault"]["connected"], _PATIENCE)
    connected = time.monotonic() - back
    await until(running.idle, _PATIENCE)
    told = (
        f"noticed here {here:.1f} s, there {there:.1f} s; {asked.changes} changes, {pending} paths pending; "
        f"connected again {connected:.1f} s, all sent {time.monotonic() - back:.1f} s, "
        f"{line.bytes[0] - before} bytes for {kept + 5_000_000}; "
        f"{'scanned again' if running.source['scanned_at'] != scanned else 'nothing scanned'}"
    )
    print(told, flush=True)  # noqa: T201 - a report
    assert running.source["scanned_at"] == scanned
    assert max(here, there) < 10 + 2  # and what a loaded machine takes to say so


def main() -> None:
    """Do it, and say what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in {"cuts": 5, "seconds": 60, "changes": 1_000_000, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="bongsu-line-") as name:
        folder = Path(name)
        tree = folder / "tree"
        for number in range(10):
            (tree / f"d{number}").mkdir(parents=True)
        with wan(BAD, seed=chance.randrange(1000)) as line, far_vault(line, folder, tree) as far:

            async def scenario() -> None:
                async with replicating(far.config) as running:
                    await running.settle()
                    for _ in range(asked.cuts):
                        await _cut(line, far, running, tree, asked)
                        await equal(tree, folder / "vault-root")

            near(line, scenario, limit=24 * 3600.0)


if __name__ == "__main__":
    main()

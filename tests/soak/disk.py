"""Every crash point of both ends, and every moment of a power cut at the vault."""

import contextlib
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.replicator.source import test_state_disk as source
from tests.replicator.vault.test_crash_points import ended_at, points, steps_of
from tests.replicator.vault.test_power_cut import moments, recorded, survives

_KEEPS = (0, 1, 0.5, 0.2, 0.9)


def crash_points(folder: Path) -> int:
    """End a vault at each point that there is; how many there were."""
    found = points(steps_of(folder / "whole"))
    for number, point in enumerate(found):
        with _named(f"vault, {point}"):
            ended_at(folder / str(number), point)
    return len(found)


def source_points(folder: Path) -> int:
    """End a replicator at each point that there is; how many there were."""
    unbroken, seen = source.steps_of(folder / "whole")
    found = points(seen)
    for number, point in enumerate(found):
        with _named(f"replicator, {point}"):
            source.ended_at(folder / str(number), point, unbroken)
    return len(found)


def power_cuts(folder: Path, chance: random.Random) -> int:
    """Cut the power after each step of one recording, in each way; how many cuts there were."""
    box = folder / "box"
    count = 0
    for model, done in moments(box, recorded(box), every=1):
        for keep in _KEEPS:
            count += 1
            survives(model, done, chance, keep)
    return count


def main(seed: int) -> dict[str, Any]:
    """All of it, once; how much that was.

    Raises:
        AssertionError: something was lost, damaged, or sent that need not be.
    """
    with tempfile.TemporaryDirectory(prefix="bongsu-disk-") as name:
        folder = Path(name)
        return {
            "crash points of the vault": crash_points(_made(folder / "vault")),
            "crash points of the replicator": source_points(_made(folder / "source")),
            "power cuts": power_cuts(_made(folder / "power"), random.Random(seed)),
        }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextlib.contextmanager
def _named(point: str) -> Iterator[None]:
    """Say at which point it was when something is wrong there."""
    try:
        yield
    except BaseException:
        sys.stderr.write(f"at {point}:\n")
        raise

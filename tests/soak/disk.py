"""Every crash point and every moment of a power cut: `python -m tests.soak.disk [--rounds N] [--seed N]`."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.replicator.vault.test_crash_points import ended_at, points, steps_of
from tests.replicator.vault.test_power_cut import moments, recorded, survives

_KEEPS = (0, 1, 0.5, 0.2, 0.9)


def crash_points(folder: Path) -> int:
    """End a vault at each point that there is; how many there were."""
    found = points(steps_of(folder / "whole"))
    for number, point in enumerate(found):
        try:
            ended_at(folder / str(number), point)
        except BaseException:
            print(f"at {point}:", file=sys.stderr)  # noqa: T201 - a report
            raise
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


def main() -> None:
    """Do all of it, and say how much that was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for number in range(asked.rounds):
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bongsu-soak-") as name:
            ended = crash_points(Path(name))
            print(f"{ended} crash points, {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201 - a report
            cuts = power_cuts(Path(name), random.Random(asked.seed + number))
        told = f"{ended} crash points, {cuts} power cuts, {time.monotonic() - started:.0f} s: nothing lost"
        print(told, flush=True)  # noqa: T201 - a report


if __name__ == "__main__":
    main()

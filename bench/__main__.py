"""`python -m bench [NAME ...] [--rounds N]`: each promise beside its peer, in one run."""

import argparse
import os
import platform
import time
from pathlib import Path

from bench import alarm, burst, durable, large, lsyncd, million, seeding

_ALL = {
    "durable": durable.run,
    "burst": burst.run,
    "seeding": seeding.run,
    "large": large.run,
    "million": million.run,
    "alarm": alarm.run,
}


def main() -> None:
    """Run what was asked for, everything by default, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[*_ALL, []], help="which to run (all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; the medians count")
    asked = parser.parse_args()
    print(f"{_machine()}; {lsyncd.version()}\n", flush=True)
    for name in asked.which or _ALL:
        start = time.monotonic()
        print(_ALL[name](asked.rounds), flush=True)
        print(f"\n({name}: {time.monotonic() - start:.0f} s, {asked.rounds} rounds)\n", flush=True)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()

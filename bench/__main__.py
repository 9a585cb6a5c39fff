"""`python -m bench [NAME ...] [--rounds N] [--report FILE]`: each promise beside its peers, in one run."""

import argparse
import compileall
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from bench import alarm, burst, durable, large, million, seeding
from bench.figures import Result
from bench.report import Report

_ALL: dict[str, Callable[[int], str | Result]] = {
    "durable": durable.run,
    "burst": burst.run,
    "seeding": seeding.run,
    "large": large.run,
    "million": million.run,
    "alarm": alarm.run,
}


def main() -> int:
    """Run what was asked for, everything by default, and print tables; 1 where anybody failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[*_ALL, []], help="which to run (all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; the medians count")
    parser.add_argument("--report", type=Path, help="write every sample and what the machine is to this file, as JSON")
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    _compile()
    report = Report(asked.rounds)
    print(f"{report.machine}\n", flush=True)
    for name in asked.which or _ALL:
        start = time.monotonic()
        result = _result(_ALL[name], asked.rounds)
        seconds = time.monotonic() - start
        report.add(name, result, seconds)
        told = [f"{who} failed: {why}" for who, why in result.failed.items()]
        print(result.text, *told, f"({name}: {seconds:.0f} s, {asked.rounds} rounds)\n", sep="\n\n", flush=True)
        if asked.report is not None:
            report.write(asked.report)
    return 1 if report.failed else 0


def _result(run: Callable[[int], str | Result], rounds: int) -> Result:
    try:
        result = run(rounds)
    except Exception as error:  # noqa: BLE001 - the other benchmarks are still run
        return Result("", failed={"the whole": f"{type(error).__name__}: {error}"})
    return Result(result) if isinstance(result, str) else result


def _compile() -> None:
    """As pip does with what it installs: a checkout is else compiled by each start that may not write bytecode."""
    for package in ("agent", "alerts", "config", "replicator", "sensors"):
        compileall.compile_dir(Path(__file__).parents[1] / package, quiet=1)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # Once: what was started is ended in peace.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)

"""What a running process has used, as Linux counts it under /proc."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from tests.support.process import Program

_TICK = os.sysconf("SC_CLK_TCK")
#: Fields of `stat` behind the name in brackets: user and system time, nice value, start; in ticks.
_USER, _SYSTEM, _NICE, _START = 11, 12, 16, 19
#: The nice value of the thread that scans.
_SCANS = 10


class Scan(NamedTuple):
    """The thread that scans: seconds since it began, and seconds of processor that it used."""

    wall: float
    processor: float


def processor(program: Program) -> float:
    """Seconds of processor that a process has used, all its threads together."""
    return _seconds(_stat(Path(f"/proc/{program.pid}")))


def memory(program: Program) -> tuple[float, float]:
    """Resident memory now and at its highest, in MB."""
    lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    now, most = (int(found[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, most


def scan(program: Program) -> Scan:
    """The scan that a replicator's scanning thread began last; it is known by its nice value.

    Raises:
        LookupError: it has none yet.
    """
    for task in Path(f"/proc/{program.pid}/task").iterdir():
        fields = _stat(task)
        if int(fields[_NICE]) == _SCANS:
            return Scan(time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_START]) / _TICK, _seconds(fields))
    raise LookupError(f"process {program.pid} has no thread of nice value {_SCANS}")


def _stat(folder: Path) -> list[str]:
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _seconds(fields: list[str]) -> float:
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK

"""Writes many files from a process of its own, so that what is measured does not wait for its own writer."""

import subprocess
import sys
from pathlib import Path
from typing import Self

_CODE = """
import os, sys, time
folder, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
blob = os.urandom(size + count)
os.mkdir(folder)
print("ready", flush=True)
sys.stdin.readline()
start = time.monotonic()
for number in range(count):
    file = os.open(f"{folder}/{number}.bin", os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(file, blob[number : number + size])
    os.close(file)
print(start, flush=True)
"""


class Writer:
    """A process that has its bytes ready and waits: `go` lets it write."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        """Make the folder; each file in it will differ from every other."""
        command = [sys.executable, "-c", _CODE, str(folder), str(count), str(size)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def go(self) -> float:
        """Write all, and return when the first write began, by `time.monotonic`."""
        if self._process.stdin is None:
            raise AssertionError("the writer cannot hear")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        if self._process.stdout is None:
            raise AssertionError("the writer cannot speak")
        return self._process.stdout.readline()

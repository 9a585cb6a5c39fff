"""One hand as a process: `python -m tests.soak.churn ROOT OUTSIDE SEED MOST`, told by lines what to do.

`go COUNT RATE` does so many acts, at most RATE a second (0: as fast as it can), lets go of what it holds and answers
with the sum of all it did so far, as JSON.
"""

import json
import os
import random
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from tests.soak.acts import Acts

_SLICE = 25


class Hand:
    """A process that changes a tree."""

    def __init__(self, root: Path, outside: Path, seed: int, most: int) -> None:
        """Start it; it waits to be told."""
        command = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            sys.executable,
            "-m",
            "tests.soak.churn",
            str(root),
            str(outside),
            str(seed),
            str(most),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._busy = False
        self.done: dict[str, int] = {}

    def go(self, count: int, rate: int) -> None:
        """Begin so many acts."""
        self._busy = True
        self._pipe(self._process.stdin).write(f"go {count} {rate}\n")
        self._pipe(self._process.stdin).flush()

    def done_by(self, end: float) -> bool:
        """Wait until they are done and nothing is held open any more, at most until this monotonic second.

        Raises:
            AssertionError: the process ended.
        """
        pipe = self._pipe(self._process.stdout)
        if self._busy and select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            line = pipe.readline()
            assert line, f"a hand ended with {self._process.wait()}"
            self.done = json.loads(line)
            self._busy = False
        return not self._busy

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            self._pipe(pipe).close()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def main(root: str, outside: str, seed: int, most: int) -> None:
    """Do as told until the line ends."""
    acts = Acts(os.fsencode(root), os.fsencode(outside), random.Random(seed), most)
    for line in sys.stdin:
        _, count, rate = line.split()
        _paced(acts, int(count), int(rate))
        acts.close()
        sys.stdout.write(json.dumps(acts.done) + "\n")
        sys.stdout.flush()


def _paced(acts: Acts, count: int, rate: int) -> None:
    start, done = time.monotonic(), 0
    while done < count:
        some = min(_SLICE if rate else count, count - done)
        acts.run(some)
        done += some
        if rate:
            time.sleep(max(0.0, start + done / rate - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

"""Programs as processes of their own: started, watched, stopped, killed."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.waiting import until

#: The command as a user has it.
BONGSU = str(Path(sys.executable).with_name("bongsu"))


class Program:
    """One running program whose output goes to a file. It dies with the tests, whatever becomes of them."""

    def __init__(
        self,
        command: Sequence[str | bytes],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start `command`; both its outputs are appended to `log`."""
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def text(self) -> str:
        """All that it said so far."""
        return self.log.read_text(errors="replace")

    def wait_for(self, words: str) -> None:
        """Wait until it has said this.

        Raises:
            AssertionError: it did not, or it ended before.
        """

        def said() -> bool:
            return words in self.text() or not self.running

        until(said, f"{self.log.name} says {words!r}")
        assert words in self.text(), f"it ended with {self._process.returncode}:\n{self.text()}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, limit: float = 60.0) -> int:
        """Wait for its end and return its exit code."""
        return self._process.wait(limit)

    def terminate(self, limit: float = 60.0) -> int:
        """Ask it to stop, wait, and return its exit code."""
        if self.running:
            self.send(signal.SIGTERM)
        return self.wait(limit)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self.running:
            self.send(signal.SIGKILL)
        self._process.wait(30)

"""The voice of the demonstration: one line a fact, with the seconds since it began."""

import sys
import time

from agent.demo.words import text


class Narrator:
    """Says texts of `words` on stdout. A reader that goes away does not end the demonstration."""

    def __init__(self, tongue: str) -> None:
        """Start the clock; `tongue` is `ko` or `en`."""
        self.tongue = tongue
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._start

    def say(self, key: str, **values: object) -> None:
        """Say one text."""
        self._write(f"[{self.seconds:6.1f} s] {text(key, self.tongue, **values)}")

    def plain(self, line: str) -> None:
        """Say a line without time: something to copy."""
        self._write(line)

    def _write(self, line: str) -> None:
        # A console that cannot write Hangul shows marks in its place rather than ending the demonstration.
        encoding = sys.stdout.encoding or "utf-8"
        try:
            sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")
            sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            return

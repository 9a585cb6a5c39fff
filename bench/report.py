"""What was measured, on what: as JSON, for those who compare."""

import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import Result

_VERSIONS = {
    "lsyncd": ("lsyncd", "--version"),
    "rsync": ("rsync", "--version"),
    "Syncthing": ("syncthing", "--version"),
    "borg": ("borg", "--version"),
    "restic": ("restic", "version"),
}


class Report:
    """Grows by one benchmark after the other; `write` after each, so that what was measured is never lost."""

    def __init__(self, rounds: int) -> None:
        """Look at the machine as it is before."""
        self._facts: dict[str, Any] = {
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "rounds": rounds,
            "processors": os.cpu_count(),
            "model": _model(),
            "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "load_before": os.getloadavg(),
            "versions": {name: _version(command) for name, command in _VERSIONS.items()},
        }
        self._found: dict[str, Any] = {}
        #: Whether anybody did not go to the end.
        self.failed = False

    @property
    def machine(self) -> str:
        """One line for people."""
        facts = self._facts
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        load = facts["load_before"][0]
        return (
            f"{facts['processors']} x {facts['model']}, Linux {facts['kernel']}, Python {facts['python']}, "
            f"load {load:.1f}; {versions}"
        )

    def add(self, name: str, result: Result, seconds: float) -> None:
        """One benchmark is over, after so many seconds."""
        self.failed = self.failed or bool(result.failed)
        self._found[name] = {
            "seconds": seconds,
            "load_after": os.getloadavg(),
            "samples": result.samples,
            "failed": result.failed,
            "tables": result.text.splitlines(),
        }

    def write(self, path: Path) -> None:
        """Write all that there is by now."""
        path.write_text(json.dumps({"machine": self._facts, "benchmarks": self._found}, indent=1) + "\n")


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "missing"
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"

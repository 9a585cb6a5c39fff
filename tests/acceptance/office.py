"""A county office on one machine: a server room and a vault, known by command, file and what they leave outside."""

import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance import sections
from tests.support.ports import free_port
from tests.support.process import BONGSU, Program
from tests.support.trees import Tree, same, snapshot
from tests.support.waiting import until

#: Root with these taken away is stopped by permissions like anybody else.
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")

_FILES = {"monitor": "room", "replicator": "room", "vault": "vault"}


class Office:
    """Two configuration files, `room` and `vault`, whose sections a test may replace before it starts a daemon."""

    def __init__(self) -> None:
        """Make the folders; the path is short, for control sockets have room for 107 bytes."""
        self.root = Path(tempfile.mkdtemp(prefix="bg-", dir="/tmp"))
        self.root.chmod(0o755)
        self.docs = self.root / "docs"
        self.docs.mkdir()
        self.vault_root = self.root / "safe"
        self.ports = {name: free_port() for name in ("bus", "modbus", "stream", "console", *_FILES)}
        self.room = {"site": sections.SITE.format(id="sancheong", state="room-state")}
        self.vault = {
            "site": sections.SITE.format(id="vault", state="vault-state"),
            "vault": sections.VAULT.format(**self.ports),
        }
        self._programs: dict[str, Program] = {}

    # ------------------------------------------------------------------ configuration

    def with_replicator(self) -> None:
        """Add the documents and the vault that they go to."""
        self.room["replicator"] = sections.REPLICATOR.format(**self.ports)
        self.room["source"] = sections.SOURCE

    def with_monitor(self, hook: str, *, embedded: bool = True) -> None:
        """Add one Modbus device, its alarm, and a person who is told at this address."""
        self.room["monitor"] = sections.MONITOR.format(**self.ports)
        self.room["bus"] = sections.BUS.format(bus=self.ports["bus"], embedded=str(embedded).lower())
        self.room["devices"] = sections.DEVICES.format(modbus=self.ports["modbus"])
        self.room["people"] = sections.PEOPLE.format(hook=hook)

    def file(self, name: str) -> Path:
        """Write the configuration file `room` or `vault` as it is now and return its path."""
        path = self.root / f"{name}.toml"
        path.write_text("\n".join({"room": self.room, "vault": self.vault}[name].values()))
        return path

    # ------------------------------------------------------------------ daemons

    def start(self, part: str, *, prefix: Sequence[str] = (), wait: bool = True) -> Program:
        """Start one daemon and wait until its metrics can be read."""
        command = [*prefix, BONGSU, "run", part, "--config", str(self.file(_FILES[part]))]
        program = Program(command, self.root / f"{part}.log")
        self._programs[part] = program
        if wait:
            self.wait_ready(part)
        return program

    def wait_ready(self, part: str) -> None:
        """Wait until this daemon's metrics can be read."""
        program = self._programs[part]

        def ready() -> bool:
            return not program.running or bool(self.metrics(part))

        until(ready, f"the {part} answers")
        assert program.running, f"the {part} ended:\n{program.text()}"

    def program(self, part: str) -> Program:
        """The daemon as it was started last."""
        return self._programs[part]

    def stop(self, part: str) -> int:
        """SIGTERM; return the exit code."""
        return self._programs[part].terminate()

    def kill(self, part: str) -> None:
        """SIGKILL, as a power cut."""
        self._programs[part].kill()

    def close(self) -> None:
        """End what still runs and remove everything."""
        for part in ("monitor", "replicator", "vault"):  # what drains first needs those that come later
            if part in self._programs:
                self._end(self._programs[part])
        shutil.rmtree(os.fsencode(self.root), ignore_errors=True)

    @staticmethod
    def _end(program: Program) -> None:
        try:
            program.terminate(limit=30)
        except subprocess.TimeoutExpired:
            program.kill()

    def logs(self) -> str:
        """The ends of all logs, for a test that failed."""
        paths = sorted(self.root.glob("**/*.log"))
        return "\n".join(f"--- {path.name}\n" + "\n".join(_tail(path)) for path in paths)

    # ------------------------------------------------------------------ questions

    def bongsu(self, *arguments: str, file: str = "room", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run one command against a file and, unless `code` is None, demand its exit code."""
        done = run(*arguments, "--config", str(self.file(file)), cwd=self.root)
        if code is not None:
            assert done.returncode == code, f"{done.args} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def metrics(self, part: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample that a daemon exposes, by name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[part]}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def metric(self, part: str, name: str, **labels: str) -> float:
        """One sample.

        Raises:
            LookupError: it is not exposed now.
        """
        return self.metrics(part)[name, frozenset(labels.items())]

    @property
    def current(self) -> Path:
        """The newest state of the documents at the vault, as plain files."""
        return self.vault_root / "current" / "docs"

    def settle(self) -> None:
        """Wait until the newest state at the vault is what the documents are."""
        until(lambda: self.shows(snapshot(self.docs)), "the vault holds what the documents are", pause=0.2)

    def shows(self, wanted: Tree) -> bool:
        """Whether the vault's plain files are this tree; they never carry set-id bits.

        Raises:
            AssertionError: they are not.
        """
        return same(wanted, self.current, modes=0o1777)

    def restore(self, name: str, *arguments: str, file: str = "room") -> Path:
        """Restore into a new folder and return it."""
        target = self.root / name
        self.bongsu("restore", "--to", str(target), *arguments, file=file)
        return target


def run(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `bongsu` with these arguments, to its end."""
    command = [BONGSU, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, errors="surrogateescape", check=False, timeout=120, cwd=cwd, env=env
    )


def _tail(path: Path, lines: int = 60) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-lines:]

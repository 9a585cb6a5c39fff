"""The office of a soak: real daemons with a cable between them, and what must be true of them once it is calm."""

import json
import os
import random
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from tests.acceptance import sections
from tests.acceptance.office import Office
from tests.soak.cable import Cable
from tests.soak.truth import ALL_MODES, CURRENT_MODES, Truth, differences, masked, truth
from tests.support.ports import free_port
from tests.support.waiting import until

#: Seconds in which all must have arrived once nobody writes any more.
CALM = 120.0


class Moment(NamedTuple):
    """An instant at which all had arrived, and what the tree was then."""

    at: str
    whole: Truth


class Site:
    """A server room and a vault; `docs` is the tree."""

    def __init__(self) -> None:
        self.office = Office()
        self.docs = self.office.docs
        self.outside = self.office.root / "outside"
        self.outside.mkdir()
        port = free_port()
        self.cable = Cable(self.office.ports["stream"], port)
        self.office.room["replicator"] = sections.REPLICATOR.format(**{**self.office.ports, "stream": port})
        self.office.room["source"] = sections.SOURCE
        self.checks = 0
        self._restores = 0

    def __enter__(self) -> Self:
        """Start both ends."""
        self.cable.__enter__()
        self.start("vault", "replicator")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stop them; what failed is left to be looked at."""
        if kind is None:
            self.office.close()
        else:
            for part in ("replicator", "vault"):
                self.office.kill(part)
        self.cable.__exit__()

    def start(self, *parts: str) -> None:
        """Start these daemons and wait until they answer."""
        for part in parts:
            self.office.start(part, wait=False)
        for part in parts:
            self.office.wait_ready(part)

    def scan_every(self, time_between: str) -> None:
        """From its next start on, the replicator scans so often."""
        self.office.room["source"] = sections.SOURCE + f'scan_every = "{time_between}"\n'

    # ------------------------------------------------------------------ what must be true

    def settle(self) -> Moment:
        """Wait until the vault's plain files are the tree; that instant, with what the tree is.

        Raises:
            AssertionError: they are not within `CALM`; the text says how they differ.
        """
        wanted = truth(self.docs)
        plain = masked(wanted, CURRENT_MODES)
        try:
            until(self._arrived, "all that was seen is at the vault", limit=CALM)
        except AssertionError as error:
            said = self.office.bongsu("status", "--json", code=None).stdout
            raise AssertionError(f"{error}; it says:\n{said}") from error
        until(lambda: self._shows(plain), "the vault's plain files are the tree", limit=CALM, pause=0.2)
        assert not differences(wanted, truth(self.docs)), "the tree changed while nobody wrote"
        time.sleep(0.002)  # the moment is told in milliseconds: it must lie after the last record
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        time.sleep(0.002)
        self.checks += 1
        return Moment(at, wanted)

    def _arrived(self) -> bool:
        return self.office.metric("replicator", "bongsu_replication_pending_files", source="docs") == 0

    def _shows(self, wanted: Truth) -> bool:
        told = differences(wanted, truth(self.office.current, modes=CURRENT_MODES))
        assert not told, told
        return True

    def demand(self, moment: Moment, *, file: str, now: bool = False) -> None:
        """A restore of that instant, from the room's file over the network or from the vault's, is the tree as it was.

        Raises:
            AssertionError: it is not.
        """
        self._restores += 1
        name = f"restored-{self._restores}"
        target = self.office.restore(name, *(() if now else ("--at", moment.at)), file=file)
        told = differences(moment.whole, truth(target, modes=ALL_MODES))
        assert not told, f"restore --at {moment.at} by {file}:\n{told}"
        _remove(target)
        self.checks += 1

    def verify(self, *, file: str) -> None:
        """Every record and object is what its hash says."""
        self.office.bongsu("verify", file=file)
        self.checks += 1

    # ------------------------------------------------------------------ for the report

    def position(self) -> int:
        """How many states the vault has taken."""
        return int(sum(v for (name, _), v in self.office.metrics("vault").items() if name == "bongsu_vault_position"))

    def status(self) -> str:
        """What the replicator says of itself, for a failure."""
        done = self.office.bongsu("status", "--json", code=None)
        return done.stdout or done.stderr

    def vault_bytes(self) -> int:
        """How much the vault's versions take, its plain copies left out."""
        folders = [self.office.vault_root / "journal", self.office.vault_root / "objects"]
        return sum(_size(Path(at) / name) for folder in folders for at, _, names in os.walk(folder) for name in names)


def some(moments: list[Moment], chance: random.Random, most: int) -> list[Moment]:
    """Some of the moments, each once."""
    return chance.sample(moments, min(most, len(moments)))


def told(report: dict[str, object], file: Path | None) -> str:
    """The report as JSON; into the file too, if there is one."""
    text = json.dumps(report, indent=2, ensure_ascii=False)
    if file is not None:
        file.write_text(text + "\n")
    return text


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _remove(folder: Path) -> None:
    shutil.rmtree(os.fsencode(folder))

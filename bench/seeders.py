"""Whoever can be measured with a first copy, each with what it has reached when its clock stops."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bench.archives import Borg, Restic
from bench.documents import count_documents, empty
from bench.peers import Peer
from bench.rsyncd import Rsyncd
from bench.syncthing import Syncthing
from tests.acceptance.office import Office
from tests.support.waiting import until

_LIMIT = 900.0
#: Seconds between two looks at a whole tree, which cost some of them.
_LOOK = 0.2


class Seeder(Peer, Protocol):
    """Copies a tree to a place of its own, each time a new one."""

    def seed(self, tree: Path) -> dict[str, float]:
        """Return the seconds until each of the states that this one reaches, by the state's name."""


class BongsuSeeder:
    """From the replicator's start; the vault runs already."""

    name = "bongsu"
    durable, there = "bongsu, durable at the vault", "bongsu, plain files in `current/`"

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._used: list[Office] = []

    def seed(self, tree: Path) -> dict[str, float]:
        """Until the last file's acknowledgement, and until the last one is in `current/`."""
        count = count_documents(tree)
        office = Office()
        self._used.append(office)
        office.with_replicator()
        office.docs.rmdir()
        tree.rename(office.docs)
        try:
            office.start("vault")
            start = time.monotonic()
            office.start("replicator")
            until(lambda: _all_durable(office), "all is durable", limit=_LIMIT, pause=0.1)
            durable = time.monotonic() - start
            until(lambda: count_documents(office.current) == count, "all is there", limit=_LIMIT, pause=_LOOK)
            there = time.monotonic() - start
            for part in ("replicator", "vault"):
                office.stop(part)
        finally:
            office.docs.rename(tree)
        empty(office.vault_root)
        return {self.durable: durable, self.there: there}

    def close(self) -> None:
        """Remove what was seeded."""
        for office in self._used:
            office.close()


class RsyncSeeder:
    """`rsync -a` to a running daemon, with these options."""

    def __init__(self, name: str, *options: str) -> None:
        """Start the daemon."""
        self.name = name
        self._options = options
        self._daemon = Rsyncd()
        self._number = 0

    def seed(self, tree: Path) -> dict[str, float]:
        """Until its end."""
        self._number += 1
        start = time.monotonic()
        self._daemon.push(tree, str(self._number), *self._options)
        seconds = time.monotonic() - start
        empty(self._daemon.far)
        return {self.name: seconds}

    def close(self) -> None:
        """End the daemon and remove what was seeded."""
        self._daemon.close()


class ArchiveSeeder:
    """A program that keeps a tree in a repository; that is made before the clock starts."""

    def __init__(self, name: str, make: Callable[[Path], Borg | Restic]) -> None:
        """`make` returns an empty repository in a new folder."""
        self.name = name
        self._make = make
        self._root = Path(tempfile.mkdtemp(prefix="archive-", dir="/tmp"))
        self._number = 0

    def seed(self, tree: Path) -> dict[str, float]:
        """Until its end."""
        self._number += 1
        folder = self._root / str(self._number)
        archive = self._make(folder)
        start = time.monotonic()
        archive.keep(tree)
        seconds = time.monotonic() - start
        empty(folder)
        return {self.name: seconds}

    def close(self) -> None:
        """Remove what was seeded."""
        shutil.rmtree(self._root, ignore_errors=True)


class SyncthingSeeder:
    """From the start of the near device; the far one runs already."""

    name = "Syncthing, there (each file flushed)"

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._used: list[Syncthing] = []

    def seed(self, tree: Path) -> dict[str, float]:
        """Until the last file is there."""
        count = count_documents(tree)
        pair = Syncthing(tree)
        self._used.append(pair)
        start = time.monotonic()
        pair.start()
        until(lambda: count_documents(pair.far) == count, "all is there", limit=_LIMIT, pause=_LOOK)
        seconds = time.monotonic() - start
        pair.stop()
        empty(pair.far)
        return {self.name: seconds}

    def close(self) -> None:
        """Remove what was seeded."""
        for pair in self._used:
            pair.close()


def _all_durable(office: Office) -> bool:
    """The scan has seen the whole tree, and nothing waits."""
    told = [
        value
        for (name, _), value in office.metrics("replicator").items()
        if name in {"bongsu_replication_blind", "bongsu_replication_pending_files"}
    ]
    return bool(told) and not any(told)  # the metrics can be read a moment before there is a source

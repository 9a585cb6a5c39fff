"""The vault on disk, for the one process that writes to it."""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from replicator.committer import Committer
from replicator.current import Current
from replicator.errors import CatalogError, VaultError
from replicator.item import Item, Outcome
from replicator.objects import Objects
from replicator.partial import Partials
from replicator.recover import lock, recover, remove_catalog
from replicator.segments import Bad


class Callbacks(msgspec.Struct, kw_only=True, frozen=True):
    """Whom the store tells, always from threads of its own; they must be quick.

    Attributes:
        outcomes: what came of items, and the seconds of their commit.
        failed: nothing more will be acknowledged; once.
    """

    outcomes: Callable[[list[Outcome], float], None]
    failed: Callable[[Exception], None]


class Store:
    """An open vault. `submit` is for any thread; `close` may be called twice."""

    def __init__(self, root: Path, callbacks: Callbacks) -> None:
        self.root = root
        self._lock = lock(root)
        try:
            recovered = recover(root)
        except OSError as error:
            os.close(self._lock)
            raise VaultError(f"open vault {root}: {str(error.strerror).lower()}: {error.filename}") from None
        except sqlite3.OperationalError as error:
            os.close(self._lock)
            raise VaultError(f"open catalog of {root}: {error}", hint="make room on the vault's disk") from None
        except BaseException:
            os.close(self._lock)
            raise
        self.vault = recovered.vault
        self.damage: list[Bad] = recovered.damage
        self.objects = Objects(root)
        self.partials = Partials(root, self.objects)
        self.failure: Exception | None = None
        self._callbacks = callbacks
        self._closing = threading.Lock()
        self._appender = recovered.appender
        self.current = Current(root, recovered.vault)
        self._committer = Committer(
            recovered.catalog,
            recovered.appender,
            self.objects,
            on_outcomes=self._outcomes,
            on_failed=self.fail,
            on_applied=self._applied,
        )
        self._applied()
        self.current.start()
        self._committer.start()

    def submit(self, *items: Item) -> None:
        """Commit these, after what was submitted before; the outcomes are told."""
        self.current.yield_to_commit()
        self._committer.submit(*items)

    def fail(self, error: Exception) -> None:
        """Acknowledge nothing from now on."""
        if self.failure is None:
            self.failure = error
            if isinstance(error, CatalogError):
                remove_catalog(self.root)  # or the next start would fail by it again
            self._callbacks.failed(error)

    @property
    def full(self) -> bool:
        """Whether the last commit found no room."""
        return self._committer.full

    @property
    def behind(self) -> int:
        """Durable records that `current/` does not show yet."""
        return max(self._appender.mark.sequence - self.current.done, 0)

    def positions(self) -> dict[str, int]:
        """Each source's durable position."""
        return dict(self._committer.positions)

    def sites(self) -> dict[str, str]:
        """Each source's site."""
        return dict(self._committer.known.sites)

    def close(self) -> None:
        """Commit what waits, write the catalog and `current/`, give the lock back. Blocks."""
        with self._closing:
            if self._lock < 0:
                return
            self._committer.stop()
            self.current.stop()
            os.close(self._lock)
            self._lock = -1

    def _outcomes(self, outcomes: list[Outcome], seconds: float) -> None:
        self.partials.look(full=self.full)
        self._callbacks.outcomes(outcomes, seconds)
        self.current.yield_to_commit()

    def _applied(self) -> None:
        self.current.advance(self._appender.mark)

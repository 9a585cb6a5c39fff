"""The replicator's daemon part: sources, journal and session under one roof."""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from prometheus_client import CollectorRegistry

from alerts.condition import Condition
from config.address import parse_vault
from config.model import Config
from replicator.conditions import Conditions
from replicator.errors import JournalError
from replicator.evacuation import Evacuations
from replicator.journal import Journal
from replicator.leaps import Leaps
from replicator.replicator_metrics import ReplicatorMetrics
from replicator.report import Evacuation, Report
from replicator.session import Session
from replicator.source import Source
from replicator.status import iso, source_status

#: Seconds between two reports without a change.
_REPORT = 1.0
#: Seconds between two looks at what is left while stopping.
_GLANCE = 0.02
#: Seconds that a thread may wait for another: a change must not wait behind a scan's next 5 ms.
_SWITCH = 0.0005
#: New containers between two looks for cycles; there are hardly any, and a first copy makes a million containers.
_GARBAGE = 10_000

log = structlog.get_logger(__name__)


class Left(NamedTuple):
    """What a clean stop could not send in its time: it is in the journal and goes first at the next start."""

    files: int
    bytes: int


class Replicator:
    """Carries every source to the vault. Build it, `start`, `stop`; one use.

    `on_report` is called in the event loop at every change and each second, and must be quick.
    """

    def __init__(
        self, config: Config, *, registry: CollectorRegistry, on_report: Callable[[Report], None] = lambda _: None
    ) -> None:
        if config.replicator is None:
            raise ValueError("no [replicator] in the configuration")
        self._config = config
        self._address = parse_vault(config.replicator.vault)
        self._on_report = on_report
        self._evacuations = Evacuations()
        self._conditions = Conditions(config.site.language)
        self._metrics = ReplicatorMetrics(
            registry,
            connected=lambda: self._session is not None and self._session.connected,
            writable=lambda: not self._trouble(),
        )
        self._sources: list[Source] = []
        self._session: Session | None = None
        self._journal: Journal | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._leaps = Leaps(self._sources, self._news.set)
        self._stopping = False

    async def start(self) -> None:
        """Open the journal, begin to watch, to scan and to connect; returns at once.

        Raises:
            JournalError: the state folder cannot be written.
        """
        sys.setswitchinterval(_SWITCH)
        gc.set_threshold(_GARBAGE)
        state = self._config.site.state
        journal = self._journal = await asyncio.to_thread(Journal, state / "replicator.sqlite")
        for settings in self._config.source:
            source = Source(settings, journal, state, self._metrics.source(), self._news.set)
            source.load()
            self._metrics.watch(source.gauges)
            self._sources.append(source)
        self._session = Session(
            self._config,
            self._address,
            sources=self._sources,
            journal=journal,
            evacuations=self._evacuations,
            metrics=self._metrics.line,
            changed=self._news.set,
        )
        self._tasks = [asyncio.create_task(source.sight.run()) for source in self._sources]
        self._tasks += [asyncio.create_task(source.canary.run()) for source in self._sources]
        self._tasks += [asyncio.create_task(self._leaps.run())]
        self._tasks += [asyncio.create_task(self._session.run()), asyncio.create_task(self._report())]

    async def failed(self) -> Exception:
        """Wait until one of the parts ends by an error that it cannot live with; that error."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.cancelled() and not self._stopping:
                return RuntimeError("a part of the replicator was cancelled by nobody")
            if not task.cancelled():
                error = task.exception()
                return error if isinstance(error, Exception) else RuntimeError("a part of the replicator ended")
        never: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        return await never  # stopped: nothing can fail any more

    async def stop(self, drain: timedelta = timedelta(seconds=20)) -> Left:
        """See and send all that changed before, at most for `drain`, then end. May be called twice.

        It waits for the scan that runs and for the connection that is being made; what it could not send is told.
        """
        left = Left(0, 0)
        if self._journal is not None and not self._stopping:
            self._stopping = True
            if drain > timedelta(0) and not any(task.done() for task in self._tasks):
                await self._drain(time.monotonic() + drain.total_seconds())
            self._look()
            left = Left(sum(len(s.pending) for s in self._sources), sum(s.pending.bytes for s in self._sources))
            if left.files:
                log.warning("stopped before all was sent", files=left.files, bytes=left.bytes)
        await self._close()
        return left

    async def _drain(self, until: float) -> None:
        await asyncio.gather(*(source.sight.settle(until) for source in self._sources))
        seen_ns = time.time_ns()  # who goes on writing is not waited for
        while time.monotonic() < until:
            for source in self._sources:
                source.pending.hurry()
                source.wake.set()
            if not any(source.pending.waits(seen_ns) for source in self._sources):
                return
            await asyncio.sleep(_GLANCE)

    async def _close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            # A task group swallows a cancellation that meets a lost connection (Python 3.11): it is said again.
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=1.0)
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        for source in self._sources:
            await asyncio.to_thread(source.close)
        journal, self._journal = self._journal, None
        if journal is not None:
            await asyncio.to_thread(journal.close)

    # ------------------------------------------------------------------ evacuation

    async def evacuate(self, alarm: str, name: str = "") -> None:
        """Documents must leave: limits lifted, newest and smallest first, a recovery point sealed. Twice is once.

        Args:
            alarm: the alarm's id.
            name: the recovery point's name; empty for `alarm:ID TIME`.
        """
        now_ns = time.time_ns()
        at = datetime.fromtimestamp(now_ns / 1e9, UTC).isoformat(timespec="seconds")
        if self._evacuations.start(alarm, name or f"alarm:{alarm} {at}", now_ns):
            log.warning("evacuation begun", alarm=alarm)
            self._set_urgent()

    async def end_evacuation(self, alarm: str) -> None:
        """The alarm is over: limits and order as before."""
        if self._evacuations.end(alarm):
            log.info("evacuation ended", alarm=alarm)
            self._set_urgent()

    def _set_urgent(self) -> None:
        urgent = bool(self._evacuations)
        if self._session is not None:
            self._session.bandwidth.lift(lifted=urgent)
        for source in self._sources:
            source.pending.set_urgent(urgent=urgent)
            if urgent:
                source.pending.hurry()
            source.wake.set()
        self._news.set()

    def evacuations(self) -> dict[str, Evacuation]:
        """How far each is, by alarm."""
        return self._evacuations.view(self._sources)

    # ------------------------------------------------------------------ for people

    def conditions(self) -> list[Condition]:
        """What is wrong now."""
        session = self._session
        return self._conditions.find(
            self._sources,
            now_ns=time.time_ns(),
            vault_since_ns=session.since_ns if session else 0,
            vault_reason=session.reason if session else "",
            journal=self._trouble(),
        )

    def status(self) -> dict[str, Any]:
        """The whole picture, fit for JSON."""
        session = self._session
        now_ns = time.time_ns()
        return {
            "vault": {
                "address": f"{self._address.host}:{self._address.port}",
                "id": session.vault if session else "",
                "connected": bool(session and session.connected),
                "since": iso(session.since_ns) if session else None,
                "reason": session.reason if session else "",
            },
            "journal": {"writable": not self._trouble(), "reason": self._trouble()},
            "clock": self._leaps.status(),
            "sources": {source.id: source_status(source, now_ns) for source in self._sources},
        }

    def _trouble(self) -> str:
        """Why the journal cannot be written, or empty."""
        return self._journal.trouble if self._journal else ""

    def _look(self) -> None:
        for source in self._sources:
            source.first_copy.look()

    def _check_journal(self) -> None:
        """A damaged journal stops every source: the process ends, and the next one begins a new journal."""
        if self._journal is not None and self._journal.damage:
            raise JournalError(
                f"read journal {self._journal.path}: {self._journal.damage}",
                hint="it is put aside and begun anew from the vault's list",
            )

    async def _report(self) -> None:
        while True:
            self._news.clear()
            self._check_journal()
            self._look()
            self._on_report(Report(conditions=self.conditions(), status=self.status(), evacuations=self.evacuations()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REPORT):
                    await self._news.wait()
            await asyncio.sleep(_GLANCE)  # many changes at once are one report

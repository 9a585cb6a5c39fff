"""The replicator's daemon: sources, journal, the stream to the vault, and the voice to the monitor."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import structlog

from agent import requests
from agent.base import Base, until_failed
from agent.client import socket_path
from agent.errors import FatalError, reason_of
from agent.evacuation import utc_now
from agent.reporter import Reporter
from replicator.replicator import Replicator

log = structlog.get_logger(__name__)

#: What was written a moment before a stop still goes out, up to this long.
DRAIN = timedelta(seconds=20)


class ReplicatorDaemon(Base):
    """Carries the documents out, with a monitor on this host or without."""

    part = "replicator"
    stop_limit = DRAIN + timedelta(seconds=25)
    replicator: Replicator
    reporter: Reporter | None = None

    async def build_up(self) -> None:
        """Take the addresses, open the journal, begin to watch."""
        settings = self.config.replicator
        if settings is None:
            raise FatalError("start replicator: there is no [replicator]", "write [replicator] with a vault")
        self._asked: dict[str, datetime] = {}
        self.push_tasks()
        self.open_metrics(settings.metrics)
        self.replicator = Replicator(self.config, registry=self.registry, on_report=lambda _report: self._changed())
        await self.replicator.start()
        self.teardown.push("replicator", lambda: self.replicator.stop(DRAIN))
        self.supervisor.add("documents", until_failed(self.replicator.failed))
        await self.open_control()
        if self.config.monitor is not None or self.config.device:
            path = socket_path(self.config.site.state, "monitor")
            self.reporter = Reporter(path, self.report, self.evacuate, self._heard)
            self.supervisor.add("reporter", self.reporter.run)

    async def status(self) -> dict[str, Any]:
        """Return each source's numbers beside the parts."""
        return {**await super().status(), "replication": requests.plain(self.replicator.status())}

    def report(self) -> requests.Report:
        """Return what the monitor is told now."""
        found = self.replicator.evacuations()
        return requests.Report(
            part=self.part,
            conditions=self.replicator.conditions(),
            status=requests.plain(self.replicator.status()),
            evacuations={alarm: evacuation_of(each) for alarm, each in found.items()},
        )

    async def evacuate(self, alarms: list[str]) -> None:
        """Evacuate for these alarms and for no others; one that is under way goes on."""
        under_way = self.replicator.evacuations()
        for alarm in alarms:
            if alarm not in under_way:
                at = self._asked.setdefault(alarm, utc_now())
                log.warning("evacuation begins", alarm=alarm)
                await self._try_evacuate(alarm, at)
        for alarm in under_way:
            if alarm not in alarms:
                log.info("evacuation ends", alarm=alarm)
                self._asked.pop(alarm, None)
                await self.replicator.end_evacuation(alarm)

    async def _try_evacuate(self, alarm: str, at: datetime) -> None:
        name = f"alarm:{alarm} {at.astimezone(self.config.site.zone).isoformat(timespec='seconds')}"
        try:
            await self.replicator.evacuate(alarm, name)
        except Exception as error:  # noqa: BLE001 - the monitor says it again within a second
            log.warning("evacuation not begun", alarm=alarm, reason=reason_of(error))

    def _heard(self, up: bool, reason: str) -> None:
        self.part_changed("reporter", up, reason)

    def _changed(self) -> None:
        if self.reporter is not None:
            asyncio.get_running_loop().call_soon(self.reporter.changed)


def evacuation_of(found: Any) -> requests.Evacuation:
    """Return the replicator's evacuation as it is reported."""
    return requests.Evacuation(
        point=found.point,
        sealed=found.sealed,
        pending=found.pending,
        pending_bytes=found.pending_bytes,
        oldest_ns=found.oldest_ns,
        complete=found.complete,
    )

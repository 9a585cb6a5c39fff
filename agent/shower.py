"""Keeps the bus, the metrics and the parts' list in step with what the monitor knows."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from agent.evacuation import utc_now
from alerts.views import AlarmView
from config.model import Alarm

if TYPE_CHECKING:
    from agent.monitor import MonitorDaemon

_EVERY_SECONDS = 1.0


class Shower:
    """Looks each second, and at each event, and shows what changed."""

    def __init__(self, monitor: "MonitorDaemon") -> None:
        self._monitor = monitor
        self._look = asyncio.Event()

    def look(self) -> None:
        """Look soon; from the event loop's thread."""
        self._look.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Show until the event is set."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._look.clear()
                await self._show()
                looking = asyncio.create_task(self._look.wait())
                await asyncio.wait({stopping, looking}, timeout=_EVERY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                looking.cancel()
        finally:
            stopping.cancel()

    async def _show(self) -> None:
        monitor = self._monitor
        for part in monitor.room.parts():
            monitor.part_changed(part.name, part.up, part.reason)
        for name, up in monitor.reports.up().items():
            monitor.part_changed(name, up, "" if up else "it does not report")
        view = monitor.view
        if view is None:
            return
        for name, (up, reason) in monitor.parts.items():
            if name != monitor.part:
                view.part(name, up, reason)
        known = await asyncio.to_thread(monitor.desk.alarms, True)
        for alarm in with_untouched(known, monitor.config.alarm):
            view.alarm(alarm)
        for source, status in sources_of(monitor.reports.status("replicator")):
            view.replication(source, status)


def with_untouched(known: Iterable[AlarmView], configured: Iterable[Alarm]) -> list[dict[str, Any]]:
    """Return every alarm's state, also of those that never were anything but normal."""
    views = list(known)
    names = {view.id for view in views}
    now = utc_now()
    views += [
        AlarmView(id=alarm.id, severity=alarm.severity, peak=alarm.severity, text=alarm.text, changed_at=now)
        for alarm in configured
        if alarm.id not in names
    ]
    return [msgspec.structs.asdict(view) for view in views]


def sources_of(status: Mapping[str, Any] | None) -> list[tuple[str, Mapping[str, Any]]]:
    """Return each source of a replicator's status with what it says of it."""
    sources = (status or {}).get("sources")
    if isinstance(sources, Mapping):
        return [(str(name), fields) for name, fields in sources.items() if isinstance(fields, Mapping)]
    if isinstance(sources, list):
        return [(str(each["id"]), each) for each in sources if isinstance(each, Mapping) and "id" in each]
    return []

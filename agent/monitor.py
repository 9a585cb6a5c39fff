"""The monitor: devices, alarms, notices, the view on the bus, the console. One straight build."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agent import requests
from agent.answers import Answers
from agent.base import Base
from agent.bus_alarm import BusAlarm
from agent.control import Peer
from agent.errors import FatalError, hint_of, reason_of
from agent.keeper import Keeper
from agent.notices import Notices
from agent.payloads import time_text
from agent.reports import Reports
from agent.shower import Shower
from agent.view import View
from alerts.condition import Condition
from alerts.desk import Desk
from alerts.event import Event
from sensors.reading import Reading
from sensors.room import Room

STATE_FILE = "monitor.sqlite"
# What is stopped first has the highest number: who sees, who tells, what both stand on.
_SEEING, _TELLING, _GROUND = 2, 1, 0
_DRAIN = timedelta(seconds=5)


class MonitorDaemon(Base):
    """Everything of the monitor, in one process."""

    part = "monitor"
    desk: Desk
    room: Room
    reports: Reports
    view: View | None = None

    async def build_up(self) -> None:
        """Build from the ground up; each step is undone in the opposite order."""
        config, supervisor = self.config, self.supervisor
        self.desk = await asyncio.to_thread(Desk.open, config.site.state / STATE_FILE, config)
        self.teardown.push("desk", self.desk.close)
        self.keeper = Keeper(self.desk.apply, lambda up, reason: self.part_changed("store", up, reason))
        self.reports = Reports(config, self.desk, self.keeper.offer)
        self.answers = Answers(self.desk, self.reports, self.status)
        self.room = Room(
            config,
            on_reading=self._on_reading,
            on_condition=self._on_condition,
            state=config.site.state,
            registry=self.registry,
        )
        notices = Notices(config, self.desk, self.registry, _DRAIN)
        self.teardown.push("channels", notices.close)
        self._build_view()
        self.shower = Shower(self)
        end = self.desk.subscribe(self._on_event_of(asyncio.get_running_loop()))
        self.teardown.push("subscription", end)
        self.push_tasks()
        self.open_metrics(config.monitor.metrics if config.monitor else None)
        self._open_console(config.monitor.console if config.monitor else None)
        await self.open_control(self.reports.gone)
        if self.view is not None:
            self.view.add_to(supervisor, broker_stage=_GROUND, bus_stage=_TELLING)
        supervisor.add("conditions", self.keeper.run, _TELLING)
        supervisor.add("notices", notices.run, _TELLING)
        supervisor.add("shower", self.shower.run, _SEEING)
        supervisor.add("reports", self.reports.run, _SEEING)
        supervisor.add("room", self._watch_room, _SEEING)

    async def answer(self, request: requests.Request, peer: Peer) -> Mapping[str, Any]:
        """Answer everything that the command line and the other daemons ask."""
        return await self.answers.answer(request, peer)

    async def status(self) -> dict[str, Any]:
        """Return readings, alarms, the copy and the parts."""
        alarms = await asyncio.to_thread(self.desk.alarms)
        return {
            **await super().status(),
            "readings": [reading_fields(reading) for reading in self.room.readings()],
            "alarms": [requests.plain(alarm) for alarm in alarms],
            "replication": self.reports.status("replicator"),
        }

    def _build_view(self) -> None:
        if self.config.bus is None:
            return
        alarm = BusAlarm(self.config.site.language, self.keeper.offer)

        def changed(up: bool, reason: str) -> None:
            self.part_changed("bus", up, reason)
            alarm.changed(up, reason)

        self.view = View(self.config.bus, self.config.site.id, self.part, changed)

    def _open_console(self, address: str | None) -> None:
        if address is None:
            return
        from agent.console.app import console_app

        server = self.open_web("console", console_app(self.config, self.status, self.answers.acknowledge), address)
        self.supervisor.add("console", server.run)

    async def _watch_room(self, stop: asyncio.Event) -> None:
        """Run the room, which runs once: if it ends of itself the process does, and is started anew."""
        try:
            await self.room.run(stop)
        except Exception as error:
            raise FatalError(f"watch room: {reason_of(error)}", hint_of(error)) from error

    def _on_condition(self, condition: Condition) -> None:
        """In the room's own thread; what it raises makes the room tell it again."""
        self.desk.apply(condition)

    def _on_reading(self, reading: Reading) -> None:
        if self.view is not None:
            self.view.reading(reading)

    def _on_event_of(self, loop: asyncio.AbstractEventLoop) -> Any:
        def on_loop(event: Event) -> None:
            if self.view is not None:
                self.view.event(event)
            self.shower.look()
            self.reports.look()

        def on_event(event: Event) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(on_loop, event)

        return on_event


def reading_fields(reading: Reading) -> dict[str, Any]:
    """Return a reading as people and programs are shown it."""
    return {
        "device": reading.device,
        "point": reading.point,
        "value": reading.value,
        "unit": reading.unit,
        "quality": str(reading.quality),
        "at": time_text(reading.at),
        "reason": reading.reason,
    }

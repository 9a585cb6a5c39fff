"""What the monitor answers at its control socket."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from agent import requests
from agent.control import Peer
from agent.errors import AgentError
from agent.evacuation import utc_now
from agent.reports import Reports
from alerts.desk import Desk

_LONGEST_SHELVING = timedelta(days=366)
_ROWS = 1000


class Answers:
    """One method for each request; every touch of the desk happens in a thread."""

    def __init__(self, desk: Desk, reports: Reports, status: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._desk = desk
        self._reports = reports
        self._status = status

    async def answer(self, request: requests.Request, peer: Peer) -> Mapping[str, Any]:
        """Answer one request.

        Raises:
            alerts.errors.AlertsError: the desk's answer is no.
            AgentError: the request makes no sense.
        """
        match request:
            case requests.Status():
                return await self._status()
            case requests.Report():
                return await self._reports.take(request, peer)
            case requests.Alarms():
                return {"alarms": requests.plain(await asyncio.to_thread(self._desk.alarms, request.all))}
            case requests.Acknowledge():
                return await self.acknowledge(request.alarm, request.by, request.note)
            case requests.Shelve():
                return await self._shelve(request)
            case requests.SendTest() | requests.Attempts():
                return await asyncio.to_thread(self._test, request)

    async def acknowledge(self, alarm: str, by: str, note: str) -> dict[str, Any]:
        """Acknowledge an alarm; the console calls it too."""
        event = await asyncio.to_thread(self._desk.acknowledge, alarm, by, note, utc_now())
        return {"event": requests.plain(event)}

    async def _shelve(self, request: requests.Shelve) -> dict[str, Any]:
        if not 0 < request.seconds <= _LONGEST_SHELVING.total_seconds():
            raise AgentError(f"shelve {request.alarm}: not for {request.seconds:.0f} s", "write --for 10m, 2h or 7d")
        duration = timedelta(seconds=request.seconds)
        event = await asyncio.to_thread(
            self._desk.shelve, request.alarm, duration, request.by, request.reason, utc_now()
        )
        return {"event": requests.plain(event)}

    def _test(self, request: requests.SendTest | requests.Attempts) -> dict[str, Any]:
        if isinstance(request, requests.SendTest):
            return {"notifications": self._desk.test(request.contact, request.channel, utc_now())}
        wanted = set(request.notifications)
        notifications = [view for view in self._desk.notifications(None, _ROWS) if view.id in wanted]
        attempts = [attempt for name in sorted(wanted) for attempt in self._desk.attempts(name, _ROWS)]
        return {"notifications": requests.plain(notifications), "attempts": requests.plain(attempts)}

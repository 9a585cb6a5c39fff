"""The monitor's ear: what other parts report, their silence, and what the evacuation has come to."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import structlog

from agent import evacuation as words
from agent.control import Peer
from agent.errors import AgentError, reason_of
from agent.evacuation import Line, Say, Told, utc_now
from agent.requests import Report
from alerts.condition import Condition
from alerts.desk import Desk
from alerts.event import INFORMED, Kind, State
from alerts.inbox import Inbox
from config.model import Config, Severity

log = structlog.get_logger(__name__)

#: A part that says nothing for this long is an alarm (the promise of the watcher being watched).
SILENCE_SECONDS = 15.0
_LOOK_SECONDS = 1.0
_REPORTING = ("replicator",)
_EVENTS = 500


class Ear(msgspec.Struct):
    """What is known of one reporting part."""

    heard: float
    report: Report | None = None
    peer: Peer | None = None


class Reports:
    """Takes reports in, answers with the alarms that ask for an evacuation, and tells when a part is silent."""

    def __init__(self, config: Config, desk: Desk, offer: Callable[[Condition], None]) -> None:
        self._config = config
        self._desk = desk
        self._inbox = Inbox(desk)
        self._offer = offer
        self._expected = ["replicator"] if config.replicator is not None else []
        self._ears = {part: Ear(heard=time.monotonic()) for part in self._expected}
        self._told: dict[str, Told] = {}
        self._evacuating: dict[str, str] = {}
        self._look = asyncio.Event()

    def status(self, part: str) -> dict[str, Any] | None:
        """Return a part's newest status while it is heard."""
        ear = self._ears.get(part)
        return ear.report.status if ear is not None and ear.report is not None and self._heard(ear) else None

    def up(self) -> dict[str, bool]:
        """Tell for each part whether it is heard; one that may still come after our start is not in it."""
        known = {part: ear for part, ear in self._ears.items() if ear.report is not None or not self._heard(ear)}
        return {part: ear.report is not None and self._heard(ear) for part, ear in known.items()}

    async def take(self, report: Report, peer: Peer) -> dict[str, Any]:
        """Take one report in.

        Raises:
            AgentError: no such part reports; another name could clear alarms that are not its own.
            alerts.errors.AlertsError: it could not be stored; the part reports again within a second.
        """
        if report.part not in _REPORTING:
            raise AgentError(f"report of {report.part!r}: no such part reports", "use the bongsu command")
        self._ears[report.part] = Ear(heard=time.monotonic(), report=report, peer=peer)
        await asyncio.to_thread(self._inbox.report, report.part, list(report.conditions), utc_now())
        await self._look_once()
        return {"evacuate": sorted(self._evacuating)}

    def gone(self, peer: Peer) -> None:
        """Forget a connection that ended."""
        for ear in self._ears.values():
            if ear.peer is peer:
                ear.peer = None

    def look(self) -> None:
        """Look at the alarms soon; from the event loop's thread."""
        self._look.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look each second, and at each change, for silence and for what is to be told."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._look.clear()
                self._tell_silence()
                await self._look_once()
                looking = asyncio.create_task(self._look.wait())
                await asyncio.wait({stopping, looking}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                looking.cancel()
        finally:
            stopping.cancel()

    def _heard(self, ear: Ear) -> bool:
        return time.monotonic() - ear.heard <= SILENCE_SECONDS

    def _tell_silence(self) -> None:
        for part in self._expected:
            silent = not self._heard(self._ears[part])
            if silent or self._ears[part].report is not None:
                self._offer(silence_condition(part, silent, self._config.site.language, utc_now()))

    async def _look_once(self) -> None:
        found = await asyncio.to_thread(self._desk.alarms)
        active = {
            alarm.id: alarm.occurrence
            for alarm in found
            if alarm.active and alarm.evacuate and alarm.state is not State.SHELVED
        }
        changed = active.keys() != self._evacuating.keys()
        new = {alarm: occurrence for alarm, occurrence in active.items() if self._evacuating.get(alarm) != occurrence}
        self._evacuating = active
        if new:
            await asyncio.to_thread(self._remember, new)
        if changed:
            await self._push()
        await self._say()

    def _remember(self, new: Mapping[str, str]) -> None:
        """After a restart, do not tell of a completed evacuation twice."""
        for event in self._desk.newest_events(_EVENTS):
            ours = event.kind is Kind.INFO and event.reason == INFORMED  # a shelving is an info as well
            if ours and new.get(event.alarm) == event.occurrence and event.alarm not in self._told:
                self._told[event.alarm] = Told(occurrence=event.occurrence, text=event.note, done=True, safe=True)

    async def _push(self) -> None:
        message = {"evacuate": sorted(self._evacuating)}
        for part, ear in self._ears.items():
            if ear.peer is not None:
                with contextlib.suppress(OSError, TimeoutError):  # it learns it from the answer to its next report
                    await ear.peer.send(message)
                    log.info("evacuation told", part=part, alarms=message["evacuate"])

    async def _say(self) -> None:
        if not self._evacuating or self._config.replicator is None:
            return
        report = self._ears["replicator"].report if self.up().get("replicator") else None
        evacuations = report.evacuations if report is not None else {}
        line = Line(replicator=report is not None, vault=_vault_connected(report))
        self._told, says = words.decide(
            self._evacuating, self._told, evacuations, line, now=utc_now(), site=self._config.site
        )
        for say in says:
            try:
                await asyncio.to_thread(self._tell, say, utc_now())
            except Exception as error:  # noqa: BLE001 - a full disk: said again at the next look
                log.warning("evacuation line not stored", alarm=say.alarm, reason=reason_of(error))
                self._told.pop(say.alarm, None)

    def _tell(self, say: Say, now: datetime) -> None:
        if say.at_once:
            self._desk.inform(say.alarm, say.text, now)
        else:
            self._desk.attach(say.alarm, say.text)


def silence_condition(part: str, silent: bool, language: str, at: datetime) -> Condition:
    """Say that a part is silent, or heard again."""
    text = f"{'복제기' if part == 'replicator' else part} 응답 없음" if language == "ko" else f"{part} does not answer"
    return Condition(
        alarm=f"part:{part}",
        active=silent,
        severity=Severity.ALERT,
        text=text,
        reason=f"no report for {SILENCE_SECONDS:.0f} s" if silent else "it reports",
        at=at,
    )


def _vault_connected(report: Report | None) -> bool:
    vault = report.status.get("vault") if report is not None else None
    return bool(vault.get("connected")) if isinstance(vault, Mapping) else False

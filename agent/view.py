"""What the monitor shows on the bus, and the broker behind it where that is ours."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from agent import payloads
from agent.broker import EmbeddedBroker
from agent.bus import Bus, BusChanged, BusLogin
from agent.supervisor import Supervisor
from config.address import parse_bus
from config.model import Bus as BusSettings

_ALARM_FIELDS = ("state", "active", "severity", "text", "value", "limit", "reason")
_EVENT_FIELDS = (
    "id", "kind", "alarm", "state", "severity", "text", "value", "limit", "reason", "by", "note", "at",
)  # fmt: skip
# An unchanged reading is published again after this long: a listener sees that we live.
_REPEAT_SECONDS = 30.0
# Our own broker that cannot be used for this long although it runs is started anew.
_STUCK_SECONDS = 20.0


def login_of(settings: BusSettings) -> BusLogin:
    """Return how to reach a configured broker. Nothing is read yet."""
    address, password = parse_bus(settings.url), settings.password_file
    return BusLogin(address, settings.username, password, ca=settings.ca, cert=settings.cert, key=settings.key)


class View:
    """Publishes readings, alarms, events, replication and parts. Every method returns at once and never raises."""

    def __init__(self, settings: BusSettings, site: str, part: str, on_change: BusChanged) -> None:
        self._site = site
        self._on_change = on_change
        self._down_since: float | None = time.monotonic()
        self._shown: dict[str, tuple[object, float]] = {}
        login = login_of(settings)
        self.broker = EmbeddedBroker(login) if settings.embedded else None
        alive = payloads.part_payload(part, True, at=datetime.now(UTC)), payloads.part_payload(part, False)
        ready = self.broker.wait_ready if self.broker is not None else None
        self.bus = Bus(login, (payloads.topic(site, "part", part), *alive), self._bus_changed, ready)

    def add_to(self, supervisor: Supervisor, *, broker_stage: int, bus_stage: int) -> None:
        """Start what publishes; the broker must outlive the bus that says goodbye to it."""
        if self.broker is not None:
            supervisor.add("broker", self.broker.run, broker_stage)
            supervisor.add("broker-watch", self._watch, bus_stage)
        supervisor.add("bus-connection", self.bus.run, bus_stage)

    def reading(self, reading: msgspec.Struct) -> None:
        """Show a reading when it changed, and every half minute when it did not."""
        fields = payloads.fields_of(reading, "device", "point", "value", "unit", "quality", "at")
        seen = (fields["value"], str(fields["quality"]))
        topic = payloads.topic(self._site, "reading", fields["device"], fields["point"])
        shown, at = self._shown.get(topic, (None, 0.0))
        now = time.monotonic()
        if shown != seen or now - at >= _REPEAT_SECONDS:
            self._shown[topic] = (seen, now)
            if fields["quality"] == "lost":
                fields["value"] = None
            self.bus.put(topic, payloads.payload(fields), retain=True)

    def alarm(self, alarm: Mapping[str, Any]) -> None:
        """Show an alarm's state when it changed."""
        fields = {"alarm": alarm["id"], **{name: alarm[name] for name in _ALARM_FIELDS if name in alarm}}
        topic = payloads.topic(self._site, "alarm", str(fields["alarm"]))
        if self._shown.get(topic, (None, 0.0))[0] != fields:
            self._shown[topic] = (fields, time.monotonic())
            self.bus.put(topic, payloads.payload({**fields, "at": alarm["changed_at"]}), retain=True)

    def event(self, event: msgspec.Struct) -> None:
        """Show an event."""
        fields = payloads.fields_of(event, *_EVENT_FIELDS)
        fields["event"] = fields.pop("kind", None)
        topic = payloads.topic(self._site, "event", str(fields["id"]))
        self.bus.put(topic, payloads.payload(fields), retain=False)

    def replication(self, source: str, status: Mapping[str, Any]) -> None:
        """Show how far a source's copy is."""
        topic = payloads.topic(self._site, "replication", source)
        if self._shown.get(topic, (None, 0.0))[0] != status:
            self._shown[topic] = (dict(status), time.monotonic())
            fields = {**status, "source": source, "at": datetime.now(UTC)}
            self.bus.put(topic, payloads.payload(fields), retain=True)

    def part(self, part: str, up: bool, reason: str) -> None:
        """Show whether a part works."""
        topic = payloads.topic(self._site, "part", part)
        if self._shown.get(topic, (None, 0.0))[0] != (up, reason):
            self._shown[topic] = ((up, reason), time.monotonic())
            self.bus.put(topic, payloads.part_payload(part, up, reason, datetime.now(UTC)), retain=True)

    def _bus_changed(self, up: bool, reason: str) -> None:
        if up:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = time.monotonic()
        self._on_change(up, reason)

    async def _watch(self, stop: asyncio.Event) -> None:
        """Start our own broker anew when it runs and cannot be used."""
        while not stop.is_set():
            if self.broker is not None and self.broker.pid is not None and self._down_since is not None:
                if time.monotonic() - self._down_since > _STUCK_SECONDS:
                    self._down_since = time.monotonic()
                    self.broker.kill()
            else:
                self._down_since = None if self._down_since is None else time.monotonic()
            await _pause(stop, 1.0)


async def try_broker(login: BusLogin) -> None:
    """Connect once and leave again.

    Raises:
        BusError: the broker cannot be reached or refuses us.
        SecretError: the password's file cannot be used.
    """
    await Bus(login, ("", b"", b""), lambda _up, _reason: None).check()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return

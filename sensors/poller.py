"""Asks the devices of one link in turn, each when it is due."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import structlog

from sensors.clock import Clock
from sensors.device import Asked, Device
from sensors.errors import Failure, LinkDownError
from sensors.health import Health, next_ask
from sensors.link import Link
from sensors.reading import Quality, Reading
from sensors.silence import Verdict, verdicts

log = structlog.get_logger(__name__)

#: A device whose code raised something unexpected rests for so long.
ASIDE = 60.0
_LOOK_AGAIN = 1.0
_RETRY = 0.2


class Sink(Protocol):
    """Who takes what a poller finds. Called in the loop, quick, never raises."""

    def reading(self, reading: Reading) -> None:
        """A new reading."""
        ...

    def verdict(self, verdict: Verdict) -> None:
        """What holds for an automatic alarm, told as often as it is found."""
        ...

    def asked(self, device: str, failure: Failure | None) -> None:
        """A device was asked."""
        ...


class Poller:
    """One task per link: what one link suffers no other feels."""

    def __init__(self, link: Link, devices: Iterable[Device], sink: Sink, clock: Clock) -> None:
        self.link = link
        self.down: str | None = None
        self._devices = {device.id: device for device in devices}
        self._sink, self._clock = sink, clock
        start = clock.steady()
        self._due = dict.fromkeys(self._devices, start)
        self.healths = {
            name: Health(every=device.every, since=start, points=dict.fromkeys(device.points, 0))
            for name, device in self._devices.items()
        }

    async def run(self) -> None:
        """Poll until cancelled, then close the link."""
        try:
            while True:
                await self._next()
                for verdict in verdicts(self.link.id, self.healths, self.down, self._clock.steady()):
                    self._sink.verdict(verdict)
        finally:
            await self.link.close()

    async def _next(self) -> None:
        name = min(self._due, key=self._due.__getitem__)
        wait = self._due[name] - self._clock.steady()
        await asyncio.sleep(max(0.0, min(wait, _LOOK_AGAIN)))
        if wait <= _LOOK_AGAIN:
            await self._turn(self._devices[name], self.healths[name])

    async def _turn(self, device: Device, health: Health) -> None:
        due = self._due[device.id]
        health.aside_until = None
        try:
            asked = await device.read()
        except LinkDownError as error:
            self._link_down(error)
            return
        except Exception as error:  # noqa: BLE001 - set aside, logged and told
            self._set_aside(device, health, error)
        else:
            self.down = None
            self._settle(device, health, asked)
        self._due[device.id] = next_ask(due, self._clock.steady(), health)

    def _settle(self, device: Device, health: Health, asked: list[Asked]) -> None:
        now = self._clock.steady()
        errors = [each.error for each in asked if each.error is not None]
        if any(each.readings for each in asked) or any(error.failure is Failure.REFUSED for error in errors):
            health.answered(now)
        else:
            health.unanswered(now)
        self._sink.asked(device.id, errors[0].failure if errors else None)
        for each in asked:
            for reading in each.readings:
                self._take(health, reading, now)
            if each.error is not None:
                self._tell_lost(device, health.bad(each.points, now, str(each.error)), str(each.error))

    def _take(self, health: Health, reading: Reading, now: float) -> None:
        if reading.quality is Quality.GOOD:
            health.good((reading.point,), now)
        else:
            health.bad((reading.point,), now, reading.reason)
        self._sink.reading(reading)

    def _link_down(self, error: LinkDownError) -> None:
        """Nothing on the wire can be asked: every device of it has failed one ask."""
        self.down = str(error)
        now = self._clock.steady()
        retry = max(self.link.retry_at() or 0.0, now + _RETRY)
        for name, device in self._devices.items():
            health = self.healths[name]
            health.unanswered(now)
            self._sink.asked(name, Failure.LINK_DOWN)
            self._tell_lost(device, health.bad(tuple(device.points), now, str(error)), str(error))
            self._due[name] = retry

    def _set_aside(self, device: Device, health: Health, error: Exception) -> None:
        """A fault of ours or of the profile: the others go on, this one rests, and people hear of it."""
        now = self._clock.steady()
        health.reason = f"set aside for {ASIDE:g} s: {type(error).__name__}: {error}"
        health.aside_until = now + ASIDE
        self._sink.asked(device.id, Failure.FAULT)
        self._tell_lost(device, health.lose(set(device.points), now), health.reason)
        log.error("device_set_aside", device=device.id, seconds=ASIDE, exc_info=error)

    def _tell_lost(self, device: Device, points: set[str], reason: str) -> None:
        at = self._clock.now()
        for name in device.points:
            if name in points:
                unit = device.points[name].unit
                self._sink.reading(
                    Reading(
                        device=device.id, point=name, value=None, unit=unit, quality=Quality.LOST, at=at, reason=reason
                    )
                )

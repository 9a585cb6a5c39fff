"""The seam between a device and whoever polls it, and the Modbus device made from a profile."""

from datetime import datetime
from typing import Protocol

import msgspec

from config.model import Device as DeviceSettings
from sensors.clock import Clock
from sensors.errors import AskError, NoAnswerError
from sensors.link import Link, Pace
from sensors.plan import Block, plan, sync_request
from sensors.profile import Point, Profile, decode
from sensors.reading import Quality, Reading

#: Exceptions by which a gateway, not the device, speaks.
_GATEWAY_CODES = {10, 11}


class Asked(msgspec.Struct, frozen=True):
    """What one read of a device brought: readings, or the error and the points that it leaves without a value."""

    points: tuple[str, ...]
    readings: tuple[Reading, ...] = ()
    error: AskError | None = None


class Device(Protocol):
    """One device on a link.

    `read` asks once for every point, each point in exactly one `Asked`; it never tries twice. A device that does not
    answer its first question is not asked the others in the same read. Cancelling is safe.
    """

    id: str
    every: float
    points: dict[str, Point]

    async def read(self) -> list[Asked]:
        """Ask for all points.

        Raises:
            LinkDownError: the wire is not there.
        """
        ...


class ModbusDevice:
    """A device described by a profile."""

    def __init__(self, settings: DeviceSettings, profile: Profile, link: Link, *, timeout: float, clock: Clock) -> None:
        self.id = settings.id
        self.every = settings.every.total_seconds()
        self.points = {point.name: point for point in profile.point}
        self._link, self._clock = link, clock
        blocks = plan(profile, settings.unit)
        self._pace = Pace(
            max(timeout, profile.timing.timeout_ms / 1000), profile.timing.pause_ms / 1000, sync_request(blocks)
        )
        self._failures = dict.fromkeys(blocks, 0)

    async def read(self) -> list[Asked]:
        """Ask for all blocks, the ones that answered last first; see Device."""
        asked: list[Asked] = []
        silent: AskError | None = None
        for block in sorted(self._failures, key=self._failures.__getitem__):
            result = _failed(block, silent) if silent else await self._ask(block)
            self._failures[block] = self._failures[block] + 1 if result.error else 0
            if isinstance(result.error, NoAnswerError) and not any(earlier.readings for earlier in asked):
                silent = result.error
            asked.append(result)
        return [self._doubted(each, asked) for each in asked]

    async def _ask(self, block: Block) -> Asked:
        try:
            values = await self._link.ask(block.request, self._pace)
        except AskError as error:
            code = getattr(error, "code", None)
            return _failed(block, NoAnswerError(str(error), hint=error.hint) if code in _GATEWAY_CODES else error)
        at = self._clock.now()
        readings = (self._reading(point, *decode(point, block.words_of(point, values)), at) for point in block.points)
        return Asked(_names(block), tuple(readings))

    def _reading(self, point: Point, value: float | bool | None, reason: str, at: datetime) -> Reading:
        quality = Quality.BAD if value is None else Quality.GOOD
        return Reading(
            device=self.id, point=point.name, value=value, unit=point.unit, quality=quality, at=at, reason=reason
        )

    def _doubted(self, asked: Asked, everything: list[Asked]) -> Asked:
        """Make readings bad that a fault point of the device says are not to be believed."""
        true = {reading.point for each in everything for reading in each.readings if reading.value is True}
        return msgspec.structs.replace(
            asked, readings=tuple(self._checked(reading, true) for reading in asked.readings)
        )

    def _checked(self, reading: Reading, true: set[str]) -> Reading:
        faults = [fault for fault in self.points[reading.point].faults if fault in true]
        if not faults or reading.value is True or reading.value is None:
            return reading
        reason = f"the device reports {', '.join(faults)}"
        return msgspec.structs.replace(reading, value=None, quality=Quality.BAD, reason=reason)


def _names(block: Block) -> tuple[str, ...]:
    return tuple(point.name for point in block.points)


def _failed(block: Block, error: AskError) -> Asked:
    return Asked(_names(block), error=error)

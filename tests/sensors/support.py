"""What the tests of the sensors share: waiting, configurations, wires that answer by script."""

import asyncio
import contextlib
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from alerts.condition import Condition
from config.address import LinkAddress, parse_link
from config.model import Config
from sensors.clock import Clock
from sensors.exchange import ModbusLink, open_link
from sensors.link import Pace, Request
from sensors.modbus import RtuCodec
from sensors.reading import Quality, Reading
from sensors.room import Room
from sensors.simulator import Scenario, parse_scenario
from sensors.wire import TcpWire

LIMIT = 30.0
START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
SITE = '[site]\nid = "room"\nname = "시험전산실"\nstate = "/tmp"\n'
Reply = Callable[[bytes, Callable[[bytes], None]], Awaitable[None]]


async def until(fact: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Wait for a fact, never for the clock."""
    end = time.monotonic() + limit
    while not fact():
        assert time.monotonic() < end, f"after {limit:.0f} s still not so: {what}"
        await asyncio.sleep(0.01)


def make_config(text: str) -> Config:
    """A configuration of this text, with a site before it."""
    return Config.model_validate(tomllib.loads(SITE + text))


def pace(unit: int = 1, timeout: float = 5.0, sync: Request | None = None) -> Pace:
    """How a device is asked in tests, with a time-out that a loaded machine does not reach.

    The sync reads one register at 1, which the reads of tests do not.
    """
    return Pace(timeout, 0.0, sync or Request(unit, 4, 1, 1))


def reading(point: str, value: float | bool | None, quality: Quality = Quality.GOOD, unit: str = "°C") -> Reading:
    """A reading of `device.point` at START."""
    device, _, name = point.partition(".")
    return Reading(device=device, point=name, value=value, unit=unit, quality=quality, at=START)


class HandClock(Clock):
    """Clocks that are set by hand."""

    def __init__(self) -> None:
        self.wall, self.ticks = START, 100.0

    def now(self) -> datetime:
        """The wall's time."""
        return self.wall

    def steady(self) -> float:
        """The steady time."""
        return self.ticks

    def pass_(self, seconds: float) -> None:
        """Let time pass on both."""
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds


class ScriptedWire:
    """A TCP server that hands each chunk it reads to a script; the script sends what it likes."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def open(self, port: int = 0) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._client, "127.0.0.1", port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop everybody."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(task for task in self._writers.values() if task), return_exceptions=True)
        await self._server.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers[writer] = asyncio.current_task()
        try:
            while data := await reader.read(4096):
                await self.reply(data, writer.write)
        except ConnectionError:
            pass
        finally:
            del self._writers[writer]
            writer.close()


@contextlib.asynccontextmanager
async def scripted(reply: Reply, port: int = 0) -> AsyncIterator[ScriptedWire]:
    """A scripted wire while the block runs."""
    wire = ScriptedWire(reply)
    await wire.open(port)
    try:
        yield wire
    finally:
        await wire.close()


@contextlib.asynccontextmanager
async def linked(url: str | LinkAddress) -> AsyncIterator[ModbusLink]:
    """A link of that address, closed at the end."""
    link = open_link("wire", parse_link(url) if isinstance(url, str) else url)
    try:
        yield link
    finally:
        await link.close()


def quick_rtu(port: int) -> ModbusLink:
    """An RTU link over TCP without the silences of a real line, for tests of thousands of reads."""

    async def connect() -> TcpWire:
        return await TcpWire.open("127.0.0.1", port, 5.0)

    return ModbusLink("wire", RtuCodec(), connect, gap=0.0, character=0.0, patience=1000)


def one_device(kind: str, *, profile: str = "xy-md02", start: str = "temperature = 24.5, humidity = 40.0") -> Scenario:
    """A scenario of one wire `wire` with one device `rack1`."""
    return parse_scenario(
        f'name = "one"\n[[link]]\nid = "wire"\nkind = "{kind}"\n'
        f'[[device]]\nid = "rack1"\nlink = "wire"\nprofile = "{profile}"\nstart = {{ {start} }}\n'
    )


class Watched:
    """A room that runs, and what it told."""

    def __init__(self, config: Config, state: Path) -> None:
        self.conditions: list[Condition] = []
        self.readings: list[Reading] = []
        self.refuse = False
        self.registry = CollectorRegistry()
        self.room = Room(
            config, on_reading=self.readings.append, on_condition=self._take, state=state, registry=self.registry
        )
        self.stop = asyncio.Event()

    def active(self) -> set[str]:
        """The alarms that hold now."""
        last = {condition.alarm: condition.active for condition in self.conditions}
        return {alarm for alarm, active in last.items() if active}

    def told(self, alarm: str, *, active: bool = True) -> int:
        """How often an alarm was told."""
        return sum(each.alarm == alarm and each.active is active for each in self.conditions)

    def value(self, point: str) -> float | bool | None:
        """The newest value of a point."""
        return next((r.value for r in reversed(self.readings) if r.name == point), None)

    def sample(self, family: str, device: str = "rack1", point: str = "temperature") -> float | None:
        """A point's sample as Prometheus sees it."""
        return self.registry.get_sample_value(family, {"device": device, "point": point})

    def _take(self, condition: Condition) -> None:
        if self.refuse:
            raise OSError("disk full")
        self.conditions.append(condition)


@contextlib.asynccontextmanager
async def watching(config: Config, state: Path) -> AsyncIterator[Watched]:
    """A room that runs while the block does."""
    watched = Watched(config, state)
    task = asyncio.create_task(watched.room.run(watched.stop))
    try:
        yield watched
    finally:
        watched.stop.set()
        await task

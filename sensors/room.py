"""The room: every link's poller, the newest readings, the rules, and how all of it is."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from alerts.condition import Condition
from config.address import parse_link
from config.model import Config
from sensors.clock import Clock
from sensors.device import ModbusDevice
from sensors.errors import Failure, SensorError
from sensors.exchange import open_link
from sensors.metrics import SensorMetrics
from sensors.poller import Poller
from sensors.probe import Trial, try_links
from sensors.profiles import load_profile
from sensors.reading import Reading
from sensors.rulestore import RuleStore
from sensors.silence import Verdict
from sensors.teller import Teller
from sensors.watch import Watch

log = structlog.get_logger(__name__)

STATE_FILE = "rules.sqlite"


class PartHealth(msgspec.Struct, frozen=True):
    """How one part is: `link:ID`, `device:ID` or `rules`.

    Attributes:
        name: the part.
        up: True when it works; a device that was not yet asked three times is not down.
        reason: why it is not up, or what is wrong with it although it is.
    """

    name: str
    up: bool
    reason: str


class Room:
    """Watches all devices of a configuration.

    `on_reading` is called in the loop for every answer and for every point that is lost; it must be quick.
    `on_condition` is called in a worker thread, one call at a time, after the rule's state is on disk; what it raises
    is logged and the condition is told again each second until it is taken.
    """

    def __init__(
        self,
        config: Config,
        *,
        on_reading: Callable[[Reading], None],
        on_condition: Callable[[Condition], None],
        state: Path,
        registry: CollectorRegistry,
        clock: Clock | None = None,
    ) -> None:
        """Build it; nothing is opened but the state file.

        Args:
            config: the whole configuration.
            on_reading: takes readings.
            on_condition: takes conditions.
            state: the state directory, or the file of the rules' state itself.
            registry: for the metrics.
            clock: the two clocks; the real ones when not given.

        Raises:
            ProfileError: a device's profile is not known.
            SensorError: the state file cannot be opened.
        """
        self._config, self._on_reading = config, on_reading
        self._clock = clock or Clock()
        self._newest: dict[str, Reading] = {}
        self._deaf = ""
        self._profiles = {device.id: load_profile(device.profile) for device in config.device}
        self._metrics = SensorMetrics(registry)
        self._metrics.expect(self._profiles)
        units = {f"{name}.{p.name}": p.unit for name, profile in self._profiles.items() for p in profile.point}
        self._store = _open_store(state / STATE_FILE if state.is_dir() else state)
        self._teller = Teller(self._store, on_condition)
        self._watch = Watch(config.alarm, units, self._teller, self._clock, config.site.language)
        self._pollers = [self._poller(link.id, link.url) for link in config.link]

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set, then close all links and tell what is still to be told. Runs once."""
        try:
            known = [alarm.id for alarm in self._config.alarm]
            self._watch.restore(await asyncio.to_thread(self._store.load, known))
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._teller.run(), name="teller")]
                tasks += [group.create_task(p.run(), name=p.link.id) for p in self._pollers if p.healths]
                await stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            await self._teller.flush()
            self._teller.close()
            await asyncio.to_thread(self._store.close)

    def readings(self) -> list[Reading]:
        """The newest reading of each point that was read or lost, in the configuration's order."""
        names = [f"{device}.{p.name}" for device, profile in self._profiles.items() for p in profile.point]
        return [self._newest[name] for name in names if name in self._newest]

    def parts(self) -> list[PartHealth]:
        """How each link and device is, and the rules' way to disk and desk."""
        parts = []
        for poller in self._pollers:
            parts.append(PartHealth(f"link:{poller.link.id}", poller.down is None, poller.down or ""))
            for name, health in poller.healths.items():
                parts.append(PartHealth(f"device:{name}", not health.lost, health.reason if health.lost else ""))
        return [*parts, PartHealth("rules", not self._teller.trouble, self._teller.trouble)]

    async def try_all(self) -> list[Trial]:
        """Open each link and read each device once; not while `run` holds the ports."""
        return await try_links(self._config)

    def reading(self, reading: Reading) -> None:
        """Take a reading from a poller."""
        self._newest[reading.name] = reading
        self._metrics.take(reading)
        self._watch.take(reading)
        try:
            self._on_reading(reading)
        except Exception as error:  # whoever looks on must not stop the watching
            if str(error) != self._deaf:
                log.exception("reading_not_taken", point=reading.name)
            self._deaf = str(error)

    def verdict(self, verdict: Verdict) -> None:
        """Take a poller's finding about silence."""
        self._watch.verdict(verdict)

    def asked(self, device: str, failure: Failure | None) -> None:
        """Count an ask."""
        self._metrics.asked(device, failure)

    def _poller(self, name: str, url: str) -> Poller:
        link = open_link(name, parse_link(url))
        settings = next(each for each in self._config.link if each.id == name)
        devices = [
            ModbusDevice(
                device,
                self._profiles[device.id],
                link,
                timeout=settings.timeout.total_seconds(),
                clock=self._clock,
            )
            for device in self._config.device
            if device.link == name
        ]
        return Poller(link, devices, self, self._clock)


def _open_store(path: Path) -> RuleStore:
    try:
        return RuleStore(path)
    except Exception as error:
        hint = f"the service's user must be able to write in {path.parent}"
        raise SensorError(f"open rule state {path}: {error}", hint=hint) from error

"""Opens a scenario's wires and plays its steps."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

from config.address import Listen, parse_listen
from config.errors import FieldError
from config.fields import parse_duration
from sensors.errors import ScenarioError
from sensors.profiles import load_profile
from sensors.simulator.device import SimulatedDevice
from sensors.simulator.scenario import Fault, LinkPlan, Scenario, StepPlan, load_scenario
from sensors.simulator.server import SimulatedWire

_FRAME = 0.1


class Simulated:
    """A scenario that is being played.

    Attributes:
        addresses: the URL of each link, as the configuration wants it.
        wires: the links, by id.
        devices: the devices, by id.
        done: set when the last step is over; the values then stay.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.devices = {
            plan.id: SimulatedDevice(plan.id, plan.unit, load_profile(plan.profile), plan.start)
            for plan in scenario.device
        }
        self.wires = {link.id: SimulatedWire(link, self._on(link)) for link in scenario.link}
        self.done = asyncio.Event()
        self._playing: asyncio.Task[None] | None = None

    @property
    def addresses(self) -> dict[str, str]:
        """The URL of each link."""
        return {name: wire.url for name, wire in self.wires.items()}

    def set(self, device: str, point: str, value: float | bool) -> None:
        """Give a point a value from now on."""
        self.devices[device].values[point] = value

    def fault(self, device: str, fault: Fault) -> None:
        """Begin a fault, or end it with `Fault.NONE`."""
        self.devices[device].fault = fault

    def config_text(self) -> str:
        """The links and devices as they belong in a configuration file."""
        links = [f'[[link]]\nid = "{name}"\nurl = "{url}"\n' for name, url in self.addresses.items()]
        devices = [
            f'[[device]]\nid = "{plan.id}"\nlink = "{plan.link}"\nprofile = "{plan.profile}"\n'
            f'unit = {plan.unit}\nevery = "1s"\n'
            for plan in self.scenario.device
        ]
        return "\n".join(links + devices)

    async def open(self, listen: Listen) -> None:
        """Open all wires: those over TCP on ports counted up from the one given, or each on one that is free for 0."""
        port = listen.port
        for wire in self.wires.values():
            await wire.open(listen.host, port)
            port += 1 if port and wire.plan.kind != "serial" else 0

    def begin(self) -> None:
        """Play the steps from now on; once."""
        if self._playing is None:
            self._playing = asyncio.create_task(self._play())

    async def _play(self) -> None:
        async with asyncio.TaskGroup() as group:
            for step in self.scenario.step:
                group.create_task(self._step(step))
        self.done.set()

    async def close(self) -> None:
        """Stop playing and close all wires."""
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        for wire in self.wires.values():
            await wire.close()

    async def _step(self, step: StepPlan) -> None:
        await asyncio.sleep(parse_duration(step.at).total_seconds())
        if step.fault is not None:
            self.fault(step.device, step.fault)
        if step.point is not None and step.to is not None:
            await self._move(step.device, step.point, step.to, parse_duration(step.over).total_seconds())

    async def _move(self, device: str, point: str, to: float | bool, over: float) -> None:
        start = self.devices[device].values[point]
        frames = int(over / _FRAME)
        for frame in range(1, frames):
            await asyncio.sleep(_FRAME)
            self.set(device, point, start + (to - start) * frame / frames)
        self.set(device, point, to)

    def _on(self, link: LinkPlan) -> dict[int, SimulatedDevice]:
        return {plan.unit: self.devices[plan.id] for plan in self.scenario.device if plan.link == link.id}


@contextlib.asynccontextmanager
async def simulate(
    scenario: Scenario | str, listen: str = "127.0.0.1:0", *, begin: bool = True
) -> AsyncIterator[Simulated]:
    """Play a scenario while the block runs.

    Args:
        scenario: one that was loaded, or the name of a shipped one, or a path.
        listen: `HOST:PORT`; port 0 lets the system choose one for each link.
        begin: whether the steps are played at once, or when `begin()` is called.

    Raises:
        ScenarioError: it is not usable, or its address is wrong or in use.
    """
    simulated = Simulated(load_scenario(scenario) if isinstance(scenario, str) else scenario)
    try:
        try:
            await simulated.open(parse_listen(listen))
        except OSError as error:
            hint = "end what listens there, or choose another port; 0 takes a free one"
            cause = os.strerror(error.errno) if error.errno else str(error)
            raise ScenarioError(f"listen on {listen}: {cause}", hint=hint) from error
        except FieldError as error:
            raise ScenarioError(f"listen: {error.text}", hint=error.hint) from error
        if begin:
            simulated.begin()
        yield simulated
    finally:
        await simulated.close()


async def run(scenario: str, listen: str, tell: Callable[[str], object] = sys.stdout.write) -> None:
    """Play a scenario until cancelled, after telling what to put into the configuration."""
    async with simulate(scenario, listen) as simulated:
        tell(
            f"# {simulated.scenario.name}: put this into your configuration; Ctrl-C ends it\n{simulated.config_text()}"
        )
        sys.stdout.flush()
        await asyncio.Event().wait()


def main_run(scenario: str, listen: str) -> None:
    """Play a scenario in the foreground until Ctrl-C or SIGTERM."""

    async def main() -> None:
        task = asyncio.ensure_future(run(scenario, listen))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())

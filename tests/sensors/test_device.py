"""A device made from a profile: what one read costs and brings."""

import asyncio

from config.model import Device
from sensors.clock import Clock
from sensors.device import ModbusDevice
from sensors.errors import RefusedError
from sensors.exchange import ModbusLink
from sensors.profiles import load_profile
from sensors.simulator import Fault, Simulated, simulate
from tests.sensors.support import linked, one_device, until

METER = "eastron-sdm120"


def meter(link: ModbusLink, timeout: float = 5.0) -> ModbusDevice:
    """An energy meter: three reads for its seven points."""
    settings = Device(id="rack1", link="wire", profile=METER)
    return ModbusDevice(settings, load_profile(METER), link, timeout=timeout, clock=Clock())


def simulated_meter() -> Simulated:
    """The meter on a simulated wire."""
    return Simulated(one_device("tcp", profile=METER, start="voltage = 230.5, frequency = 60.0"))


def test_one_read_brings_every_point() -> None:
    """Seven points come in three asks, each point once, all good."""

    async def scenario() -> None:
        async with simulate(simulated_meter().scenario) as simulated, linked(simulated.addresses["wire"]) as link:
            asked = await meter(link).read()
            assert simulated.devices["rack1"].asked == 3
            values = {reading.point: reading.value for each in asked for reading in each.readings}
            assert len(values) == 7
            assert (values["voltage"], values["frequency"], values["power"]) == (230.5, 60.0, 0.0)
            assert [each.error for each in asked] == [None] * 3

    asyncio.run(scenario())


def test_a_silent_device_costs_one_timeout_a_read() -> None:
    """A device that does not answer its first question is not asked the others; all its points are told."""

    async def scenario() -> None:
        async with simulate(simulated_meter().scenario) as simulated, linked(simulated.addresses["wire"]) as link:
            simulated.fault("rack1", Fault.SILENT)
            device = meter(link, timeout=0.05)
            asked = await device.read()
            await until(lambda: simulated.devices["rack1"].asked > 0, "the question is there")
            assert simulated.devices["rack1"].asked == 1
            assert all(each.error is not None for each in asked)
            assert {point for each in asked for point in each.points} == set(device.points)

    asyncio.run(scenario())


def test_one_refused_read_does_not_stop_the_others() -> None:
    """A device that refuses one read still brings the points of the others."""

    async def scenario() -> None:
        async with simulate(simulated_meter().scenario) as simulated, linked(simulated.addresses["wire"]) as link:
            meter_itself = simulated.devices["rack1"]
            real = meter_itself.answer
            refuse = bytes([4, 0, 30])

            def partly(message: bytes) -> bytes:
                return bytes([0x84, 2]) if message[:3] == refuse else real(message)

            meter_itself.answer = partly  # type: ignore[method-assign]
            asked = await meter(link).read()
            refused = [each for each in asked if isinstance(each.error, RefusedError)]
            assert [each.points for each in refused] == [("power_factor",)]
            assert sum(len(each.readings) for each in asked) == 6

    asyncio.run(scenario())

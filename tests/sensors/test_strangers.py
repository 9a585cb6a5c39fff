"""Modbus servers that are not ours."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from sensors.probe import try_links
from sensors.simulator import simulate
from tests.sensors.support import make_config, one_device, until, watching
from tests.support.modbus import ModbusServer
from tests.support.ports import free_port

DEVICE = '[[device]]\nid = "rack1"\nlink = "wire"\nprofile = "xy-md02"\nevery = "100ms"\n'


def test_a_strangers_server_is_polled(tmp_path: Path) -> None:
    """Pymodbus' own server is read, its change is seen, its death is told, and its return too."""
    server = ModbusServer(free_port(), registers={1: 251, 2: 480})
    config = make_config(f'[[link]]\nid = "wire"\nurl = "tcp://127.0.0.1:{server.port}"\n{DEVICE}')

    async def scenario() -> None:
        async with watching(config, tmp_path) as seen:
            await until(lambda: seen.value("rack1.temperature") == 25.1, "its value is read")
            assert seen.value("rack1.humidity") == 48.0
            await asyncio.to_thread(server.set, 1, 356)
            await until(lambda: seen.value("rack1.temperature") == 35.6, "its change is read")
            await asyncio.to_thread(server.close)
            await until(lambda: "link:wire" in seen.active(), "its death is told")
            server.open()
            await until(lambda: not seen.active(), "its return is told")
            await until(lambda: seen.value("rack1.temperature") == 25.1, "its value is read again")

    try:
        asyncio.run(scenario())
    finally:
        server.close()


@pytest.mark.parametrize(("kind", "framer"), [("tcp", FramerType.SOCKET), ("rtu+tcp", FramerType.RTU)])
def test_a_stranger_reads_our_simulator(kind: str, framer: FramerType) -> None:
    """Pymodbus' own client reads the simulated devices: what we test against is Modbus to others too."""

    async def scenario() -> None:
        async with simulate(one_device(kind)) as simulated:
            address = urlsplit(simulated.addresses["wire"])
            client = AsyncModbusTcpClient(address.hostname or "", port=address.port or 0, framer=framer, timeout=10)
            assert await client.connect()
            answer = await client.read_input_registers(1, count=2, device_id=1)
            assert list(answer.registers) == [245, 400]
            refused = await client.read_input_registers(900, count=2, device_id=1)
            assert refused.isError()
            client.close()

    asyncio.run(scenario())


def test_a_trial_reads_each_device_once() -> None:
    """Trying shows the values of what answers, and the cause and a hint of what does not."""
    server = ModbusServer(free_port(), registers={1: 251, 2: 480})
    config = make_config(
        f'[[link]]\ntimeout = "10s"\nid = "wire"\nurl = "tcp://127.0.0.1:{server.port}"\n{DEVICE}'
        + DEVICE.replace("rack1", "meter").replace("xy-md02", "eastron-sdm120")
        + '[[link]]\nid = "gone"\nurl = "serial:///dev/bongsu-is-not-there"\n'
        + DEVICE.replace("rack1", "far").replace("wire", "gone")
    )
    try:
        trials = {trial.name: trial for trial in asyncio.run(try_links(config))}
    finally:
        server.close()
    assert trials["device:rack1"].ok
    assert trials["device:rack1"].text == "temperature 25.1°C, humidity 48%"
    assert not trials["device:meter"].ok
    assert not trials["device:far"].ok
    assert "plugged in" in trials["device:far"].hint

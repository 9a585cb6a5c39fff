"""Wires that go away and come back: nobody has to restart anything."""

import asyncio
import os
import threading
import tty
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from config.address import LinkAddress
from sensors import serial_line
from sensors.errors import AskError, LinkDownError
from sensors.exchange import _LAST_RETRY
from sensors.link import Request
from sensors.profiles import load_profile
from sensors.simulator import simulate
from sensors.simulator.device import SimulatedDevice
from sensors.simulator.scenario import LinkPlan
from sensors.simulator.server import SimulatedWire
from tests.sensors.support import linked, one_device, pace, scripted, until
from tests.sensors.test_link_contract import ask_until_right
from tests.support.ports import free_port

BOTH = Request(1, 4, 1, 2)
TCP_ANSWER = "01 04 04 00 f5 01 90"


@pytest.mark.parametrize("kind", ["tcp", "rtu+tcp"])
def test_a_gateway_that_restarts(kind: str) -> None:
    """A gateway that drops its connections is asked again over a new one."""

    async def scenario() -> None:
        async with simulate(one_device(kind)) as simulated, linked(simulated.addresses["wire"]) as link:
            assert await link.ask(BOTH, pace()) == (245, 400)
            simulated.wires["wire"].hang_up()
            assert await ask_until_right(link) == (245, 400)

    asyncio.run(scenario())


def test_a_gateway_that_is_away_for_a_while() -> None:
    """While nobody listens each ask says so; the waits between tries grow and stay under five seconds."""

    async def reply(data: bytes, send: Callable[[bytes], None]) -> None:
        send(data[:4] + bytes.fromhex("00 07" + TCP_ANSWER))

    async def scenario() -> None:
        async with scripted(reply, free_port()) as wire, linked(f"tcp://127.0.0.1:{wire.port}") as link:
            assert await link.ask(BOTH, pace()) == (245, 400)
            await wire.close()
            delays = []
            for _ in range(8):
                link._retry_at = 0.0
                with pytest.raises(LinkDownError):
                    await link.ask(BOTH, pace())
                delays.append(link._delay)
            assert delays == sorted(delays)
            assert delays[-1] == _LAST_RETRY
            await wire.open()
            link._retry_at = 0.0
            assert await ask_until_right(link) == (245, 400)
            assert link.retry_at() is None

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["tcp", "rtu+tcp"])
def test_a_connection_that_is_dead_without_a_word(kind: str) -> None:
    """On a connection that swallows questions the third one without an answer opens a new connection."""

    async def scenario() -> None:
        async def swallow(data: bytes, send: Callable[[bytes], None]) -> None:
            pass

        async with scripted(swallow) as wire, linked(f"{kind}://127.0.0.1:{wire.port}") as link:
            for _ in range(4):
                with pytest.raises(AskError):
                    await link.ask(BOTH, pace(timeout=0.02))
            await until(lambda: wire.connections > 1, "a new connection")
            assert wire.connections == 2

    asyncio.run(scenario())


def test_a_serial_adapter_that_is_pulled_and_plugged(tmp_path: Path) -> None:
    """The port vanishes and comes back as another terminal under the same name: the link finds it by itself."""
    port = tmp_path / "ttyUSB0"

    async def plugged() -> SimulatedWire:
        scenario = one_device("serial")
        plan = scenario.device[0]
        device = SimulatedDevice(plan.id, plan.unit, load_profile(plan.profile), plan.start)
        wire = SimulatedWire(LinkPlan("wire", "serial"), {1: device})
        await wire.open("", 0)
        port.unlink(missing_ok=True)
        port.symlink_to(wire.url.removeprefix("serial://").partition("?")[0])
        return wire

    async def scenario() -> None:
        wire = await plugged()
        async with linked(f"serial://{port}?baud=9600&parity=E") as link:
            assert await link.ask(BOTH, pace()) == (245, 400)
            await wire.close()
            with pytest.raises((LinkDownError, AskError)):
                await link.ask(BOTH, pace())
            port.unlink()
            link._retry_at = 0.0
            with pytest.raises(LinkDownError):
                await link.ask(BOTH, pace())
            wire = await plugged()
            assert await ask_until_right(link) == (245, 400)
        await wire.close()

    asyncio.run(scenario())


def test_the_port_is_ours_alone() -> None:
    """A second program that opens the same port is refused, and hears who could hold it."""

    async def scenario() -> None:
        async with simulate(one_device("serial")) as simulated:
            url = simulated.addresses["wire"]
            async with linked(url) as link, linked(url) as other:
                assert await link.ask(BOTH, pace()) == (245, 400)
                with pytest.raises(LinkDownError) as caught:
                    await other.ask(BOTH, pace())
                assert "fuser" in caught.value.hint
                await link.close()
                other._retry_at = 0.0
                assert await ask_until_right(other) == (245, 400)

    asyncio.run(scenario())


def test_a_line_that_never_falls_silent() -> None:
    """A line on which bytes come without end is an error within a bounded time, not an ask that hangs."""

    async def scenario() -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)

        async def babble() -> None:
            while True:
                os.write(master, b"\x00\xff")
                await asyncio.sleep(0.005)

        babbling = asyncio.create_task(babble())
        async with linked(f"serial://{os.ttyname(slave)}?baud=9600") as link:
            for _ in range(2):
                with pytest.raises(AskError):
                    await link.ask(BOTH, pace(timeout=0.05))
        babbling.cancel()
        await asyncio.gather(babbling, return_exceptions=True)
        os.close(master)
        os.close(slave)

    asyncio.run(scenario())


def test_an_adapter_whose_driver_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An opening that does not come back is a wire that is down, and the port is given back when it comes late."""
    gate, opened = threading.Event(), list[serial.Serial]()
    really = serial_line._open

    def late(address: LinkAddress) -> serial.Serial:
        gate.wait()
        opened.append(really(address))
        return opened[-1]

    async def scenario() -> None:
        async with simulate(one_device("serial")) as simulated:
            with monkeypatch.context() as patch:
                patch.setattr(serial_line, "_OPENING", 0.05)
                patch.setattr(serial_line, "_open", late)
                async with linked(simulated.addresses["wire"]) as hanging:
                    with pytest.raises(LinkDownError, match="not open after"):
                        await hanging.ask(BOTH, pace())
                gate.set()
                await until(lambda: opened and not opened[0].is_open, "the late port is closed")
            async with linked(simulated.addresses["wire"]) as link:
                assert await ask_until_right(link) == (245, 400)

    try:
        asyncio.run(scenario())
    finally:
        gate.set()

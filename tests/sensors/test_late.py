"""The fault of RTU that shows humidity as temperature: an answer that comes late must never be another register's."""

import asyncio
import random
import time
from collections.abc import Callable

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from sensors.errors import AskError
from sensors.link import Request
from sensors.simulator.server import check_sum
from sensors.wire import TcpWire
from tests.sensors.support import pace, quick_rtu, scripted

READS = 10_000
LATES = 40
SYNC = Request(1, 4, 0, 7)


class LateDevice:
    """Answers each register with its own address; what is late comes with, after or long after the next question."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.owed: list[bytes] = []
        self.late = 0
        self._received = b""

    async def reply(self, data: bytes, send: Callable[[bytes], None]) -> None:
        """Answer in order, as a device does."""
        self._received += data
        while len(self._received) >= 8:
            frame, self._received = self._received[:8], self._received[8:]
            self.owed.append(_answer(frame))
            if self.late < LATES and self.chance.random() < 3 * LATES / READS:
                self.late += 1
                continue
            for answer in self.owed:
                send(answer)
            self.owed.clear()


def _answer(frame: bytes) -> bytes:
    address, count = int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
    data = b"".join(n.to_bytes(2, "big") for n in range(address, address + count))
    body = frame[:2] + bytes([len(data)]) + data
    return body + check_sum(body)


def test_no_late_answer_is_another_registers() -> None:
    """In 10,000 reads of different registers, 40 of them answered only after the next question, none is wrong."""

    async def scenario() -> None:
        device = LateDevice(seed=20260101)
        good = failed = 0
        async with scripted(device.reply) as wire:
            link = quick_rtu(wire.port)
            for n in range(READS):
                request = Request(1, 4, 100 + 2 * (n % 50), 2)
                try:
                    words = await link.ask(request, pace(timeout=0.05, sync=SYNC))
                except AskError:
                    failed += 1
                else:
                    assert words == (request.pdu, request.pdu + 1), f"read {n} brought another register"
                    good += 1
            await link.close()
        assert device.late == LATES
        assert good > READS / 2, f"{failed} reads failed"

    asyncio.run(scenario())


def test_the_line_is_silent_before_the_next_question() -> None:
    """After a time-out nothing is asked, also no neighbour, until the line was silent for a whole time-out more."""
    drain = 0.2

    async def scenario() -> None:
        asked: list[float] = []

        async def reply(data: bytes, send: Callable[[bytes], None]) -> None:
            asked.append(time.monotonic())
            if len(asked) > 1:
                send(_answer(data))

        async with scripted(reply) as wire:
            link = quick_rtu(wire.port)
            began = time.monotonic()
            slow = asyncio.ensure_future(link.ask(Request(1, 4, 100, 2), pace(timeout=drain, sync=SYNC)))
            await asyncio.gather(slow, return_exceptions=True)
            assert isinstance(slow.exception(), AskError)
            assert await link.ask(Request(2, 4, 200, 2), pace(unit=2)) == (200, 201)
            await link.close()
        assert asked[1] - began >= 2 * drain

    asyncio.run(scenario())


def test_what_comes_late_starts_the_silence_anew() -> None:
    """While an answer is owed the line is busy for one time-out after its last byte, else only for t3.5."""

    async def scenario() -> None:
        link = quick_rtu(0)
        link._gap, link._drain_from, link._drain_for = 0.004, 100.0, 0.5
        wire = TcpWire()
        assert link._busy_until(wire) == 100.5
        wire.inbox.heard_at = 100.4
        assert link._busy_until(wire) == 100.9
        link._drain_for = 0.0
        assert link._busy_until(wire) == pytest.approx(100.404)

    asyncio.run(scenario())


class HeldBack:
    """Answers the first question only after the second has come, and then both in order."""

    def __init__(self) -> None:
        self.owed: bytes | None = None

    async def reply(self, data: bytes, send: Callable[[bytes], None]) -> None:
        """Hold the first answer back."""
        if self.owed is None:
            self.owed = _answer(data)
            return
        send(self.owed)
        self.owed = b""
        send(_answer(data))


def test_the_librarys_own_client_shows_another_register() -> None:
    """The fault is real: pymodbus' client takes the held-back answer for the second question's."""

    async def scenario() -> None:
        async with scripted(HeldBack().reply) as wire:
            client = AsyncModbusTcpClient("127.0.0.1", port=wire.port, framer=FramerType.RTU, timeout=0.05, retries=0)
            assert await client.connect()
            with pytest.raises(ModbusIOException):
                await client.read_input_registers(100, count=2, device_id=1)
            client.ctx.comm_params.timeout_connect = 20.0
            answer = await client.read_input_registers(200, count=2, device_id=1)
            client.close()
        assert list(answer.registers) == [100, 101]

    asyncio.run(scenario())


def test_an_answer_that_comes_during_the_next_read() -> None:
    """The first answer comes in the middle of the read after it: it is dropped, and the second is the right one."""

    async def scenario() -> None:
        async with scripted(HeldBack().reply) as wire:
            link = quick_rtu(wire.port)
            slow = asyncio.ensure_future(link.ask(Request(1, 4, 100, 2), pace(timeout=0.05, sync=SYNC)))
            await asyncio.gather(slow, return_exceptions=True)
            assert isinstance(slow.exception(), AskError)
            assert await link.ask(Request(1, 4, 200, 2), pace(timeout=20.0, sync=SYNC)) == (200, 201)
            await link.close()

    asyncio.run(scenario())

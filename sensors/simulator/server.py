"""Simulated wires, byte by byte: Modbus TCP, RTU over TCP, pseudo terminal. Shares no code with the real links."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable

from sensors.simulator.device import SimulatedDevice
from sensors.simulator.scenario import Fault, LinkPlan

#: How late a late answer is.
LATE = 0.6
_RTU_READ = 8
_MBAP = 7
_BITS_A_CHARACTER = 10
Send = Callable[[bytes], None]


class SimulatedWire:
    """One wire with its devices; open until closed."""

    def __init__(self, plan: LinkPlan, devices: dict[int, SimulatedDevice]) -> None:
        self.plan, self.url = plan, ""
        self.late = LATE
        self._devices = devices
        self._close: list[Callable[[], None]] = []
        self._pending: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._line_free = 0.0

    async def open(self, host: str, port: int) -> None:
        """Open it; port 0 lets the system choose, `url` says which it was."""
        if self.plan.kind == "serial":
            self._open_terminal()
            return
        self._server = await asyncio.start_server(self._client, host, port)
        self.url = f"{self.plan.kind}://{host}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Close it and everybody's connection."""
        for close in self._close:
            close()
        self._close.clear()
        if self._server is not None:
            self._server.close()
        self.hang_up()
        for task in self._pending:
            task.cancel()
        clients = [task for task in self._writers.values() if task is not None]
        await asyncio.gather(*self._pending, *clients, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def hang_up(self) -> None:
        """Drop every connection, as a gateway does that restarts."""
        for writer in self._writers:
            writer.transport.abort()

    def _open_terminal(self) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        received = bytearray()
        loop = asyncio.get_running_loop()

        def readable() -> None:
            with contextlib.suppress(BlockingIOError):
                received.extend(os.read(master, 512))
            self._take_rtu(received, send)

        def send(data: bytes) -> None:
            if self._close:
                os.write(master, data)

        loop.add_reader(master, readable)
        self._close += [lambda: _stop_reading(loop, master), lambda: os.close(master), lambda: os.close(slave)]
        self.url = f"serial://{os.ttyname(slave)}?baud={self.plan.baud}"

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = asyncio.current_task()
        take = self._take_tcp if self.plan.kind == "tcp" else self._take_rtu
        received = bytearray()

        def send(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data)

        try:
            while data := await reader.read(4096):
                received += data
                take(received, send)
        except ConnectionError:
            pass  # the client went away without a word
        finally:
            del self._writers[writer]
            writer.close()

    def _take_tcp(self, received: bytearray, send: Send) -> None:
        while len(received) > _MBAP:
            end = 6 + int.from_bytes(received[4:6], "big")
            if len(received) < end:
                return
            header, unit, message = bytes(received[:4]), received[6], bytes(received[7:end])
            del received[:end]

            def framed(unit: int, answer: bytes, header: bytes = header) -> bytes:
                return header + (len(answer) + 1).to_bytes(2, "big") + bytes([unit]) + answer

            self._serve(unit, message, framed, send, b"")

    def _take_rtu(self, received: bytearray, send: Send) -> None:
        while len(received) >= _RTU_READ:
            frame = bytes(received[:_RTU_READ])
            if check_sum(frame[:-2]) != frame[-2:]:
                del received[0]
                continue
            del received[:_RTU_READ]
            self._serve(frame[0], frame[1:-2], _rtu_framed, send, frame)

    def _serve(
        self, unit: int, message: bytes, framed: Callable[[int, bytes], bytes], send: Send, question: bytes
    ) -> None:
        device = self._devices.get(unit)
        if device is None:
            return
        answer = device.answer(message)
        fault, delay = device.fault, self._time(len(question) + len(answer) + 3)
        if fault is Fault.SILENT:
            return
        data = framed(unit % 247 + 1 if fault is Fault.WRONG_UNIT else unit, answer)
        if fault is Fault.BAD_SUM:
            data = data[:-1] + bytes([data[-1] ^ 0x55])
        elif fault is Fault.GARBAGE:
            data = bytes((byte * 37 + 11) % 256 for byte in data)
        elif fault is Fault.CUT:
            data = data[: len(data) // 2]
        elif fault is Fault.ECHO:
            data = question + data
        elif fault is Fault.LATE:
            delay += self.late
        if delay:
            self._later(delay, lambda: send(data))
        else:
            send(data)

    def _time(self, characters: int) -> float:
        return characters * _BITS_A_CHARACTER / self.plan.baud if self.plan.pace else 0.0

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        """Act after a delay, and after all that was to be sent before: a device answers in order."""
        loop = asyncio.get_running_loop()
        self._line_free = max(self._line_free, loop.time() + delay)
        wait = self._line_free - loop.time()

        async def wait_and_act() -> None:
            await asyncio.sleep(wait)
            act()

        task = asyncio.create_task(wait_and_act())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)


def _stop_reading(loop: asyncio.AbstractEventLoop, fd: int) -> None:
    loop.remove_reader(fd)


def check_sum(data: bytes) -> bytes:
    """CRC-16/MODBUS as it goes over the wire, low byte first (Serial Line 1.02, appendix B)."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def _rtu_framed(unit: int, answer: bytes) -> bytes:
    frame = bytes([unit]) + answer
    return frame + check_sum(frame)

"""A Modbus TCP server that is not ours: pymodbus' own, in a thread."""

import asyncio
import threading

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


class ModbusServer:
    """Registers 0 to 99 of one unit; a change is seen by the next read."""

    def __init__(self, port: int, unit: int = 1, registers: dict[int, int] | None = None) -> None:
        """Listen on a port of the loopback address, at once."""
        self.port = port
        self._unit = unit
        self._registers = [0] * 100
        for number, value in (registers or {}).items():
            self._registers[number] = value
        self.open()

    def open(self) -> None:
        """Serve the registers as they were at first, after a `close` again."""
        self._server: ModbusTcpServer | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(30), "the Modbus server did not start"

    def set(self, number: int, value: int) -> None:
        """Change one register (0 to 65535)."""
        assert self._server is not None
        future = asyncio.run_coroutine_threadsafe(
            self._server.async_setValues(self._unit, 6, number, [value]), self._loop
        )
        future.result(30)

    def close(self) -> None:
        """Stop: the device falls silent and its connections close."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
            self._thread.join(30)
            self._loop.close()

    async def _stop(self) -> None:
        assert self._server is not None
        await self._server.shutdown()  # type: ignore[no-untyped-call]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        block = SimData(0, values=self._registers, datatype=DataType.REGISTERS)
        self._server = ModbusTcpServer(SimDevice(self._unit, simdata=[block]), address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        self._ready.set()
        await self._server.serving

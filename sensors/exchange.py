"""One question at a time on a wire, and never the answer to an earlier one.

RTU answers carry no number. After a question that was not answered properly its unit *owes* an answer, which may come
at any time and look right. So before the next question the line is drained (silence for one time-out), and the unit is
first asked a *sync* read of a size that none of its other reads has: devices answer in order, so once the sync is
answered nothing older can come. A sync's own late answer has the wrong size for every other read and is dropped.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from config.address import LinkAddress
from sensors.errors import AskError, BadAnswerError, LinkDownError, NoAnswerError, RefusedError
from sensors.link import Pace, Request
from sensors.modbus import Codec, RtuCodec, TcpCodec
from sensors.serial_line import SerialWire
from sensors.wire import TcpWire, Wire

_CONNECT = 3.0
_FIRST_RETRY, _LAST_RETRY = 0.2, 5.0
#: No device answers later than this; a device that ignores the sync read is asked plainly again after it.
_LATEST = 10.0
#: A line that never falls silent is drained for this many time-outs, then given up.
_DRAINS = 10
#: So many questions in a row that nobody answered, and the wire is opened anew (half-open TCP, hung adapter).
_PATIENCE = {"tcp": 3, "rtu+tcp": 3, "serial": 10}
_FAST_BAUD = 19_200
_FAST_GAP = 0.00175
_CONVERTER_DELAY = 0.002


class ModbusLink:
    """A link of any of the three kinds; see `sensors.link.Link`."""

    def __init__(
        self,
        name: str,
        codec: Codec,
        opening: Callable[[], Awaitable[Wire]],
        *,
        gap: float,
        character: float,
        patience: int,
    ) -> None:
        """Build it; nothing is opened yet.

        Args:
            name: the link's id.
            codec: the framing.
            opening: opens the wire.
            gap: seconds of silence between two frames (t3.5).
            character: seconds that one byte takes on the wire.
            patience: unanswered questions in a row until the wire is opened anew.
        """
        self.id = name
        self._codec, self._opening, self._gap, self._character = codec, opening, gap, character
        self._patience = patience
        self._wire: Wire | None = None
        self._turn = asyncio.Lock()
        self._owed: dict[int, float] = {}
        self._free_at = self._drain_from = self._drain_for = 0.0
        self._silent = 0
        self._retry_at, self._delay, self._why = 0.0, _FIRST_RETRY, ""

    async def ask(self, request: Request, pace: Pace) -> tuple[int, ...]:
        """Ask once; see Link."""
        async with self._turn:
            wire = await self._opened()
            try:
                if not self._codec.numbered and self._owes(request.unit):
                    await self._sync(wire, pace)
                return await self._exchange(wire, request, pace)
            except LinkDownError as error:
                self._drop(str(error))
                raise LinkDownError(f"ask {self.id}: {error}", hint=error.hint) from error

    def retry_at(self) -> float | None:
        """See Link."""
        return self._retry_at if self._wire is None and self._why else None

    async def close(self) -> None:
        """See Link."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        await asyncio.sleep(0)  # the transport tells its protocol in the loop's next round

    async def _opened(self) -> Wire:
        if self._wire is not None and self._wire.inbox.broken is not None:
            self._drop(self._wire.inbox.broken)
        if self._wire is None:
            if time.monotonic() < self._retry_at:
                raise LinkDownError(f"ask {self.id}: {self._why}")
            try:
                self._wire = await self._opening()
            except LinkDownError as error:
                self._drop(str(error))
                raise
            self._silent = 0
        return self._wire

    def _drop(self, why: str) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        self._why = why
        self._retry_at = time.monotonic() + self._delay
        self._delay = min(2 * self._delay, _LAST_RETRY)

    def _owes(self, unit: int) -> bool:
        since = self._owed.get(unit)
        if since is not None and time.monotonic() - since > _LATEST:
            del self._owed[unit]
            return False
        return since is not None

    async def _sync(self, wire: Wire, pace: Pace) -> None:
        since = self._owed[pace.sync.unit]
        try:
            await self._exchange(wire, pace.sync, pace)
        except RefusedError:
            pass  # an exception is an answer as well
        except AskError:
            self._owed[pace.sync.unit] = since  # the sync's own late answer does no harm: it does not count anew
            raise
        self._owed.pop(pace.sync.unit, None)

    async def _exchange(self, wire: Wire, request: Request, pace: Pace) -> tuple[int, ...]:
        await self._silence(wire)
        wire.inbox.received.clear()
        self._owed[request.unit] = time.monotonic()  # until its answer is here; a cancelled ask leaves it so
        self._drain_from, self._drain_for = time.monotonic(), pace.timeout
        frame = self._codec.frame(request)
        wire.write(frame)
        try:
            values = await self._answer(wire, request, pace.timeout + self._time_on_wire(len(frame), request))
        except RefusedError:
            self._answered(pace)
            self._owed[request.unit] = time.monotonic()  # it may have been an earlier question's
            raise
        except AskError:
            self._drain_from = time.monotonic()
            self._unanswered(wire)
            raise
        self._answered(pace)
        self._owed.pop(request.unit, None)
        return values

    async def _silence(self, wire: Wire) -> None:
        """Wait until t3.5 and the last device's pause are over and, where an answer is owed, the line is drained."""
        limit = time.monotonic() + _DRAINS * self._drain_for + self._gap
        while (left := self._busy_until(wire) - time.monotonic()) > 0:
            if self._drain_for and time.monotonic() > limit:
                self._drain_from = time.monotonic()
                raise BadAnswerError(f"drain {self.id}: the line never falls silent", hint="is another master on it?")
            await asyncio.sleep(left)
        if wire.inbox.broken is not None:
            raise LinkDownError(wire.inbox.broken)

    def _busy_until(self, wire: Wire) -> float:
        heard = wire.inbox.heard_at
        drained = (
            max(self._drain_from, heard) + self._drain_for if self._drain_for and not self._codec.numbered else 0.0
        )
        return max(self._free_at, heard + self._gap, drained)

    async def _answer(self, wire: Wire, request: Request, timeout: float) -> tuple[int, ...]:
        until, heard = time.monotonic() + timeout, 0
        while await wire.inbox.more(until):
            heard += 1
            try:
                values = self._codec.match(wire.inbox.received, request)
            except BadAnswerError as error:
                raise LinkDownError(str(error), hint=error.hint) from error  # only a new connection is in step again
            if values is not None:
                return values
        name = f"unit {request.unit} on {self.id}"
        if heard:
            raise BadAnswerError(f"ask {name}: what came is not its answer", hint="check baud, parity, wiring and unit")
        raise NoAnswerError(f"ask {name}: no answer", hint="check power, wiring, unit and baud")

    def _answered(self, pace: Pace) -> None:
        self._free_at = time.monotonic() + max(self._gap, pace.pause)
        self._drain_for, self._silent = 0.0, 0
        self._delay, self._why = _FIRST_RETRY, ""

    def _unanswered(self, wire: Wire) -> None:
        self._silent += 1
        if self._silent >= self._patience:
            self._silent = 0
            wire.close()
            self._wire = None
            self._why = ""

    def _time_on_wire(self, sent: int, request: Request) -> float:
        return self._character * (sent + request.payload + 5)


def open_link(name: str, address: LinkAddress) -> ModbusLink:
    """Build the link that an address names; it opens with its first question."""

    async def connect() -> Wire:
        return await TcpWire.open(address.host, address.port, _CONNECT)

    async def plug() -> Wire:
        return await SerialWire.open(address)

    serial = address.kind == "serial"
    return ModbusLink(
        name,
        TcpCodec() if address.kind == "tcp" else RtuCodec(),
        plug if serial else connect,
        gap=0.0 if address.kind == "tcp" else silent_interval(address) + (0.0 if serial else _CONVERTER_DELAY),
        character=0.0 if address.kind == "tcp" else character_time(address),
        patience=_PATIENCE[address.kind],
    )


def character_time(address: LinkAddress) -> float:
    """Seconds that one byte takes: start bit, data bits, parity, stop bits."""
    return (1 + address.bytesize + (address.parity != "N") + address.stopbits) / address.baud


def silent_interval(address: LinkAddress) -> float:
    """Seconds of silence between frames: 3.5 characters of 11 bits, fixed above 19200 baud (Serial Line 1.02)."""
    return _FAST_GAP if address.baud > _FAST_BAUD else 3.5 * 11 / address.baud

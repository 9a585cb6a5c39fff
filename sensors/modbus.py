"""Modbus questions and answers as bytes. The one file that knows pymodbus.

pymodbus gives the message classes, the two framings and the check sum. Its client is not used: on RTU it compares the
unit alone, so that a late answer becomes the answer to the next question and another register's value looks good.
"""

from typing import Protocol

from pymodbus.framer.rtu import FramerRTU
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from sensors.errors import BadAnswerError, RefusedError
from sensors.link import BIT_FUNCTIONS, Request

_REQUESTS: dict[int, type[ModbusPDU]] = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}
# Modbus Application Protocol 1.1b3, section 7.
EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "device busy",
    8: "memory parity error",
    10: "gateway has no path",
    11: "device behind the gateway does not answer",
}
_EXCEPTION_BIT = 0x80
_RTU_OVERHEAD = 5
_RTU_EXCEPTION = 5
_MBAP = 7
_LONGEST_MBAP_BODY = 254


class Codec(Protocol):
    """One framing. `numbered` says whether answers carry the number of their question."""

    numbered: bool

    def frame(self, request: Request) -> bytes:
        """The bytes of a question."""
        ...

    def match(self, received: bytearray, request: Request) -> tuple[int, ...] | None:
        """Take the answer to this question out of what was received; what cannot be it is dropped.

        Returns:
            The values, or None while it is not there.

        Raises:
            RefusedError: the device answered with an exception.
            BadAnswerError: the stream cannot be followed any more.
        """
        ...


class RtuCodec:
    """Unit, message, check sum; answers carry no number."""

    numbered = False

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(is_server=False))

    def frame(self, request: Request) -> bytes:
        """The bytes of a question."""
        return bytes(self._framer.buildFrame(_message(request)))

    def match(self, received: bytearray, request: Request) -> tuple[int, ...] | None:
        """Look for the answer at every place, so that noise before it does no harm; see Codec."""
        for start in range(len(received) - 3):
            unit, function = received[start], received[start + 1]
            if unit != request.unit or function & ~_EXCEPTION_BIT != request.function:
                continue
            end = start + (_RTU_EXCEPTION if function & _EXCEPTION_BIT else _RTU_OVERHEAD + request.payload)
            if end <= len(received) and _sum_is_right(received[start:end]):
                values = _values(bytes(received[start + 1 : end - 2]), request)
                if values is not None:
                    del received[:end]
                    return values
        return None


class TcpCodec:
    """A header with a number, then the message; an answer to another number is dropped."""

    numbered = True

    def __init__(self) -> None:
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._number = 0

    def frame(self, request: Request) -> bytes:
        """The bytes of a question, with the next number."""
        self._number = self._number % 0xFFFF + 1
        message = _message(request)
        message.transaction_id = self._number
        return bytes(self._framer.buildFrame(message))

    def match(self, received: bytearray, request: Request) -> tuple[int, ...] | None:
        """Take whole frames from the front; see Codec."""
        while len(received) > _MBAP:
            protocol, length = int.from_bytes(received[2:4], "big"), int.from_bytes(received[4:6], "big")
            if protocol or not 3 <= length <= _LONGEST_MBAP_BODY:  # noqa: PLR2004 - unit, function, one byte
                raise BadAnswerError(
                    f"follow stream: {bytes(received[:_MBAP]).hex(' ')} is no Modbus TCP header",
                    hint="a serial device behind a plain converter wants rtu+tcp://",
                )
            used, unit, number, body = self._framer.decode(bytes(received[: 6 + length]))
            if not used:
                return None
            del received[: 6 + length]
            if number == self._number and unit == request.unit:
                values = _values(body, request)
                if values is not None:
                    return values
        return None


def _message(request: Request) -> ModbusPDU:
    return _REQUESTS[request.function](address=request.pdu, count=request.count, dev_id=request.unit)


def _sum_is_right(frame: bytearray) -> bool:
    return FramerRTU.check_CRC(bytes(frame[:-2]), int.from_bytes(frame[-2:], "big"))


def _values(body: bytes, request: Request) -> tuple[int, ...] | None:
    if body[0] == request.function | _EXCEPTION_BIT:
        code = body[1]
        raise RefusedError(
            f"read unit {request.unit} function {request.function} address {request.pdu}: "
            f"{EXCEPTIONS.get(code, 'unknown')} (exception {code})",
            code=code,
            hint="is it the right profile?" if code in {1, 2, 3} else "",
        )
    if body[0] != request.function or body[1] != request.payload or len(body) != 2 + request.payload:
        return None
    answer = DecodePDU(is_server=False).decode(body)
    if answer is None:
        return None
    if request.function in BIT_FUNCTIONS:
        return tuple(int(bit) for bit in answer.bits[: request.count])
    return tuple(answer.registers)

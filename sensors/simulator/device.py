"""One simulated device: registers made from its profile, and the faults that it plays."""

from sensors.profile import Profile, encode, is_binary
from sensors.simulator.scenario import Fault

_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE, _BUSY = 1, 2, 3, 6
_MOST_REGISTERS, _MOST_BITS = 125, 2000
_BIT_FUNCTIONS = (1, 2)
_READ_REQUEST = 5


class SimulatedDevice:
    """Answers read requests from the values it was given."""

    def __init__(self, name: str, unit: int, profile: Profile, start: dict[str, float | bool]) -> None:
        self.id, self.unit, self.profile = name, unit, profile
        self.fault = Fault.NONE
        self.asked = 0
        self.values: dict[str, float | bool] = {
            point.name: start.get(point.name, False if is_binary(point) else max(0.0, (point.range or (0.0, 0.0))[0]))
            for point in profile.point
        }

    def answer(self, message: bytes) -> bytes:
        """The answer to a message (function code and what follows it), an exception where it must refuse."""
        self.asked += 1
        function = message[0]
        if self.fault is Fault.EXCEPTION:
            return bytes([function | 0x80, _BUSY])
        if function not in {point.function for point in self.profile.point} or len(message) != _READ_REQUEST:
            return bytes([function | 0x80, _ILLEGAL_FUNCTION])
        address, count = int.from_bytes(message[1:3], "big"), int.from_bytes(message[3:5], "big")
        bits = function in _BIT_FUNCTIONS
        if not 1 <= count <= (_MOST_BITS if bits else _MOST_REGISTERS):
            return bytes([function | 0x80, _ILLEGAL_VALUE])
        words = self._words(function)
        if not any(address <= at < address + count for at in words):
            return bytes([function | 0x80, _ILLEGAL_ADDRESS])
        values = [words.get(at, 0) for at in range(address, address + count)]
        data = _packed(values) if bits else b"".join(value.to_bytes(2, "big") for value in values)
        return bytes([function, len(data)]) + data

    def _words(self, function: int) -> dict[int, int]:
        words: dict[int, int] = {}
        for point in self.profile.point:
            if point.function == function:
                for offset, word in enumerate(encode(point, self.values[point.name])):
                    words[point.pdu + offset] = words.get(point.pdu + offset, 0) | word
        return words


def _packed(bits: list[int]) -> bytes:
    whole = bits + [0] * (-len(bits) % 8)
    return bytes(sum(bit << place for place, bit in enumerate(whole[i : i + 8])) for i in range(0, len(whole), 8))

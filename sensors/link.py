"""The seam between a wire and the devices on it."""

from typing import Protocol

import msgspec

#: The two function codes that read single bits.
BIT_FUNCTIONS = (1, 2)


class Request(msgspec.Struct, frozen=True):
    """One read: `count` registers (functions 3, 4) or bits (1, 2) from the address `pdu`, counted from 0."""

    unit: int
    function: int
    pdu: int
    count: int

    @property
    def payload(self) -> int:
        """Bytes of values in its answer."""
        return (self.count + 7) // 8 if self.function in BIT_FUNCTIONS else 2 * self.count


class Pace(msgspec.Struct, frozen=True):
    """How one device wants to be asked.

    Attributes:
        timeout: seconds until silence is taken for no answer; time on the wire comes on top.
        pause: seconds of silence after its answer.
        sync: a read whose answer no other read of this device can be mistaken for (another size).
            Asked first when an earlier answer is still owed.
    """

    timeout: float
    pause: float
    sync: Request


class Link(Protocol):
    """One wire or socket that devices share; one question at a time.

    `ask` may be called by several tasks, they take turns. It opens the wire when it is not open, and after a failed
    opening says so at once, without waiting, until `retry_at`. It never returns values of another unit, function or
    size, nor, on wires whose answers carry no number, an answer to an earlier question. Cancelling it is safe: the
    answer that may still come is treated as owed. `close` may be called twice; an ask after it opens the wire anew.
    """

    id: str

    async def ask(self, request: Request, pace: Pace) -> tuple[int, ...]:
        """Ask once, without a second try.

        Returns:
            `request.count` registers (0 to 65535) or bits (0, 1).

        Raises:
            LinkDownError: the wire is not there.
            NoAnswerError: silence until the time-out.
            BadAnswerError: bytes that are no answer to this question.
            RefusedError: the device answered with a Modbus exception.
        """
        ...

    def retry_at(self) -> float | None:
        """When a wire that is down may be opened next (monotonic seconds); None while it is open or untried."""
        ...

    async def close(self) -> None:
        """Close the wire."""
        ...

"""How fast the line is, and how little of it one large file may hold at a time.

Whatever stands in the buffers of this machine is ahead of the next small file. On a slow line they are kept short;
on a fast one they are left to the kernel, which fills it best.
"""

import asyncio
import socket
import struct
import time

from replicator.messages import CHUNK

#: Bytes a second below which buffers are kept short: above it a whole chunk takes 10 ms or less.
SLOW = 25_000_000
#: Seconds of the line that one chunk may hold, and that wait in the kernel.
_SHARE = 0.025
_LEAST = 16 * 1024
#: A chunk's bytes as long as the speed is not known.
_UNKNOWN = 64 * 1024
#: Bytes that must have gone for a measurement, and after how many the older ones count half.
_ENOUGH, _MEMORY = 64 * 1024, 1024 * 1024
#: Seconds between two looks at the kernel's counts.
_LOOK = 0.05

#: Seconds over which the best that the line did counts.
_BEST = 10.0

#: `struct tcp_info` of linux/tcp.h: bytes acknowledged, bytes a second at which those sent last arrived (while there is
#: too little to send: the best so far), and microseconds in which bytes were under way.
_INFO_BYTES = 256
_ACKED_AT, _DELIVERED_AT, _BUSY_AT = 120, 160, 168
_COUNT = struct.Struct("=Q")
#: TCP_NOTSENT_LOWAT and TCP_USER_TIMEOUT of linux/tcp.h.
_NOTSENT_LOWAT, _USER_TIMEOUT = 25, 18
_KERNELS_OWN = 0


def notice_loss(sock: socket.socket, seconds: float) -> None:
    """Let the kernel end the connection when nothing that was sent is acknowledged for so long."""
    sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(seconds * 1000))


def chunk_for(rate: float | None) -> int:
    """Bytes of one chunk on a line of so many bytes a second."""
    if rate is None:
        return _UNKNOWN
    return CHUNK if rate >= SLOW else max(_LEAST, min(CHUNK, int(rate * _SHARE)))


class Speed:
    """Bytes a second of the line, from counts that only grow: bytes that arrived, seconds in which some were under way.

    The seconds in which there was nothing to send do not count, nor does how busy this process is.
    """

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None
        self._bytes = 0.0
        self._seconds = 0.0

    def counted(self, arrived: int, busy: float) -> None:
        """The counts as they are now."""
        if self._last is None:
            self._last = (arrived, busy)
            return
        came, took = arrived - self._last[0], busy - self._last[1]
        if came < _ENOUGH or took <= 0:
            return
        self._last = (arrived, busy)
        self._bytes += came
        self._seconds += took
        while self._bytes > _MEMORY:
            self._bytes /= 2
            self._seconds /= 2

    @property
    def rate(self) -> float | None:
        """Bytes a second; None while unknown."""
        return self._bytes / self._seconds if self._seconds > 0 else None


class Best:
    """Bytes a second that the line can do: the best of some seconds.

    What this connection does is less when it has little to send, or when the other end is slow to take it.
    """

    def __init__(self) -> None:
        self._now = self._before = 0.0
        self._since = 0.0

    def measured(self, rate: float, now: float) -> None:
        """One measurement, at a time in monotonic seconds."""
        if now - self._since >= _BEST:
            self._now, self._before, self._since = 0.0, self._now, now
        self._now = max(self._now, rate)

    @property
    def rate(self) -> float | None:
        """Bytes a second; None while unknown."""
        return max(self._now, self._before) or None


class Pipe:
    """The sending side of one connection's buffers."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self._speed = Speed()
        self._best = Best()
        self._looked = 0.0
        self._short: int | None = None

    @property
    def rate(self) -> float | None:
        """Bytes a second that the line takes; None while unknown."""
        self._look_now_and_then()
        return self._speed.rate

    @property
    def line(self) -> float | None:
        """Bytes a second that the line could take, had it enough to do; None while unknown."""
        self._look_now_and_then()
        return self._best.rate

    def _look_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            self._look(now)

    def _look(self, now: float) -> None:
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        except (OSError, AttributeError):  # closed, or no socket of this kind: its speed stays unknown
            return
        if len(info) < _BUSY_AT + _COUNT.size:
            return
        (acked,), (busy,) = _COUNT.unpack_from(info, _ACKED_AT), _COUNT.unpack_from(info, _BUSY_AT)
        self._speed.counted(acked, busy / 1e6)
        if acked >= _ENOUGH:
            (delivered,) = _COUNT.unpack_from(info, _DELIVERED_AT)
            self._best.measured(delivered, now)
        self._shorten(self._speed.rate)

    def _shorten(self, rate: float | None) -> None:
        """Keep the buffers as short as the line is slow. Only when it matters: each setting costs a call."""
        size = chunk_for(rate)
        short = None if rate is None or rate >= SLOW else size
        if short == self._short or (short and self._short and abs(short - self._short) * 4 < self._short):
            return
        self._short = short
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, short or _KERNELS_OWN)
            self._transport.set_write_buffer_limits(high=short)
        except OSError:  # it is over; whoever writes next hears of it
            return

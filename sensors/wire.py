"""Bytes in and out of one socket or port, with the time of the last one."""

import asyncio
import socket
import time
from typing import Protocol

from sensors.errors import LinkDownError

#: More than any answer; what lies here unread beyond it is noise, and the oldest goes.
_MOST_UNREAD = 4096
_KEEPALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 10_000))


class Inbox:
    """What has come in on a wire and was not yet taken."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.heard_at = 0.0
        self.broken: str | None = None
        self._news = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """Take bytes that came in."""
        self.received += data
        del self.received[:-_MOST_UNREAD]
        self.heard_at = time.monotonic()
        self._news.set()

    def fail(self, reason: str) -> None:
        """The wire is gone: whoever waits for it hears why."""
        self.broken = self.broken or reason
        self._news.set()

    async def more(self, until: float) -> bool:
        """Wait for more bytes until a moment on the monotonic clock.

        Returns:
            False when none came.

        Raises:
            LinkDownError: the wire broke.
        """
        if self.broken is None and not self._news.is_set():
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._news.wait()
            except TimeoutError:
                return False
        self._news.clear()
        if self.broken is not None:
            raise LinkDownError(f"read wire: {self.broken}")
        return True


class Wire(Protocol):
    """An open wire. `write` may be called at any time and raises LinkDownError when it is gone; `close` twice."""

    inbox: Inbox

    def write(self, data: bytes) -> None:
        """Put bytes on the wire."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class TcpWire(asyncio.Protocol):
    """A TCP connection. A far side that vanished is noticed in ten seconds even while nothing is sent."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int, timeout: float) -> "TcpWire":
        """Connect.

        Raises:
            LinkDownError: nobody answers there.
        """
        try:
            async with asyncio.timeout(timeout):
                _, wire = await asyncio.get_running_loop().create_connection(cls, host, port)
        except TimeoutError:
            raise LinkDownError(
                f"connect {host}:{port}: no answer in {timeout:g} s", hint="is the gateway on, is the address right?"
            ) from None
        except OSError as error:
            text = error.strerror or str(error)
            raise LinkDownError(
                f"connect {host}:{port}: {text}", hint="is the gateway on, is the port right?"
            ) from error
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio calls it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection always gives
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def data_received(self, data: bytes) -> None:
        """Take what came; asyncio calls it."""
        self.inbox.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the inbox; asyncio calls it."""
        self.inbox.fail(str(exc) if exc else "the far side closed the connection")

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport is None or self._transport.is_closing():
            raise LinkDownError("write wire: the connection is closed")
        self._transport.write(data)

    def close(self) -> None:
        """Close without waiting for the far side."""
        self.inbox.fail("closed")
        if self._transport is not None:
            self._transport.abort()

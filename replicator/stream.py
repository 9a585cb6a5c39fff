"""One connection between a sender or reader and the vault: messages out, messages in."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from typing import Generic, TypeVar

from replicator.connection import Connection
from replicator.errors import FaultError, StreamError, TlsError, WireError
from replicator.link_pipe import Pipe, notice_loss
from replicator.messages import Fault, FromVault, ToVault
from replicator.tls import handshake_error, refused_error
from replicator.wire import Message, encode, from_vault, to_vault

#: Seconds without a byte after which the other end is held to be gone; both ends beat each second. A line that was cut
#: is noticed, and told, within 10 s.
SILENCE = 9.0
#: Seconds that connecting and the handshake may take.
HANDSHAKE = 10.0

_Said = TypeVar("_Said")


class Stream(Generic[_Said]):
    """A connection. `receive` is for one task, `send` for any; both raise `StreamError` once it is over.

    Cancelling `receive` loses nothing; cancelling `send` may leave the frame sent. `close` may be called twice.
    """

    def __init__(self, connection: Connection[_Said]) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._frames = connection.frames
        self._silent_tls = self._transport.get_extra_info("ssl_object") is not None  # until its first word
        self.peer = _name(self._transport.get_extra_info("peername"))
        self.pipe = Pipe(self._transport)

    async def send(self, message: Message, payload: bytes | memoryview = b"") -> None:
        """Hand one frame to the connection; waits while the other end is slow.

        Raises:
            StreamError: the connection is over.
            WireError: the message is over the limits; the connection lives on.
        """
        self.post(message, payload)
        await self.drain()

    def post(self, message: Message, payload: bytes | memoryview = b"") -> None:
        """As `send`, without waiting: whoever posts much must `drain` now and then."""
        data = encode(message, payload)
        if self._transport.is_closing():
            raise StreamError(f"send to {self.peer}: connection closed")
        self._transport.write(data)

    def post_all(self, parts: Sequence[bytes | memoryview]) -> None:
        """As `post`, for frames in parts: each a `wire.head`, and the payload behind it if it has one."""
        if self._transport.is_closing():
            raise StreamError(f"send to {self.peer}: connection closed")
        self._transport.write(b"".join(parts))

    @property
    def closing(self) -> bool:
        """Whether it is over or about to be."""
        return self._transport.is_closing()

    async def drain(self) -> None:
        """Wait until the other end has taken most of what was posted."""
        try:
            await self._connection.drain()
        except OSError as error:
            raise self._lost("send to", error) from None

    async def receive(self, silence: float | None = None) -> tuple[_Said, bytes]:
        """The next message with its payload.

        Args:
            silence: seconds without a byte after which the other end is held to be gone; None for `SILENCE`.

        Raises:
            StreamError: the connection ended, by us or by them, or is silent; `FaultError` when they said why.
            WireError: what came is no message.
        """
        while (got := self.take()) is None:
            await self._hear(SILENCE if silence is None else silence)
        return got

    def take(self) -> tuple[_Said, bytes] | None:
        """As `receive`, without waiting; None when no whole message is here."""
        got = self._frames.next()
        if got is not None and isinstance(got[0], Fault):
            raise FaultError(got[0].code, got[0].text, hint=got[0].hint)
        return got

    async def _hear(self, silence: float) -> None:
        try:
            more = await self._connection.hear(silence)
        except TimeoutError:
            raise StreamError(f"hear from {self.peer}: silent for {silence:.0f} s") from None
        except OSError as error:
            raise self._lost("hear from", error) from None
        if more:
            self._silent_tls = False
            return
        if self._silent_tls:
            raise refused_error(self.peer)
        if self._frames.partial:
            raise WireError(f"hear from {self.peer}: closed within a frame")
        raise StreamError(f"hear from {self.peer}: connection closed")

    def _lost(self, doing: str, error: OSError) -> StreamError:
        if isinstance(error, ssl.SSLError):
            return handshake_error(self.peer, error)
        if self._silent_tls:
            return refused_error(self.peer)
        return StreamError(f"{doing} {self.peer}: {error.strerror or 'connection lost'}")

    async def fault(self, code: str, text: str, hint: str = "") -> None:
        """Say why this end ends the stream, as far as it can still be said, and close."""
        with contextlib.suppress(StreamError, TimeoutError):
            async with asyncio.timeout(1):
                await self.send(Fault(code=code, text=text, hint=hint))
        await self.close()

    def abort(self) -> None:
        """Cut the connection at once; `receive` then ends with `StreamError`."""
        self._transport.abort()

    async def close(self) -> None:
        """Close, giving what was sent a short time to leave."""
        self._transport.close()
        # Never under a timeout: that would cancel what is waited for, and with it whoever waits next.
        try:
            await asyncio.wait([self._connection.ended], timeout=1)
        finally:
            if not self._connection.ended.done():
                self._transport.abort()
        await asyncio.wait([self._connection.ended])


async def connect(
    host: str, port: int, *, context: ssl.SSLContext | None = None, limit: float = HANDSHAKE
) -> Stream[FromVault]:
    """A connection to the vault; the caller says `Hello` first.

    Args:
        host: name or address; with TLS the name must stand in the vault's certificate.
        port: its port.
        context: from `tls.client_context`; None is plain TCP.
        limit: seconds that it may take.

    Raises:
        StreamError: nobody answers; `TlsError` when the certificates do not fit.
    """
    peer = f"{host}:{port}"
    try:
        async with asyncio.timeout(limit):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(from_vault()), host, port, ssl=context, server_hostname=host if context else None
            )
    except TimeoutError:
        raise StreamError(f"connect to vault {peer}: no answer in {limit:.0f} s", hint=_HINT) from None
    except ssl.SSLError as error:
        raise handshake_error(peer, error) from None
    except OSError as error:
        raise StreamError(f"connect to vault {peer}: {_why(error)}", hint=_HINT) from None
    with contextlib.suppress(OSError):  # it is over already: whoever speaks first hears why
        notice_loss(connection.transport.get_extra_info("socket"), SILENCE)
    return Stream(connection)


_HINT = "is the vault running, and does the network let this port through?"


async def accept(
    sock: socket.socket, *, context: ssl.SSLContext | None = None, limit: float = HANDSHAKE
) -> Stream[ToVault]:
    """The vault's end of an accepted socket, handshake done. The socket is closed when it fails.

    Raises:
        StreamError: the other end went away or was too slow; `TlsError` when the certificates do not fit.
    """
    try:
        peer = _name(sock.getpeername())
    except OSError as error:
        sock.close()
        raise StreamError(f"accept connection: {_why(error)}") from None
    with contextlib.suppress(OSError):
        notice_loss(sock, SILENCE)
    try:
        _, connection = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Connection(to_vault()), sock, ssl=context, ssl_handshake_timeout=limit if context else None
        )
    except ssl.SSLError as error:
        raise handshake_error(peer, error) from None
    except (OSError, TimeoutError) as error:
        raise TlsError(f"secure connection with {peer}: {_why(error)}") from None
    return Stream(connection)


async def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, for `accept`; port 0 lets the system choose.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _why(error: OSError | TimeoutError) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower() or "lost"


def _name(address: object) -> str:
    match address:
        case (str(host), int(port), *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return "unknown"

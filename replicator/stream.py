"""One connection between a sender or reader and the vault: messages out, messages in."""

import asyncio
import contextlib
import socket
import ssl
from typing import Generic, TypeVar

from replicator.errors import FaultError, StreamError, TlsError, WireError
from replicator.link_pipe import Pipe, notice_loss
from replicator.messages import Fault, FromVault, ToVault
from replicator.tls import handshake_error, refused_error
from replicator.wire import Frames, Message, encode, from_vault, to_vault

#: Seconds without a byte after which the other end is held to be gone; both ends beat each second. A line that was cut
#: is noticed, and told, within 10 s.
SILENCE = 9.0
#: Seconds that connecting and the handshake may take.
HANDSHAKE = 10.0
_READ = 256 * 1024

_Said = TypeVar("_Said")


class Stream(Generic[_Said]):
    """A connection. `receive` is for one task, `send` for any; both raise `StreamError` once it is over.

    Cancelling `receive` loses nothing; cancelling `send` may leave the frame sent. `close` may be called twice.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: Frames[_Said]) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = frames
        self._silent_tls = writer.get_extra_info("ssl_object") is not None  # until its first word
        self.peer = _name(writer.get_extra_info("peername"))
        self.pipe = Pipe(writer.transport)

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
        if self._writer.is_closing():
            raise StreamError(f"send to {self.peer}: connection closed")
        self._writer.write(data)

    @property
    def closing(self) -> bool:
        """Whether it is over or about to be."""
        return self._writer.is_closing()

    async def drain(self) -> None:
        """Wait until the other end has taken most of what was posted."""
        try:
            await self._writer.drain()
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
        while (got := self._frames.next()) is None:
            self._frames.feed(await self._read(SILENCE if silence is None else silence))
        if isinstance(got[0], Fault):
            raise FaultError(got[0].code, got[0].text, hint=got[0].hint)
        return got

    async def _read(self, silence: float) -> bytes:
        try:
            async with asyncio.timeout(silence):
                data = await self._reader.read(_READ)
        except TimeoutError:
            raise StreamError(f"hear from {self.peer}: silent for {silence:.0f} s") from None
        except OSError as error:
            raise self._lost("hear from", error) from None
        if data:
            self._silent_tls = False
            return data
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
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close, giving what was sent a short time to leave."""
        self._writer.close()
        # Never under a timeout: that would cancel what is waited for, and with it whoever waits next.
        closed = asyncio.ensure_future(self._writer.wait_closed())
        try:
            await asyncio.wait([closed], timeout=1)
        finally:
            if not closed.done():
                self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await closed


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
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, limit=_READ, server_hostname=host if context else None
            )
    except TimeoutError:
        raise StreamError(f"connect to vault {peer}: no answer in {limit:.0f} s", hint=_HINT) from None
    except ssl.SSLError as error:
        raise handshake_error(peer, error) from None
    except OSError as error:
        raise StreamError(f"connect to vault {peer}: {_why(error)}", hint=_HINT) from None
    with contextlib.suppress(OSError):  # it is over already: whoever speaks first hears why
        notice_loss(writer.get_extra_info("socket"), SILENCE)
    return Stream(reader, writer, from_vault())


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
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    try:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=context, ssl_handshake_timeout=limit if context else None
        )
    except ssl.SSLError as error:
        raise handshake_error(peer, error) from None
    except (OSError, TimeoutError) as error:
        raise TlsError(f"secure connection with {peer}: {_why(error)}") from None
    return Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop), to_vault())


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

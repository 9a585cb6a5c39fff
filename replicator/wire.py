"""Frames: how a message and its bytes stand on the stream (FORMAT.md, The stream).

    u32 length of what follows | u16 length of the header | header (msgpack) | payload

All numbers are big-endian. Every limit is checked on the four bytes of the length, before any memory is taken.
"""

import mmap
import struct
from typing import Generic, TypeVar

import msgspec

from replicator.errors import WireError
from replicator.messages import FromVault, ToVault

#: Most bytes of a header; a list that would be longer goes in several messages.
HEADER_MAX = 64 * 1024 - 1
#: Most bytes of a payload.
PAYLOAD_MAX = 1024 * 1024
#: Bytes of the header's own length.
_PREFIX = 2
#: Most bytes after the length.
FRAME_MAX = _PREFIX + HEADER_MAX + PAYLOAD_MAX
#: Bytes that are read at once: as many as a processor keeps near until they are looked at.
READ = 256 * 1024

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">IH")
_HELD = _LENGTH.size + FRAME_MAX + READ
_encoder = msgspec.msgpack.Encoder()

_Said = TypeVar("_Said")
Message = ToVault | FromVault


def encode(message: Message, payload: bytes | memoryview = b"") -> bytes:
    """One frame.

    Raises:
        WireError: header or payload is longer than the limit.
    """
    return b"".join((head(message, len(payload)), payload))


def head(message: Message, size: int) -> bytes:
    """What stands before a payload of `size` bytes.

    Raises:
        WireError: as of `encode`.
    """
    try:
        header = _encoder.encode(message)
    except OverflowError as error:
        raise WireError(f"encode frame {type(message).__name__.lower()}: {error}") from None
    if len(header) > HEADER_MAX or size > PAYLOAD_MAX:
        name = type(message).__name__.lower()
        raise WireError(f"encode frame {name}: {len(header)} + {size} bytes are over the limit")
    return _HEAD.pack(_PREFIX + len(header) + size, len(header)) + header


class Frames(Generic[_Said]):
    """Cuts bytes into messages: write what came to `room`, say how much to `filled`, then `next` until None.

    `feed` does the first two for bytes that are at hand. It holds at most one frame and `READ` bytes, or what was fed.
    """

    def __init__(self, decoder: "msgspec.msgpack.Decoder[_Said]") -> None:
        self._decoder = decoder
        # Taken from the machine page by page, as it is written to: who has said nothing yet costs nothing.
        self._view = memoryview(mmap.mmap(-1, _HELD, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        self._start = self._end = 0

    def room(self) -> memoryview:
        """Where the next bytes go, `READ` at most; empty while messages must be taken first."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start and len(self._view) - self._end < READ:
            held = self._end - self._start
            self._view[:held] = self._view[self._start : self._end]
            self._start, self._end = 0, held
        return self._view[self._end : self._end + READ]

    def filled(self, count: int) -> None:
        """So many bytes were written to `room`."""
        self._end += count

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        held = self._end - self._start
        if len(self._view) - self._end < len(data):
            grown = bytearray(max(held + len(data), _HELD))
            grown[:held] = self._view[self._start : self._end]
            self._view, self._start, self._end = memoryview(grown), 0, held
        self._view[self._end : self._end + len(data)] = data
        self._end += len(data)

    def next(self) -> tuple[_Said, bytes] | None:
        """The next message with its payload; None when more bytes are needed.

        Raises:
            WireError: these bytes are no frame; nothing after them can be trusted.
        """
        start, have = self._start, self._end - self._start
        if have < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._view, start)
        if not _PREFIX <= length <= FRAME_MAX:
            raise WireError(f"read frame: a length of {length} bytes", hint="the other end does not speak bongsu")
        if have < _LENGTH.size + length:
            return None
        self._start += _LENGTH.size + length
        return self._parse(start, length)

    @property
    def full(self) -> bool:
        """Whether messages must be taken before more bytes come."""
        return self._end - self._start > _HELD - READ

    @property
    def partial(self) -> bool:
        """Whether a frame has begun that is not whole."""
        return self._end > self._start

    def _parse(self, start: int, length: int) -> tuple[_Said, bytes]:
        _, header_length = _HEAD.unpack_from(self._view, start)
        if header_length > length - _PREFIX:
            raise WireError(f"read frame: a header of {header_length} bytes in a frame of {length}")
        if length - _PREFIX - header_length > PAYLOAD_MAX:
            raise WireError(f"read frame: a payload of {length - _PREFIX - header_length} bytes")
        body = start + _HEAD.size
        end = start + _LENGTH.size + length
        try:
            message = self._decoder.decode(self._view[body : body + header_length])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"read frame: {error}", hint="the other end is of another version") from None
        return message, bytes(self._view[body + header_length : end])


def to_vault() -> Frames[ToVault]:
    """Frames as the vault reads them."""
    return Frames(_TO_VAULT)


def from_vault() -> Frames[FromVault]:
    """Frames as senders and readers read them."""
    return Frames(_FROM_VAULT)


_TO_VAULT: "msgspec.msgpack.Decoder[ToVault]" = msgspec.msgpack.Decoder(ToVault)
_FROM_VAULT: "msgspec.msgpack.Decoder[FromVault]" = msgspec.msgpack.Decoder(FromVault)

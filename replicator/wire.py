"""Frames: how a message and its bytes stand on the stream (FORMAT.md, The stream).

    u32 length of what follows | u16 length of the header | header (msgpack) | payload

All numbers are big-endian. Every limit is checked on the four bytes of the length, before any memory is taken.
"""

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

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">IH")
_encoder = msgspec.msgpack.Encoder()

_Said = TypeVar("_Said")
Message = ToVault | FromVault


def encode(message: Message, payload: bytes | memoryview = b"") -> bytes:
    """One frame.

    Raises:
        WireError: header or payload is longer than the limit.
    """
    header = _encoder.encode(message)
    if len(header) > HEADER_MAX or len(payload) > PAYLOAD_MAX:
        name = type(message).__name__.lower()
        raise WireError(f"encode frame {name}: {len(header)} + {len(payload)} bytes are over the limit")
    return b"".join((_HEAD.pack(_PREFIX + len(header) + len(payload), len(header)), header, payload))


class Frames(Generic[_Said]):
    """Cuts a stream of bytes into messages: `feed` it what came, then `next` until None.

    It holds at most one frame and what came after it with the same `feed`.
    """

    def __init__(self, decoder: "msgspec.msgpack.Decoder[_Said]") -> None:
        self._decoder = decoder
        self._bytes = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        if self._at:
            del self._bytes[: self._at]
            self._at = 0
        self._bytes += data

    def next(self) -> tuple[_Said, bytes] | None:
        """The next message with its payload; None when more bytes are needed.

        Raises:
            WireError: these bytes are no frame; nothing after them can be trusted.
        """
        have = len(self._bytes) - self._at
        if have < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes, self._at)
        if not _PREFIX <= length <= FRAME_MAX:
            raise WireError(f"read frame: a length of {length} bytes", hint="the other end does not speak bongsu")
        if have < _LENGTH.size + length:
            return None
        start = self._at
        self._at += _LENGTH.size + length
        return self._parse(start, length)

    @property
    def partial(self) -> bool:
        """Whether a frame has begun that is not whole."""
        return len(self._bytes) > self._at

    def _parse(self, start: int, length: int) -> tuple[_Said, bytes]:
        _, header_length = _HEAD.unpack_from(self._bytes, start)
        if header_length > length - _PREFIX:
            raise WireError(f"read frame: a header of {header_length} bytes in a frame of {length}")
        if length - _PREFIX - header_length > PAYLOAD_MAX:
            raise WireError(f"read frame: a payload of {length - _PREFIX - header_length} bytes")
        body = start + _HEAD.size
        end = start + _LENGTH.size + length
        with memoryview(self._bytes) as view:
            try:
                message = self._decoder.decode(view[body : body + header_length])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise WireError(f"read frame: {error}", hint="the other end is of another version") from None
            return message, bytes(view[body + header_length : end])


def to_vault() -> Frames[ToVault]:
    """Frames as the vault reads them."""
    return Frames(_TO_VAULT)


def from_vault() -> Frames[FromVault]:
    """Frames as senders and readers read them."""
    return Frames(_FROM_VAULT)


_TO_VAULT: "msgspec.msgpack.Decoder[ToVault]" = msgspec.msgpack.Decoder(ToVault)
_FROM_VAULT: "msgspec.msgpack.Decoder[FromVault]" = msgspec.msgpack.Decoder(FromVault)

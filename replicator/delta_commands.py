"""The commands of a librsync delta: how they are written, and how they are read from an end that is not trusted.

    delta    := 72 73 02 36 | command… | 00
    LITERAL  := 01-40 (so many bytes follow) | 41-44 and a length of 1, 2, 4 or 8 bytes; the bytes follow
    COPY     := 45-54: an offset of 1, 2, 4 or 8 bytes and a length of 1, 2, 4 or 8 bytes

Numbers are big-endian. This is librsync's own format (its doc/format.md), so what `pyrsync.delta` makes fits in.
"""

import struct
from typing import NamedTuple

from replicator.errors import DamagedError

MAGIC = struct.pack(">I", 0x72730236)
END = b"\0"
_SHORT_MAX = 0x40
_LITERAL_1 = 0x41
_COPY_1_1 = 0x45
_COPY_8_8 = 0x54
_WIDTHS = (1, 2, 4, 8)


class Copy(NamedTuple):
    """So many bytes of the base from an offset on."""

    offset: int
    length: int


def copy(offset: int, length: int) -> bytes:
    """The command that copies from the base."""
    where, many = _width(offset), _width(length)
    code = _COPY_1_1 + 4 * where + many
    return bytes((code,)) + offset.to_bytes(_WIDTHS[where]) + length.to_bytes(_WIDTHS[many])


def literal(data: bytes | memoryview) -> bytes:
    """The command that brings these bytes, with them."""
    if len(data) <= _SHORT_MAX:
        return b"".join((bytes((len(data),)), data))
    many = _width(len(data))
    return b"".join((bytes((_LITERAL_1 + many,)), len(data).to_bytes(_WIDTHS[many]), data))


def _width(number: int) -> int:
    return next(index for index, width in enumerate(_WIDTHS) if number < 1 << 8 * width)


class Commands:
    """Reads a delta that comes in pieces: `feed` it, then `next` until None. It holds what was fed and not more."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0
        self._begun = False
        self._literal = 0
        #: Whether the last command was read.
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        del self._bytes[: self._at]
        self._at = 0
        self._bytes += data

    def next(self) -> Copy | bytes | None:
        """The next command, a literal in as many parts as it came in; None when more bytes are needed.

        Raises:
            DamagedError: these bytes are no delta.
        """
        if not self._begun and not self._begin():
            return None
        if self._literal:
            return self._part()
        if self._at == len(self._bytes):
            return None
        if self.ended:
            raise DamagedError("read delta: bytes after its end")
        return self._command()

    def _begin(self) -> bool:
        if len(self._bytes) < len(MAGIC):
            return False
        if not self._bytes.startswith(MAGIC):
            raise DamagedError("read delta: it does not begin as one")
        self._at, self._begun = len(MAGIC), True
        return True

    def _part(self) -> bytes | None:
        part = bytes(self._bytes[self._at : self._at + self._literal])
        self._at += len(part)
        self._literal -= len(part)
        return part or None

    def _command(self) -> Copy | bytes | None:
        code = self._bytes[self._at]
        if code == 0:
            self._at += 1
            self.ended = True
            return self.next()
        if code > _COPY_8_8:
            raise DamagedError(f"read delta: a command {code:#04x} that does not exist")
        if code >= _COPY_1_1:
            kind = code - _COPY_1_1
            numbers = self._numbers(_WIDTHS[kind // 4], _WIDTHS[kind % 4])
            return None if numbers is None else Copy(*numbers)
        found = self._numbers(_WIDTHS[code - _LITERAL_1]) if code > _SHORT_MAX else self._short(code)
        if found is None:
            return None
        self._literal = found[0]
        return self._part()

    def _short(self, code: int) -> list[int]:
        self._at += 1
        return [code]

    def _numbers(self, *widths: int) -> list[int] | None:
        """The numbers behind a command's first byte; an empty command does nothing and would only cost time."""
        at = self._at + 1
        if len(self._bytes) < at + sum(widths):
            return None
        numbers = []
        for width in widths:
            numbers.append(int.from_bytes(self._bytes[at : at + width]))
            at += width
        if not numbers[-1]:
            raise DamagedError("read delta: a command of no bytes")
        self._at = at
        return numbers

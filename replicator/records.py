"""One record of the vault's journal: its bytes, its checksum, its link to the record before (FORMAT.md, Record)."""

import hashlib
import struct
import zlib
from enum import StrEnum
from functools import lru_cache

import msgspec

from replicator.change import Meta
from replicator.wire import PAYLOAD_MAX

MAGIC = b"BSR1"
HEAD = struct.Struct(">4sIHI32s")
_LENGTHS = struct.Struct(">IH")
#: The chain before the first record.
NOTHING = bytes(32)
#: Most bytes of a record after its head.
BODY_MAX = 65535 + PAYLOAD_MAX


class What(StrEnum):
    """What a record says."""

    BEGIN = "begin"
    SOURCE = "source"
    PUT = "put"
    DELETE = "delete"
    SEAL = "seal"


class Record(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The header of a record. New elements go to the end; readers ignore what they do not know.

    Attributes:
        what: what it says.
        sequence: number of the record in the vault, from 1.
        at_ns: the vault's clock, rising with each record.
        flushed: up to which byte of this segment the journal was on disk when this was written.
        source: the source's id; empty for `begin`.
        position: number of the record in its source, from 1; for `begin` the segment's number.
        path: as in `Entry`.
        meta: the path's state; None unless `put`.
        hash: of the content; for `begin` the chain of the record before.
        seen_ns: when the sender saw the change, by its clock.
        inline: whether the content follows.
        name: a seal's name, a source's site, the vault's id for `begin`.
        pending: files that the sender still had to send when it sealed.
        pending_bytes: their bytes.
        oldest_ns: when the oldest of them was seen; 0 for none.
    """

    what: What
    sequence: int = 0
    at_ns: int = 0
    flushed: int = 0
    source: str = ""
    position: int = 0
    path: bytes = b""
    meta: Meta | None = None
    hash: bytes = b""
    seen_ns: int = 0
    inline: bool = False
    name: str = ""
    pending: int = 0
    pending_bytes: int = 0
    oldest_ns: int = 0


class Head(msgspec.Struct, frozen=True):
    """What stands before a record's header."""

    body: int
    header: int
    crc: int
    chain: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def encode(record: Record, payload: bytes, *, vault: str, previous: bytes) -> tuple[bytes, bytes, int]:
    """The record's head and header, its chain, and how many bytes the payload begins after the record's start."""
    header = _encoder.encode(record)
    chain = link(previous, header)
    body = len(header) + len(payload)
    head = HEAD.pack(MAGIC, body, len(header), _checksum(vault, body, header), chain)
    return head + header, chain, len(head) + len(header)


def link(previous: bytes, header: bytes) -> bytes:
    """The chain's next value."""
    return hashlib.sha256(previous + header).digest()


def read_head(data: bytes) -> Head | None:
    """The head that these bytes begin with; None when they are no head."""
    if len(data) < HEAD.size:
        return None
    magic, body, header, crc, chain = HEAD.unpack_from(data)
    if magic != MAGIC or header > body or body > BODY_MAX:
        return None
    return Head(body, header, crc, chain)


def read_header(head: Head, header: bytes, *, vault: str) -> Record | None:
    """The record that these bytes are; None when the checksum or the content is wrong."""
    if len(header) != head.header or _checksum(vault, head.body, header) != head.crc:
        return None
    try:
        return _decoder.decode(header)
    except msgspec.DecodeError:
        return None


def _checksum(vault: str, body: int, header: bytes) -> int:
    return zlib.crc32(header, zlib.crc32(_LENGTHS.pack(body, len(header)), _checksum_of(vault)))


@lru_cache(maxsize=16)
def _checksum_of(vault: str) -> int:
    return zlib.crc32(vault.encode("ascii"))

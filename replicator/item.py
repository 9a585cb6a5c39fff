"""What waits to be committed, and what came of it."""

from typing import Any

import msgspec

from replicator.attributes import sound
from replicator.change import Kind, Meta
from replicator.errors import PathError
from replicator.messages import Delete, Mark, Put, Seal
from replicator.paths import NAME_MAX, PATH_MAX, check_path, show

_INT64 = 2**63
_ID_MAX = 2**32
_HASH_BYTES = 32


class Item(msgspec.Struct, kw_only=True):
    """One message that waits to be committed.

    Attributes:
        message: what is to be kept; None and `Mark` only wait for what is before them.
        site: the site that says it.
        payload: a file's bytes, when they came with it.
        stored: whether its bytes are an object that is on disk already.
        ticket: given back with the outcome.
    """

    message: Put | Delete | Seal | Mark | None
    site: str
    payload: bytes = b""
    stored: bool = False
    ticket: Any = None

    @property
    def content(self) -> bool:
        """Whether bytes came for it."""
        return self.stored or bool(self.payload)

    @property
    def size(self) -> int:
        """Bytes of content that came for it."""
        return self.message.meta.size if self.stored and isinstance(self.message, Put) else len(self.payload)


class Outcome(msgspec.Struct, kw_only=True):
    """What came of an item.

    Attributes:
        item: the item.
        code: `done`, `need`, or why it was refused: `full`, `hash`, `size`, `taken`.
        text: the refusal for people.
        again: whether a later try may do better.
        position: the source's position at which it is durable.
    """

    item: Item
    code: str
    text: str = ""
    again: bool = False
    position: int = 0


#: Why a delta may come to nothing; the whole file is asked for then.
UNPATCHED = ("delta", "base-missing", "base-damaged")
#: Why an item may be refused; labels of a metric.
REASONS = ("full", "hash", "size", "taken", "path", "meta", "upload", "source", *UNPATCHED)


def check(message: Put | Delete | Seal | Mark) -> None:
    """Refuse what no honest sender says and what could do harm later.

    Raises:
        PathError: a bad path, or a state that no path can have.
    """
    if isinstance(message, Mark):
        return
    if isinstance(message, Seal):
        numbers = (message.pending, message.pending_bytes, message.oldest_ns)
        if len(message.name) > NAME_MAX or not all(0 <= n < _INT64 for n in numbers):
            raise PathError(f"take seal {message.name[:80]!r}: name or numbers are out of range")
        return
    check_path(message.path)
    if isinstance(message, Put):
        _check_state(message)


def _check_state(put: Put) -> None:
    meta = put.meta
    ranges = (
        0 <= meta.mode <= 0o7777  # noqa: PLR2004 - the permission bits
        and -_INT64 <= meta.mtime_ns < _INT64
        and 0 <= meta.uid < _ID_MAX
        and 0 <= meta.gid < _ID_MAX
        and 0 <= meta.size < _INT64
        and 0 <= put.seen_ns < _INT64
        and 0 <= meta.lacking < _INT64
        and 0 <= meta.inode < _INT64
    )
    is_file, is_link = meta.kind is Kind.FILE, meta.kind is Kind.LINK
    shape = (
        len(put.hash) == (_HASH_BYTES if is_file else 0)
        and (is_file or not (meta.size or put.inline or put.upload))
        and bool(meta.target) == is_link
        and len(meta.target) < PATH_MAX
        and b"\0" not in meta.target
        and _extras_fit(meta)
    )
    if not ranges or not shape:
        raise PathError(f"take path {show(put.path)}: its state is none that a path can have")


def _extras_fit(meta: Meta) -> bool:
    """Whether only a file has holes and other names, and a link no attributes."""
    if meta.kind is not Kind.FILE and (meta.sparse or meta.inode):
        return False
    return not meta.xattrs or (meta.kind is not Kind.LINK and sound(meta.xattrs))

"""What a sender says of its documents, and the vault's word on them."""

from replicator.change import Meta
from replicator.message import Message

# ------------------------------------------------------------------ to the vault


class Put(Message, frozen=True, kw_only=True):
    """This path is now so.

    A file's bytes follow in the frame (`inline`), came before in chunks (`upload` > 0),
    or are held to be at the vault already (neither); if they are not, the vault answers `Need`.

    Attributes:
        id: the sender's number of this message; rises by one with each `Put`, `Delete`, `Seal` and `Mark`.
        source: the source's id.
        path: as in `Entry`.
        meta: as in `Entry`.
        hash: as in `Entry`.
        seen_ns: when the change was seen, by the sender's clock; told, never trusted.
        inline: whether the bytes follow in this frame.
        upload: the number of the upload that brought the bytes, or 0.
        packed: how many bytes follow when they are unpacked; 0: they are as they are.
    """

    id: int
    source: str
    path: bytes
    meta: Meta
    hash: bytes = b""
    seen_ns: int = 0
    inline: bool = False
    upload: int = 0
    packed: int = 0


class Chunk(Message, frozen=True, kw_only=True):
    """Bytes of a large file, in order from 0. `size` is the whole length. Uploads may be interleaved.

    With `zeros`, so many zero bytes (1 MiB at most) are meant, and none follow. `packed` is as in `Put`.
    """

    upload: int
    offset: int
    size: int
    zeros: int = 0
    packed: int = 0


class Base(Message, frozen=True, kw_only=True):
    """An upload begins whose `Chunk`s bring no bytes of the file but a delta (FORMAT.md, Deltas).

    Their `offset` counts the delta's bytes, their `size` is the file's, as here. What does not fit, or a base that is
    not here, is answered when the `Put` comes, by `Need`.

    Attributes:
        upload: the upload's number.
        base: hash of the object that the delta copies from.
        base_size: its bytes.
        size: bytes of the file that the delta makes.
    """

    upload: int
    base: bytes
    base_size: int
    size: int


class Resume(Message, frozen=True, kw_only=True):
    """An upload begins that may go on where an earlier one was cut. Answered by `Have`, before its first `Chunk`.

    Attributes:
        upload: the upload's number.
        source: the source's id.
        path: the file's path.
        size: its bytes.
        identity: names this state of this file: another state, another name.
    """

    upload: int
    source: str
    path: bytes
    size: int
    identity: bytes


class Cancel(Message, frozen=True, kw_only=True):
    """This upload is given up: the file changed while it was read."""

    upload: int


class Delete(Message, frozen=True, kw_only=True):
    """This path is gone. Its versions stay. A folder's deletion is told after its children's."""

    id: int
    source: str
    path: bytes
    seen_ns: int = 0


class Seal(Message, frozen=True, kw_only=True):
    """Name the present position: a recovery point. Everything put before it is in it."""

    id: int
    source: str
    name: str
    pending: int = 0
    pending_bytes: int = 0
    oldest_ns: int = 0


class Mark(Message, frozen=True, kw_only=True):
    """Nothing is put: `Done` when everything that was said before is durable. It leaves no record."""

    id: int
    source: str


# ------------------------------------------------------------------ from the vault


class Done(Message, frozen=True, kw_only=True):
    """These are durable: objects and records are on disk. `positions` of the sources touched."""

    ids: list[int]
    positions: dict[str, int]


class Have(Message, frozen=True, kw_only=True):
    """Answer to `Resume`: so many bytes are here, and their hash. Chunks go on from `offset`, or begin anew at 0."""

    upload: int
    offset: int = 0
    hash: bytes = b""


class Need(Message, frozen=True, kw_only=True):
    """The bytes of this `Put` are not here: say it again with them, under a new id."""

    id: int


class Refused(Message, frozen=True, kw_only=True):
    """This item was not taken. `again`: whether a later try may do better (a full disk) or not (a bad path)."""

    id: int
    code: str
    text: str
    again: bool = False

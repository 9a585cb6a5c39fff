"""What the two ends of the stream say to each other (FORMAT.md, The stream).

A message is a small header; `Put`, `Chunk` and `Data` are followed by bytes in the same frame.
"""

import msgspec

from replicator.change import Meta

#: Both ends must speak the same; a vault refuses another with `Fault`.
PROTOCOL = 2
#: A file up to this many bytes travels within its `Put`; a larger one in `Chunk`s before it.
INLINE = 256 * 1024
#: Bytes of one `Chunk` or `Data`.
CHUNK = 256 * 1024


#: What this vault can do beside what every vault of the protocol can.
TAKES = ["resume"]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=lambda name: name.lower()):
    """Base of every message; the tag is the class's name in lower case."""


# ------------------------------------------------------------------ both ways


class Beat(_Message, frozen=True, kw_only=True):
    """I am here. From the sender also: what is still to be sent.

    Attributes:
        now_ns: the speaker's clock.
        pending: files still to be sent, over all sources.
        pending_bytes: their bytes.
        oldest_ns: when the oldest of them was seen, 0 when there is none.
    """

    now_ns: int
    pending: int = 0
    pending_bytes: int = 0
    oldest_ns: int = 0


class Fault(_Message, frozen=True, kw_only=True):
    """The stream ends here, and why. The other end closes."""

    code: str
    text: str
    hint: str = ""


# ------------------------------------------------------------------ to the vault


class Hello(_Message, frozen=True, kw_only=True):
    """First message. `role` is `sender` or `reader`; a reader names no sources and gets no say in what is kept."""

    protocol: int
    role: str
    site: str
    sources: list[str] = []


class Put(_Message, frozen=True, kw_only=True):
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
    """

    id: int
    source: str
    path: bytes
    meta: Meta
    hash: bytes = b""
    seen_ns: int = 0
    inline: bool = False
    upload: int = 0


class Chunk(_Message, frozen=True, kw_only=True):
    """Bytes of a large file, in order from 0. `size` is the whole length. Uploads may be interleaved.

    With `zeros`, so many zero bytes (1 MiB at most) are meant, and none follow.
    """

    upload: int
    offset: int
    size: int
    zeros: int = 0


class Base(_Message, frozen=True, kw_only=True):
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


class Resume(_Message, frozen=True, kw_only=True):
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


class Cancel(_Message, frozen=True, kw_only=True):
    """This upload is given up: the file changed while it was read."""

    upload: int


class Delete(_Message, frozen=True, kw_only=True):
    """This path is gone. Its versions stay. A folder's deletion is told after its children's."""

    id: int
    source: str
    path: bytes
    seen_ns: int = 0


class Seal(_Message, frozen=True, kw_only=True):
    """Name the present position: a recovery point. Everything put before it is in it."""

    id: int
    source: str
    name: str
    pending: int = 0
    pending_bytes: int = 0
    oldest_ns: int = 0


class Mark(_Message, frozen=True, kw_only=True):
    """Nothing is put: `Done` when everything that was said before is durable. It leaves no record."""

    id: int
    source: str


class Tree(_Message, frozen=True, kw_only=True):
    """Sender or reader: list a source as it was at `at_ns` by the vault's clock (0: newest), `Listed` until `End`.

    `paths` limits it to these and what lies under them.
    """

    source: str
    at_ns: int = 0
    paths: list[bytes] = []


class Sources(_Message, frozen=True, kw_only=True):
    """Reader: which sources are there? Answered by `Kept`."""


class Past(_Message, frozen=True, kw_only=True):
    """Reader: every version of one path, newest first, as `Aged` until `End`."""

    source: str
    path: bytes


class Fetch(_Message, frozen=True, kw_only=True):
    """Reader: the bytes named by this hash, as `Data` until `End`. From `offset` on, for one that goes on."""

    hash: bytes
    offset: int = 0


class Examine(_Message, frozen=True, kw_only=True):
    """Reader: check every object and record against its hash: `Checked` and `Damaged` until `End`."""

    repair: bool = False


# ------------------------------------------------------------------ from the vault


class Welcome(_Message, frozen=True, kw_only=True):
    """Answer to `Hello`.

    Attributes:
        protocol: the vault's.
        vault: the vault's own id, made at its first start; another id is another vault.
        now_ns: its clock.
        positions: for each source asked about, how many of its records are durable.
        takes: what of `TAKES` it knows; a sender does without the rest.
    """

    protocol: int
    vault: str
    now_ns: int
    positions: dict[str, int] = {}
    takes: list[str] = []


class Done(_Message, frozen=True, kw_only=True):
    """These are durable: objects and records are on disk. `positions` of the sources touched."""

    ids: list[int]
    positions: dict[str, int]


class Have(_Message, frozen=True, kw_only=True):
    """Answer to `Resume`: so many bytes are here, and their hash. Chunks go on from `offset`, or begin anew at 0."""

    upload: int
    offset: int = 0
    hash: bytes = b""


class Need(_Message, frozen=True, kw_only=True):
    """The bytes of this `Put` are not here: say it again with them, under a new id."""

    id: int


class Refused(_Message, frozen=True, kw_only=True):
    """This item was not taken. `again`: whether a later try may do better (a full disk) or not (a bad path)."""

    id: int
    code: str
    text: str
    again: bool = False


class Kept(_Message, frozen=True, kw_only=True):
    """Answer to `Sources`: source id and its position."""

    positions: dict[str, int]


class Listed(_Message, frozen=True, kw_only=True):
    """Entries of a tree: path, meta, hash. Folders come before what is in them."""

    entries: list[tuple[bytes, Meta, bytes]]


class Aged(_Message, frozen=True, kw_only=True):
    """Versions of a path, newest first: received_ns, meta (None: deleted), hash, position."""

    versions: list[tuple[int, Meta | None, bytes, int]]


class Data(_Message, frozen=True, kw_only=True):
    """Bytes of an object follow in the frame."""

    offset: int


class Checked(_Message, frozen=True, kw_only=True):
    """How far the examination is."""

    objects: int
    records: int
    bytes: int


class Damaged(_Message, frozen=True, kw_only=True):
    """One thing that is not what its name says, and what was done about it."""

    what: str
    name: str
    reason: str
    repaired: bool = False


class End(_Message, frozen=True, kw_only=True):
    """The answer is whole."""

    count: int = 0


_Kept = Put | Base | Resume | Chunk | Cancel | Delete | Seal | Mark
_Answers = Kept | Listed | Aged | Data | Checked | Damaged | End
ToVault = Hello | Beat | _Kept | Tree | Sources | Past | Fetch | Examine | Fault
FromVault = Welcome | Beat | Done | Have | Need | Refused | _Answers | Fault

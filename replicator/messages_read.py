"""What is asked of a vault, and its answers."""

from replicator.change import Meta
from replicator.message import Message

# ------------------------------------------------------------------ to the vault


class Tree(Message, frozen=True, kw_only=True):
    """Sender or reader: list a source as it was at `at_ns` by the vault's clock (0: newest), `Listed` until `End`.

    `paths` limits it to these and what lies under them.
    """

    source: str
    at_ns: int = 0
    paths: list[bytes] = []


class Sources(Message, frozen=True, kw_only=True):
    """Reader: which sources are there? Answered by `Kept`."""


class Past(Message, frozen=True, kw_only=True):
    """Reader: every version of one path, newest first, as `Aged` until `End`."""

    source: str
    path: bytes


class Fetch(Message, frozen=True, kw_only=True):
    """Reader: the bytes named by this hash, as `Data` until `End`. From `offset` on, for one that goes on."""

    hash: bytes
    offset: int = 0


class Examine(Message, frozen=True, kw_only=True):
    """Reader: check every object and record against its hash: `Checked` and `Damaged` until `End`."""

    repair: bool = False


# ------------------------------------------------------------------ from the vault


class Kept(Message, frozen=True, kw_only=True):
    """Answer to `Sources`: source id and its position."""

    positions: dict[str, int]


class Listed(Message, frozen=True, kw_only=True):
    """Entries of a tree: path, meta, hash. Folders come before what is in them."""

    entries: list[tuple[bytes, Meta, bytes]]


class Aged(Message, frozen=True, kw_only=True):
    """Versions of a path, newest first: received_ns, meta (None: deleted), hash, position."""

    versions: list[tuple[int, Meta | None, bytes, int]]


class Data(Message, frozen=True, kw_only=True):
    """Bytes of an object follow in the frame."""

    offset: int


class Checked(Message, frozen=True, kw_only=True):
    """How far the examination is."""

    objects: int
    records: int
    bytes: int


class Damaged(Message, frozen=True, kw_only=True):
    """One thing that is not what its name says, and what was done about it."""

    what: str
    name: str
    reason: str
    repaired: bool = False


class End(Message, frozen=True, kw_only=True):
    """The answer is whole."""

    count: int = 0

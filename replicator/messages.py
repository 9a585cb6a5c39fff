"""What the two ends of the stream say to each other (FORMAT.md, The stream).

A message is a small header; `Put`, `Chunk` and `Data` are followed by bytes in the same frame.
"""

from replicator.message import Message
from replicator.messages_kept import (
    Base,
    Cancel,
    Chunk,
    Delete,
    Done,
    Have,
    Mark,
    Need,
    Put,
    Refused,
    Resume,
    Seal,
)
from replicator.messages_read import (
    Aged,
    Checked,
    Damaged,
    Data,
    End,
    Examine,
    Fetch,
    Kept,
    Listed,
    Past,
    Sources,
    Tree,
)

#: Both ends must speak the same; a vault refuses another with `Fault`.
PROTOCOL = 2
#: A file up to this many bytes travels within its `Put`; a larger one in `Chunk`s before it.
INLINE = 256 * 1024
#: Bytes of one `Chunk` or `Data`.
CHUNK = 256 * 1024
#: What this vault can do beside what every vault of the protocol can.
TAKES = ["resume", "zstd"]


class Beat(Message, frozen=True, kw_only=True):
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


class Fault(Message, frozen=True, kw_only=True):
    """The stream ends here, and why. The other end closes."""

    code: str
    text: str
    hint: str = ""


class Hello(Message, frozen=True, kw_only=True):
    """First message. `role` is `sender` or `reader`; a reader names no sources and gets no say in what is kept."""

    protocol: int
    role: str
    site: str
    sources: list[str] = []


class Welcome(Message, frozen=True, kw_only=True):
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


_Kept = Put | Base | Resume | Chunk | Cancel | Delete | Seal | Mark
_Answers = Kept | Listed | Aged | Data | Checked | Damaged | End
ToVault = Hello | Beat | _Kept | Tree | Sources | Past | Fetch | Examine | Fault
FromVault = Welcome | Beat | Done | Have | Need | Refused | _Answers | Fault

__all__ = [
    "CHUNK",
    "INLINE",
    "PROTOCOL",
    "TAKES",
    "Aged",
    "Base",
    "Beat",
    "Cancel",
    "Checked",
    "Chunk",
    "Damaged",
    "Data",
    "Delete",
    "Done",
    "End",
    "Examine",
    "Fault",
    "Fetch",
    "FromVault",
    "Have",
    "Hello",
    "Kept",
    "Listed",
    "Mark",
    "Need",
    "Past",
    "Put",
    "Refused",
    "Resume",
    "Seal",
    "Sources",
    "ToVault",
    "Tree",
    "Welcome",
]

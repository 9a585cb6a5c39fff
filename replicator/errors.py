"""What can go wrong in replication.

ReplicatorError
├── WireError            bytes that are no frame, or a frame that is no message
├── StreamError          the connection: not made, cut, silent
│   ├── TlsError         certificates, keys, the handshake
│   └── FaultError       the other end said why it ends the stream
├── PathError            a path or source id that the vault does not take
├── TimeError            a text that is no time
├── VaultError           the vault as a whole
│   ├── LockedError      another process writes there
│   ├── FormatError      not a vault, or of another version
│   └── BrokenError      a flush failed: nothing more is acknowledged
│       └── CatalogError the index is damaged: it is built again at the next start
├── FullError            no space for this item
├── DamagedError         a record or object is not what its hash says
│   └── BaseError        what a delta copies from is not there, or damaged
├── UnknownError         no such source, path or object
├── TargetError          the folder to restore into cannot be used
└── JournalError         the source side's memory cannot be read or written
"""


class ReplicatorError(Exception):
    """Base of this package's errors; `hint` is the operator's next step."""

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class WireError(ReplicatorError):
    """The bytes are no frame, or the frame is no message. The connection ends."""


class StreamError(ReplicatorError):
    """The connection was not made, was cut, or is silent."""


class TlsError(StreamError):
    """A certificate or key is missing, wrong, or was refused."""


class FaultError(StreamError):
    """The other end ended the stream and said why."""

    def __init__(self, code: str, text: str, *, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.code = code


class PathError(ReplicatorError):
    """A path or a source id that no vault takes: it could lead outside its folder."""


class TimeError(ReplicatorError):
    """A text that is no time."""


class VaultError(ReplicatorError):
    """The vault as a whole cannot be used."""


class LockedError(VaultError):
    """Another process writes to this vault."""


class FormatError(VaultError):
    """The folder is no vault, or of a version that this one does not know."""


class BrokenError(VaultError):
    """A flush failed. What was not acknowledged may be lost here; the sender still has it. The process must end."""


class CatalogError(BrokenError):
    """The catalog's file is damaged. The process must end; the next start builds it again from the journal."""


class FullError(ReplicatorError):
    """There is no space for this item; later there may be."""


class DamagedError(ReplicatorError):
    """A record or an object is not what its hash says."""


class BaseError(DamagedError):
    """What a delta copies from is not there, or (`damaged`) its bytes are not what its name says."""

    def __init__(self, text: str, *, damaged: bool = False) -> None:
        super().__init__(text, hint="bongsu verify" if damaged else "")
        self.damaged = damaged


class UnknownError(ReplicatorError):
    """There is no such source, path or object."""


class TargetError(ReplicatorError):
    """The folder to restore into cannot be used."""


class JournalError(ReplicatorError):
    """The journal cannot be read or written. What it holds can be found again by a scan and from the vault."""

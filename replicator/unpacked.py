"""What a sender's message brings, however it travelled."""

from replicator.errors import WireError
from replicator.messages import Chunk, Put, ToVault
from replicator.zstd import unpack


def unpacked(message: ToVault, payload: bytes) -> bytes:
    """The payload as it was before it was packed, or as it is.

    Raises:
        WireError: it is not what the message says, or nothing can be packed there.
    """
    if not isinstance(message, Put | Chunk) or not message.packed:
        return payload
    if (isinstance(message, Put) and not message.inline) or (isinstance(message, Chunk) and message.zeros):
        raise WireError(f"unpack frame: a {type(message).__name__.lower()} without bytes says that they are packed")
    return unpack(payload, message.packed)

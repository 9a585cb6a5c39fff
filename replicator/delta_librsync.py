"""The only file that uses librsync (python-rsync). Its `patch` is never used: it loops for ever on a damaged base."""

import io
import struct

import pyrsync  # type: ignore[import-untyped]

#: Bytes kept of each block's BLAKE2 sum; what is made with it is checked by SHA-256.
STRONG = 12
#: Bytes of a signature's entry: the rolling sum and the strong one.
ENTRY = 4 + STRONG
_MAGIC: int = pyrsync.RS_RK_BLAKE2_SIG_MAGIC
_HEAD = struct.Struct(">III")
#: Bytes before and after a delta's commands.
_BEFORE, _AFTER = 4, 1


def entries(data: bytes, block: int) -> bytes:
    """A signature's entries, one for each block of these bytes."""
    out = io.BytesIO()
    pyrsync.signature(io.BytesIO(data), out, STRONG, _MAGIC, block)
    return out.getvalue()[_HEAD.size :]


def search(data: bytes | memoryview, sums: bytes, block: int) -> bytes:
    """Commands that make these bytes from a file with such a signature, wherever in it they stand.

    Args:
        data: the bytes.
        sums: the entries of all the file's blocks.
        block: bytes of a block.
    """
    out = io.BytesIO()
    signature = io.BytesIO(_HEAD.pack(_MAGIC, block, STRONG) + sums)
    pyrsync.delta(io.BytesIO(data), signature, out)
    return out.getvalue()[_BEFORE:-_AFTER]

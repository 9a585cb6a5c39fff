"""Packs and unpacks pieces of content (FORMAT.md, Packed bytes). Each is a frame that stands alone."""

import struct

import zstandard

from replicator.errors import WireError
from replicator.wire import PAYLOAD_MAX

#: Other frames, those that are to be skipped among them, begin otherwise.
_MAGIC = struct.pack("<I", zstandard.MAGIC_NUMBER)


class Compressor:
    """Packs; for one thread at a time. Its tables are made at the first use of a level and kept."""

    def __init__(self) -> None:
        self._levels: dict[int, zstandard.ZstdCompressor] = {}

    def pack(self, data: bytes | memoryview, level: int) -> bytes:
        """One frame."""
        if (compressor := self._levels.get(level)) is None:
            compressor = self._levels[level] = zstandard.ZstdCompressor(level=level)
        return compressor.compress(data)


def unpack(frame: bytes, size: int) -> bytes:
    """The bytes of a frame that somebody sent; of `size` bytes, or none.

    At most 1 MiB, which takes 0.1 to 1.6 ms: short enough for an event loop.

    Raises:
        WireError: it is no frame of so many bytes. No memory was taken for more.
    """
    if not 0 < size <= PAYLOAD_MAX:
        raise WireError(f"unpack frame: {size} bytes are over the limit, or none")
    try:
        said = zstandard.get_frame_parameters(frame)
        if not frame.startswith(_MAGIC) or said.content_size != size:
            raise WireError(f"unpack frame: it is none of {size} bytes")
        # The library looks at the window only where it keeps one; what asks for more is refused whatever it would take.
        if said.window_size > PAYLOAD_MAX or said.dict_id:
            raise WireError(f"unpack frame: it asks for a window of {said.window_size} bytes or a dictionary")
        decompressor = zstandard.ZstdDecompressor(max_window_size=PAYLOAD_MAX)
        data = decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise WireError(f"unpack frame: {str(error).lower()}") from None
    if len(data) != size:
        raise WireError(f"unpack frame: {len(data)} bytes came of it, not {size}")
    return data

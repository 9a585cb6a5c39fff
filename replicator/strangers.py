"""What was never held: a bitmap that answers most questions of a first copy without the database."""

from collections.abc import Hashable

#: Bits: a mebibyte of memory; at a million keys one question in nine is asked in vain.
_BITS = 1 << 23


class Strangers:
    """Keys are only ever added. It may take a stranger for an acquaintance, never the other way round."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)

    def add(self, key: Hashable) -> None:
        """This one is no stranger any more."""
        bit = hash(key) % _BITS
        self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, key: Hashable) -> bool:
        """Whether it was certainly never added."""
        bit = hash(key) % _BITS
        return not self._bits[bit >> 3] >> (bit & 7) & 1

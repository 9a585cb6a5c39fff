"""What the tests of the source side share: waiting, hearing, and trees of awkward names."""

import hashlib
import time
from collections.abc import Callable, Sequence

from replicator.signature import Regions, Signature, renew
from replicator.watcher import Dirty, Grade

#: Seconds that anything may take on a loaded machine before a test gives up.
LIMIT = 30.0

#: Names as they come: CP949 bytes, decomposed Hangul, a newline, the longest, leading dash and dot, odd bytes.
NAMES = [
    "보고서.hwp".encode("cp949"),
    b"\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8.txt",
    b"line\nbreak",
    b"x" * 255,
    b"-rf",
    b"..hidden",
    b" space ",
    b"\xff\xfe\x01",
]


def until(true: Callable[[], object], limit: float = LIMIT) -> bool:
    """Poll until it holds; whether it does."""
    end = time.monotonic() + limit
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Heard:
    """A listener that remembers all it was told."""

    def __init__(self) -> None:
        self.told: list[Dirty] = []
        self.inodes: set[int] = set()
        self.blinds: list[tuple[str, bool]] = []
        self.losses: list[str] = []

    def dirty(self, batch: Sequence[Dirty]) -> None:
        """As of `Listener`."""
        self.told += batch

    def linked(self, inodes: Sequence[int]) -> None:
        """As of `Listener`."""
        self.inodes.update(inodes)

    def blind(self, reason: str, *, lasting: bool) -> None:
        """As of `Listener`."""
        self.blinds.append((reason, lasting))

    def lost(self, reason: str) -> None:
        """As of `Listener`."""
        self.losses.append(reason)

    def paths(self, grade: Grade = Grade.NOW) -> set[bytes]:
        """Which paths were told so."""
        return {dirty.path for dirty in self.told if dirty.grade is grade}

    def clear(self) -> None:
        """Begin anew."""
        self.told.clear()
        self.inodes.clear()


def signature_of(data: bytes, old: Signature | None = None) -> Signature:
    """The signature of these bytes, as it is made of a file's; with the one that the file had before."""
    regions = Regions()
    regions.feed(data)
    digest = hashlib.sha256(data).digest()
    made = renew(lambda offset, count: data[offset : offset + count], digest, len(data), regions.sums(), old)
    assert made is not None
    return made

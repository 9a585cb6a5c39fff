"""Whether what leaves is packed: only where the line is the bottleneck, and only what shrinks."""

from typing import NamedTuple

from replicator.zstd import Compressor

#: Levels of zstd, best first, and bytes a second of documents that one core packs at each (measured on text, tables,
#: markup and programs: 140 to 560, 190 to 720, 220 to 900 MB/s).
_SPEEDS = ((3, 150e6), (2, 220e6), (1, 300e6))
#: A level is taken on a line so many times slower: the core has other work, and what is packed may shrink little.
_CLEARLY = 8
#: Below so many bytes there is nothing to win.
SHORT = 512
#: What is packed must be smaller by one part in so many.
_WORTH = 16
#: Bytes of a body that are tried first.
_TRIAL = 16 * 1024
#: Bytes of an upload that go as they are after a part that did not shrink; doubled each time, up to the second.
_REST, _REST_MOST = 1024 * 1024, 64 * 1024 * 1024
#: A chunk may grow with how much of it is saved, but a part that does not shrink must not hold the line much longer.
_GROW = 4.0

#: Why bytes go as they are; labels of a metric. `vault`: it does not unpack; `unknown`: nobody knows the line yet.
REASONS = ("vault", "unknown", "fast", "short", "dense")


class Plan(NamedTuple):
    """Whether to pack. `level` 0: as it is, and `reason` says why; else `reason` is `slow`."""

    level: int
    reason: str


class Parcel(NamedTuple):
    """What goes on the line. `packed`: its bytes when unpacked; 0: it is as it is, and `reason` is one of `REASONS`."""

    data: bytes | memoryview
    packed: int
    reason: str


def plan(rate: float | None, *, able: bool) -> Plan:
    """What a line of so many bytes a second asks for; `rate` None: unknown. `able`: whether the vault unpacks."""
    if not able:
        return Plan(0, "vault")
    if not rate:
        return Plan(0, "unknown")
    for level, speed in _SPEEDS:
        if rate * _CLEARLY <= speed:
            return Plan(level, "slow")
    return Plan(0, "fast")


def worth(before: int, after: int) -> bool:
    """Whether packing saved enough."""
    return after + before // _WORTH < before


class Uploaded:
    """How well one upload shrinks."""

    def __init__(self) -> None:
        self.grow = 1.0
        self._rest = 0
        self._next = _REST

    def tries(self, count: int) -> bool:
        """Whether the next so many bytes are worth a try."""
        if self._rest <= 0:
            return True
        self._rest -= count
        return False

    def tried(self, before: int, after: int) -> None:
        """What came of it: what does not shrink is left alone for a while, then tried again."""
        if worth(before, after):
            self.grow, self._next = min(_GROW, before / after), _REST
            return
        self.grow, self._rest, self._next = 1.0, self._next, min(self._next * 2, _REST_MOST)


class Packer:
    """Packs what leaves over one connection. For one thread at a time."""

    def __init__(self) -> None:
        self._compressor = Compressor()
        self._uploads: dict[int, Uploaded] = {}

    def body(self, data: bytes, wanted: Plan) -> Parcel:
        """A small file."""
        if not wanted.level:
            return Parcel(data, 0, wanted.reason)
        if len(data) < SHORT:
            return Parcel(data, 0, "short")
        if len(data) > 2 * _TRIAL:
            start = (len(data) - _TRIAL) // 2  # what is packed already may have a head that is not
            with memoryview(data) as view:
                trial = self._compressor.pack(view[start : start + _TRIAL], 1)
            if not worth(_TRIAL, len(trial)):
                return Parcel(data, 0, "dense")
        return self._pack(data, wanted.level)

    def part(self, upload: int, data: memoryview, wanted: Plan) -> Parcel:
        """The next part of an upload."""
        if not wanted.level:
            return Parcel(data, 0, wanted.reason)
        if len(data) < SHORT:
            return Parcel(data, 0, "short")
        known = self._uploads.setdefault(upload, Uploaded())
        if not known.tries(len(data)):
            return Parcel(data, 0, "dense")
        parcel = self._pack(data, wanted.level)
        known.tried(len(data), len(parcel.data))
        return parcel

    def grow(self, upload: int) -> float:
        """How many bytes of an upload one on the line stands for."""
        known = self._uploads.get(upload)
        return known.grow if known else 1.0

    def forget(self, upload: int) -> None:
        """An upload is over."""
        self._uploads.pop(upload, None)

    def _pack(self, data: bytes | memoryview, level: int) -> Parcel:
        frame = self._compressor.pack(data, level)
        return Parcel(frame, len(data), "slow") if worth(len(data), len(frame)) else Parcel(data, 0, "dense")

"""Which reads bring all points of a profile: as few requests as the wire rewards."""

import msgspec

from sensors.link import BIT_FUNCTIONS, Request
from sensors.profile import Point, Profile

#: Most bits of one read (Modbus Application Protocol 1.1b3, 6.1); registers are bounded by the profile's `most`.
_MOST_BITS = 2000
_BITS_A_BYTE = 8


class Block(msgspec.Struct, frozen=True):
    """One read and the points that it brings."""

    request: Request
    points: tuple[Point, ...]

    def words_of(self, point: Point, values: tuple[int, ...]) -> tuple[int, ...]:
        """The point's own part of the answer."""
        start = point.pdu - self.request.pdu
        return values[start : start + point.words]


def plan(profile: Profile, unit: int) -> tuple[Block, ...]:
    """Merge the points of one function code whose gaps are small enough."""
    blocks: list[Block] = []
    for point in sorted(profile.point, key=lambda p: (p.function, p.pdu, p.words)):
        last = blocks[-1] if blocks else None
        merged = _joined(last, point, profile) if last else None
        if merged is None:
            blocks.append(Block(Request(unit, point.function, point.pdu, point.words), (point,)))
        else:
            blocks[-1] = merged
    return tuple(blocks)


def _joined(block: Block, point: Point, profile: Profile) -> Block | None:
    request = block.request
    end = request.pdu + request.count
    count = max(end, point.pdu + point.words) - request.pdu
    most = _MOST_BITS if point.function in BIT_FUNCTIONS else profile.most
    if point.function != request.function or point.pdu - end > profile.gap or count > most:
        return None
    return Block(msgspec.structs.replace(request, count=count), (*block.points, point))


def sync_request(blocks: tuple[Block, ...]) -> Request:
    """A read whose answer has a size that none of the blocks has; a part of the first block if possible."""
    first = blocks[0].request
    taken = {block.request.payload for block in blocks if block.request.function == first.function}
    step = _BITS_A_BYTE if first.function in BIT_FUNCTIONS else 1
    counts = (step * n for n in range(1, 2 + len(taken)))
    return next(
        request for count in counts if (request := msgspec.structs.replace(first, count=count)).payload not in taken
    )

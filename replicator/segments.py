"""Reading the journal: whole records in order, and every place where there is none."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from replicator.durable import expect, forget
from replicator.errors import DamagedError
from replicator.records import HEAD, MAGIC, NOTHING, Head, Record, What, link, read_head, read_header

#: Why a record is bad whose state is known and whose payload is not.
SPOILED = "content is not what its hash says"
_SCAN = 1024 * 1024
_AHEAD = 64 * 1024


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the journal, just behind a record, and what is known of that record."""

    segment: int = 1
    offset: int = 0
    chain: bytes = NOTHING
    sequence: int = 0
    at_ns: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One whole record and where it stands.

    Attributes:
        record: what it says.
        segment: the segment's number.
        offset: its first byte.
        end: the byte behind it.
        content: the first byte of its payload.
        chain: its link.
    """

    record: Record
    segment: int
    offset: int
    end: int
    content: int
    chain: bytes

    @property
    def mark(self) -> Mark:
        """The place just behind this record."""
        return Mark(
            segment=self.segment,
            offset=self.end,
            chain=self.chain,
            sequence=self.record.sequence,
            at_ns=self.record.at_ns,
        )

    @property
    def size(self) -> int:
        """Bytes of its payload."""
        return self.end - self.content


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are no record, or a record that does not follow the one before.

    Attributes:
        segment: the segment's number.
        offset: the first bad byte.
        end: where the next whole record begins, or the segment's end.
        reason: what is wrong.
        torn: whether it may be the unacknowledged end of an interrupted write.
    """

    segment: int
    offset: int
    end: int
    reason: str
    torn: bool = False

    @property
    def name(self) -> str:
        """What people call the place."""
        return f"{segment_name(self.segment)}:{self.offset}"


def segment_name(number: int) -> str:
    """A segment's file name."""
    return f"{number:08d}.seg"


def segment_numbers(folder: Path) -> list[int]:
    """The segments that are there, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.seg") if path.stem.isdigit())


class Segment:
    """One open segment file, for reading."""

    def __init__(self, folder: Path, number: int, vault: str) -> None:
        self.number = number
        self._vault = vault
        self._fd = os.open(folder / segment_name(number), os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at(self, offset: int) -> Found | None:
        """The whole record at an offset, its payload not looked at; None when there is none."""
        ahead = os.pread(self._fd, HEAD.size + 512, offset)
        head = read_head(ahead)
        if head is None or offset + HEAD.size + head.body > self.size:
            return None
        header = ahead[HEAD.size : HEAD.size + head.header]
        if len(header) < head.header:
            header = os.pread(self._fd, head.header, offset + HEAD.size)
        record = read_header(head, header, vault=self._vault)
        return None if record is None else self._found(record, head, offset)

    def follows(self, previous: bytes, found: Found) -> bool:
        """Whether the record's link is the one that must come after `previous`."""
        start = found.offset + HEAD.size
        header = os.pread(self._fd, found.content - start, start)
        return link(previous, header) == found.chain

    def content(self, found: Found) -> bytes:
        """A record's payload, not checked."""
        return os.pread(self._fd, found.size, found.content)

    def expect(self, offset: int) -> None:
        """All from here on will be read."""
        expect(self._fd, offset, self.size - offset)

    def forget(self, start: int, end: int) -> None:
        """These bytes will not be read again soon."""
        forget(self._fd, start, end - start)

    def whole(self, found: Found) -> bool:
        """Whether a record's payload is what its hash says."""
        return not found.record.inline or hashlib.sha256(self.content(found)).digest() == found.record.hash

    def next_whole(self, offset: int, sequence: int) -> Found | None:
        """The first whole record at or behind an offset that is newer than `sequence`."""
        head = read_head(os.pread(self._fd, HEAD.size, offset))
        if head is not None and (found := self._newer(offset + HEAD.size + head.body, sequence)):
            return found
        at = offset + 1
        while at < self.size:
            block = os.pread(self._fd, _SCAN, at)
            hit = block.find(MAGIC)
            while hit >= 0:
                if found := self._newer(at + hit, sequence):
                    return found
                hit = block.find(MAGIC, hit + 1)
            at += max(len(block) - len(MAGIC) + 1, 1)
        return None

    def _newer(self, offset: int, sequence: int) -> Found | None:
        found = self.at(offset)
        return found if found is not None and found.record.sequence > sequence else None

    def _found(self, record: Record, head: Head, offset: int) -> Found:
        content = offset + HEAD.size + head.header
        return Found(
            record=record,
            segment=self.number,
            offset=offset,
            end=offset + HEAD.size + head.body,
            content=content,
            chain=head.chain,
        )


def read(folder: Path, vault: str, mark: Mark | None = None, *, contents: bool = True) -> Iterator[Found | Bad]:
    """Everything behind a mark, in order.

    Args:
        folder: the journal.
        vault: the vault's id.
        mark: where to begin; None for the start.
        contents: whether to check payloads against their hashes, too.

    Yields:
        `Found` for each whole record, `Bad` for each place that is not one. A record whose payload is damaged
        is yielded as `Found` behind its `Bad`: its state is known, only its bytes are not.
    """
    mark = mark or Mark()
    numbers = segment_numbers(folder)
    expected = mark.segment
    for number in (n for n in numbers if n >= mark.segment):
        if number > expected:
            yield Bad(segment=expected, offset=0, end=0, reason="segment is missing")
        offset = mark.offset if number == mark.segment else 0
        with Segment(folder, number, vault) as segment:
            for item in _walk(segment, offset, mark, last=number == numbers[-1], contents=contents):
                if isinstance(item, Found):
                    mark = item.mark
                yield item
        expected = number + 1


def _walk(segment: Segment, offset: int, mark: Mark, *, last: bool, contents: bool) -> Iterator[Found | Bad]:
    if offset > segment.size:
        yield Bad(segment=segment.number, offset=segment.size, end=segment.size, reason="shorter than acknowledged")
        return
    while offset < segment.size:
        found = segment.at(offset)
        if found is None:
            found = segment.next_whole(offset, mark.sequence)
            gap = _gap(segment, offset, found, last=last)
            yield gap
            if found is None or gap.torn:
                return  # whole records behind a torn one are of the same interrupted write: they are cut with it
        elif reason := _break(segment, mark, found):
            yield Bad(segment=segment.number, offset=offset, end=found.end, reason=reason)
        if contents and not segment.whole(found):
            torn = last and _only_torn(segment, found.offset, segment.next_whole(found.offset, found.record.sequence))
            yield Bad(
                segment=segment.number,
                offset=found.offset,
                end=found.end,
                reason=SPOILED,
                torn=torn,
            )
            if torn:
                return
        yield found
        mark, offset = found.mark, found.end


def _gap(segment: Segment, offset: int, after: Found | None, *, last: bool) -> Bad:
    return Bad(
        segment=segment.number,
        offset=offset,
        end=segment.size if after is None else after.offset,
        reason="no whole record",
        torn=last and _only_torn(segment, offset, after),
    )


def _only_torn(segment: Segment, offset: int, after: Found | None) -> bool:
    """Whether nothing behind the bad place proves that it had once been on disk."""
    while after is not None:
        if after.record.flushed > offset:
            return False
        after = segment.next_whole(after.offset, after.record.sequence)
    return True


def _break(segment: Segment, mark: Mark, found: Found) -> str:
    record = found.record
    if record.sequence != mark.sequence + 1:
        return f"record {record.sequence} follows record {mark.sequence}"
    previous = record.hash if record.what is What.BEGIN else mark.chain
    if record.what is What.BEGIN and record.hash != mark.chain:
        return "segment does not follow the one before"
    if not segment.follows(previous, found):
        return "record is not linked to the one before"
    if record.at_ns <= mark.at_ns:
        return "time does not rise"
    return ""


def read_content(folder: Path, number: int, offset: int, size: int) -> bytes:
    """Bytes of a payload whose place is known.

    Raises:
        DamagedError: the segment is not there or too short.
    """
    path = folder / segment_name(number)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DamagedError(f"read segment {path.name}: {str(error.strerror).lower()}") from None
    try:
        data = os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)
    if len(data) != size:
        raise DamagedError(f"read segment {path.name}: it ends before {offset + size}")
    return data

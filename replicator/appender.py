"""Writing the journal: records to the end of the last segment, then one flush (FORMAT.md, Order)."""

import contextlib
import os
from pathlib import Path

from msgspec.structs import replace

from replicator.durable import flush, flush_folder, forget, write_all, write_error, write_pieces
from replicator.errors import BrokenError, FullError
from replicator.records import Record, What, encode
from replicator.segments import Found, Mark, segment_name, segment_numbers

#: A segment is closed once it has passed this many bytes.
SEGMENT_BYTES = 64 * 1024 * 1024
#: Bytes of a commit among many, and of commits without a pause between them, from which on memory is given back.
_DENSE = 2 * 1024 * 1024
_STREAM = 64 * 1024 * 1024


class Appender:
    """The end of the journal. For one thread. After `BrokenError` it must not be used again."""

    def __init__(self, folder: Path, vault: str, mark: Mark, *, new_segment: bool) -> None:
        self.mark = mark
        self._folder = folder
        self._vault = vault
        self._fd = -1
        self._streamed = 0
        self._dirty = (0, 0)
        if not new_segment:
            self._fd = os.open(folder / segment_name(mark.segment), os.O_WRONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, items: list[tuple[Record, bytes]], now_ns: int) -> list[Found]:
        """Write records with their payloads; sequence, time and `flushed` are set here.

        `flush` must come before the next.

        Returns:
            The records as they will stand on disk; `mark` is behind the last one.

        Raises:
            FullError: no room; nothing of it remains.
            BrokenError: the disk did not take them.
        """
        if self._fd < 0 or self.mark.offset >= SEGMENT_BYTES:
            self._next_segment(now_ns)
        start, segment, chain = self.mark.offset, self.mark.segment, self.mark.chain
        offset, sequence, at_ns = start, self.mark.sequence, self.mark.at_ns
        pieces: list[bytes] = []
        found: list[Found] = []
        for record, payload in items:
            stamped = replace(record, sequence=sequence + 1, at_ns=max(at_ns + 1, now_ns), flushed=start)
            head, chain, skip = encode(stamped, payload, vault=self._vault, previous=chain)
            pieces += (head, payload)
            found.append(
                Found(
                    record=stamped,
                    segment=segment,
                    offset=offset,
                    end=offset + skip + len(payload),
                    content=offset + skip,
                    chain=chain,
                )
            )
            offset, sequence, at_ns = found[-1].end, stamped.sequence, stamped.at_ns
        self._put(pieces, start)
        self.mark = found[-1].mark
        return found

    def _put(self, pieces: list[bytes], offset: int) -> None:
        name = segment_name(self.mark.segment)
        try:
            write_pieces(self._fd, pieces, offset, name)
        except FullError:
            self._cut(offset)
            raise
        self._dirty = (offset, sum(map(len, pieces)))

    def flush(self) -> None:
        """Put what was written on disk. From any thread, while nothing else is called.

        Raises:
            BrokenError: the disk did not take it.
        """
        flush(self._fd, segment_name(self.mark.segment))
        self._let_go(*self._dirty)

    def _let_go(self, offset: int, size: int) -> None:
        """In a long stream of documents, give the memory of what is on disk to what comes next.

        New memory costs more than writing to it, and `current/` is too far behind to find these bytes there.
        """
        self._streamed = self._streamed + size if size >= _DENSE else 0
        if self._streamed > _STREAM:
            forget(self._fd, offset, size)

    def _cut(self, offset: int) -> None:
        try:
            os.ftruncate(self._fd, offset)
        except OSError as error:
            raise BrokenError(f"cut {segment_name(self.mark.segment)}: {str(error.strerror).lower()}") from None

    def _next_segment(self, now_ns: int) -> None:
        """Close the present segment for ever and begin the next; its first record links it to this one."""
        number = max(segment_numbers(self._folder), default=0) + 1
        path = self._folder / segment_name(number)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise write_error("make", path.name, error) from None
        begin = Record(
            what=What.BEGIN,
            sequence=self.mark.sequence + 1,
            at_ns=max(self.mark.at_ns + 1, now_ns),
            flushed=0,
            position=number,
            hash=self.mark.chain,
            name=self._vault,
        )
        head, chain, _ = encode(begin, b"", vault=self._vault, previous=self.mark.chain)
        try:
            write_all(descriptor, head, 0, path.name)
        except FullError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        flush(descriptor, path.name)
        flush_folder(self._folder)
        self._seal()
        self._fd = descriptor
        self.mark = Mark(segment=number, offset=len(head), chain=chain, sequence=begin.sequence, at_ns=begin.at_ns)

    def _seal(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.fchmod(self._fd, 0o444)
            os.close(self._fd)

"""Reads a large file that has changed and says it as commands over what the vault has of it (FORMAT.md, Deltas).

Most large files change in place or at their end: there, comparing regions and blocks at their old places finds what
changed, at the speed of a checksum. Where a long stretch differs, something may have moved, and librsync looks for it.
"""

import zlib
from collections.abc import Iterator

from replicator.delta_commands import END, MAGIC, copy, literal
from replicator.delta_librsync import search
from replicator.largefile import LargeFile
from replicator.signature import BLOCK, REGION, Signature, Sums, length_of, numbers, sum_bytes

#: Bytes of the file that one `read` takes; more while librsync is at work, for it reads its signature each time.
_STEP = 2 * 1024 * 1024
_STEP_MOST = 8 * 1024 * 1024
#: A stretch that differs is given to librsync from this many bytes on, less in small files.
_LONG_MOST = 128 * 1024
_LONG_LEAST = 16 * 1024
_LONG_SHARE = 64
#: Of a stretch's bytes librsync must leave less than this share, or the next stretches go without it.
_POOR = 0.9

Run = tuple[bool, int, int]


class Delta:
    """One file being read; for one thread at a time. Errors are those of `LargeFile`.

    Args:
        file: open, nothing read of it.
        base: what the vault has.
        grown: believe that all of the base is its start, until the hash tells.

    Attributes:
        differs: whether anything has differed so far from what the vault has.
        ended: whether all was read and said.
        wrong: the belief was wrong: what was said must be given up, and the file read anew without it.
    """

    def __init__(self, file: LargeFile, base: Signature, *, grown: bool = False) -> None:
        self.wrong = False
        self._grown = base.size if grown else 0
        self.differs = file.size != base.size
        self.ended = False
        self._file = file
        self._base = base
        self._regions = numbers(base.regions)
        self._blocks = numbers(base.blocks)
        self._long = max(_LONG_LEAST, min(_LONG_MOST, file.size // _LONG_SHARE))
        self._step = _STEP
        self._at = 0
        self._moved = False
        self._skip = self._skipped = 0
        self._copy = (0, 0)
        self._out = [MAGIC]

    def prefix(self) -> None:
        """The file's first bytes, as many as the base has, were read and are the base."""
        self._at = self._base.size
        self._copy = (0, self._base.size)

    def read(self) -> bytes | None:
        """The next commands, none while nothing differs; None when the file changed so that they are no state of it."""
        if self._at < self._grown:
            return self._believed()
        parts: list[bytes] = []
        have = 0
        while have < self._step - self._at % REGION and not self._file.ended:
            if (data := self._file.read()) is None:
                return None
            parts.append(data)
            have += len(data)
        self._stretch(b"".join(parts))
        self._at += have
        self.ended = self._file.ended
        return self._said()

    def _believed(self) -> bytes | None:
        """The next part of the base, said before it is proved: the vault copies while this end hashes."""
        data = self._file.read(min(_STEP, self._grown - self._at), sums=False)
        if data is None:
            return None
        self._say_copy(self._at, len(data))
        self._at += len(data)
        if self._at == self._grown:
            self.wrong = self._file.digest != self._base.hash
            self._file.regions.resume(self._regions, self._at)
        return self._said()

    def _said(self) -> bytes:
        if not self.differs:
            return b""
        self._flush()
        if self.ended:
            self._out.append(END)
        said, self._out = b"".join(self._out), []
        return said

    def _stretch(self, data: bytes) -> None:
        view = memoryview(data)
        self._step = _STEP
        for same, start, end in self._runs(view):
            if same:
                self._say_copy(self._at + start, end - start)
                self._moved = False
            else:
                self.differs = True
                self._say_new(view[start:end], self._at + start)
        if self._moved:  # it goes on behind this stretch
            self._step = min(max(2 * len(data), _STEP), _STEP_MOST)

    # ------------------------------------------------------------------ what is where it was

    def _runs(self, view: memoryview) -> list[Run]:
        """Stretches that are, or are not, what stands in the base at the same place."""
        runs: list[Run] = []
        for same, start, end in self._parts(view):
            if runs and runs[-1][0] == same:
                runs[-1] = (same, runs[-1][1], end)
            else:
                runs.append((same, start, end))
        return runs

    def _parts(self, view: memoryview) -> Iterator[Run]:
        at = 0
        while at < len(view):
            index, skew = divmod(self._at + at, REGION)
            end = min(len(view), at + REGION - skew)
            if not skew and self._is(self._regions, index, REGION, end - at) == self._file.regions[index]:
                yield True, at, end
            else:
                yield from self._blocks_of(view, at, end)
            at = end

    def _blocks_of(self, view: memoryview, start: int, end: int) -> Iterator[Run]:
        for at in range(start, end, BLOCK):
            stop = min(end, at + BLOCK)
            index, skew = divmod(self._at + at, BLOCK)
            known = None if skew else self._is(self._blocks, index, BLOCK, stop - at)
            yield known is not None and known == zlib.crc32(view[at:stop]), at, stop

    def _is(self, sums: Sums, index: int, unit: int, length: int) -> int | None:
        """The base's checksum of this region or block, if it has one of this length."""
        if index >= len(sums) or length_of(self._base.size, index, unit) != length:
            return None
        return sums[index]

    # ------------------------------------------------------------------ what is not

    def _say_new(self, view: memoryview, at: int) -> None:
        """Bytes that are not where they were: new, or moved."""
        appended = at >= self._base.size - self._base.size % BLOCK and not self._moved
        if len(view) < self._long or appended or not self._base.sums:
            self._say(literal(view))
        elif self._skip:
            self._skip -= 1
            self._moved = True
            self._say(literal(view))
        else:
            self._search(view)

    def _search(self, view: memoryview) -> None:
        found = search(view, self._base.sums, sum_bytes(self._base.size))
        poor = len(found) > _POOR * len(view)
        # Each time in vain it is left out twice as often: a file that was encrypted anew has nothing to find.
        self._skipped = (2 * self._skipped or 1) if poor else 0
        self._skip = self._skipped // 2
        self._moved = True
        self._say(found)

    def _say_copy(self, offset: int, length: int) -> None:
        where, many = self._copy
        if many and where + many == offset:
            self._copy = (where, many + length)
        else:
            self._flush()
            self._copy = (offset, length)

    def _say(self, command: bytes) -> None:
        self._flush()
        self._out.append(command)

    def _flush(self) -> None:
        if self._copy[1]:
            self._out.append(copy(*self._copy))
            self._copy = (0, 0)

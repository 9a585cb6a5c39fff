"""Makes an object from another one and a delta, trusting neither (FORMAT.md, Deltas)."""

import contextlib
import hashlib
import os
import sqlite3

from replicator import holes
from replicator.contents import Contents
from replicator.delta_commands import Commands, Copy
from replicator.errors import BaseError, DamagedError, UnknownError
from replicator.objects import Objects, Upload

#: Bytes copied from the base in one go.
_COPY = 1024 * 1024
_CATALOG = "catalog.sqlite"
#: A delta may be longer than what it makes by an eighth and this: no honest one is.
_SPARE = 64 * 1024


class Patch:
    """One object that is being made. `finish` or `drop` ends it; `drop` may be called twice, from another thread.

    Every command is checked before a byte of it is written: a copy lies within the base, the whole within the size
    that was said, the delta within a little more than that size. The result's hash decides in the end.

    Raises:
        BaseError: the base is not here, or of another size.
        FullError: no room.
        BrokenError: the disk did not take the file.
    """

    def __init__(self, objects: Objects, label: str, base: bytes, base_size: int, size: int) -> None:
        self.size = size
        self._base_hash = base
        self._base_size = base_size
        self._commands = Commands()
        self._taken = 0
        self._dropped = False
        self._base = _open_base(objects, base, base_size)
        try:
            found = os.fstat(self._base)
            if found.st_size != base_size:
                raise BaseError(f"open base {base.hex()}: it is not of {base_size} bytes", damaged=True)
            self._sparse = holes.has_holes(self._base, found)
            self._upload: Upload = objects.begin(label, size)
        except BaseException:
            os.close(self._base)
            raise

    def apply(self, delta: bytes) -> None:
        """The delta's next bytes.

        Raises:
            DamagedError: it is no delta, or one of another base or result.
            FullError: no room.
            BrokenError: the disk did not take them.
        """
        self._taken += len(delta)
        if self._taken > self.size + self.size // 8 + _SPARE:
            raise DamagedError(f"apply delta: longer than what it should make, {self.size} bytes")
        self._commands.feed(delta)
        while (command := self._commands.next()) is not None:
            length = command.length if isinstance(command, Copy) else len(command)
            if length > self.size - self._upload.received:
                raise DamagedError(f"apply delta: it makes more than {self.size} bytes")
            if isinstance(command, Copy):
                self._copy(command)
            else:
                self._upload.write(command)

    def _copy(self, command: Copy) -> None:
        offset, length = command
        if length > self._base_size or offset > self._base_size - length:
            raise DamagedError(f"apply delta: a copy of {length} at {offset} of a base of {self._base_size} bytes")
        while length and not self._dropped:
            try:
                data = self._data(offset, min(length, _COPY))
            except OSError as error:
                text = f"read base {self._base_hash.hex()}: {str(error.strerror).lower()}"
                raise BaseError(text, damaged=True) from None
            if not data:
                raise BaseError(f"read base {self._base_hash.hex()}: it ends at {offset}", damaged=True)
            self._upload.write(data)
            offset += len(data)
            length -= len(data)

    def _data(self, offset: int, count: int) -> bytes:
        if self._sparse and holes.all_hole(self._base, offset, offset + count):
            return holes.zeros(count)
        return os.pread(self._base, count, offset)

    def finish(self, digest: bytes) -> None:
        """Check and name it: it is durable when this returns.

        Raises:
            DamagedError: the delta is not whole, or what it made is not what the hash says.
            FullError: no room.
            BrokenError: the disk did not take it.
        """
        if not self._commands.ended:
            raise DamagedError("finish delta: its end did not come")
        self._upload.finish(digest)

    def sound(self) -> bool:
        """Whether the base is what its name says; reads all of it."""
        found = hashlib.sha256()
        offset = 0
        try:
            while data := os.pread(self._base, _COPY, offset):
                found.update(data)
                offset += len(data)
        except OSError:
            return False
        return found.digest() == self._base_hash

    def interrupt(self) -> None:
        """Let an `apply` in another thread end soon."""
        self._dropped = True

    def drop(self) -> None:
        """Close, and remove what has no name."""
        self.interrupt()
        self._upload.drop()
        if self._base >= 0:
            os.close(self._base)
            self._base = -1


def _open_base(objects: Objects, base: bytes, size: int) -> int:
    """An open object; one is made of a content that rides in a record.

    What the catalog has not got yet is not looked for in the journal: it comes whole sooner.

    Raises:
        BaseError: there is no such content, or it is damaged.
        FullError: no room for an object.
        BrokenError: the disk did not take it.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        if not objects.path(base).exists():
            root = objects.folder.parent
            with contextlib.closing(sqlite3.connect(f"{(root / _CATALOG).as_uri()}?mode=ro", uri=True)) as catalog:
                objects.keep(Contents(root, catalog).read(base), base, size)
        return os.open(objects.path(base), flags)
    except OSError as error:
        raise BaseError(f"open base {base.hex()}: {str(error.strerror).lower()}") from None
    except DamagedError as error:
        raise BaseError(f"open base {base.hex()}: {error}", damaged=True) from None
    except (UnknownError, sqlite3.Error) as error:
        raise BaseError(f"open base {base.hex()}: {error}") from None

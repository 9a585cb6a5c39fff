"""Contents too large for a record: one file each, named by its hash, written once (FORMAT.md, Order)."""

import contextlib
import hashlib
import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from replicator import holes
from replicator.durable import flush, start_flush, write_all, write_error
from replicator.errors import DamagedError, FullError, UnknownError
from replicator.object_names import ObjectNames

_READ = 256 * 1024
#: Bytes after which the disk is set to work on what has come of an object.
_EARLY = 8 * 1024 * 1024
_FILE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Objects:
    """The folder of objects. Safe to use from many threads."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "objects"
        self._text = str(self.folder)
        self.names = ObjectNames()
        self._incoming = root / "incoming"
        self._own = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def path(self, digest: bytes) -> Path:
        """Where an object stands or would stand."""
        text = digest.hex()
        return self.folder / text[:2] / text

    def has(self, digest: bytes, size: int) -> bool:
        """Whether an object of this hash and size is there; its bytes are not looked at."""
        text = digest.hex()
        try:  # asked for every new content: a path of strings is made in half the time
            return os.stat(f"{self._text}/{text[:2]}/{text}").st_size == size  # noqa: PTH116
        except OSError:
            return False

    def keeps(self, digest: bytes, size: int) -> bool:
        """As `has`; what is there is also there after a power cut.

        Raises:
            BrokenError: the disk did not take its name.
        """
        if not self.has(digest, size):
            return False
        self.names.settle(self.path(digest), digest)
        return True

    def read(self, digest: bytes, offset: int = 0) -> Iterator[bytes]:
        """An object's bytes in pieces, not checked.

        Raises:
            UnknownError: there is no such object.
            DamagedError: the disk does not give it.
        """
        try:
            with self.path(digest).open("rb") as file:
                file.seek(offset)
                while piece := file.read(_READ):
                    yield piece
        except FileNotFoundError:
            raise UnknownError(f"read object {digest.hex()}: it is not there", hint="bongsu verify --repair") from None
        except OSError as error:
            raise DamagedError(f"read object {digest.hex()}: {str(error.strerror).lower()}") from None

    def all(self) -> Iterator[Path]:
        """Every file in the folder, by name."""
        for folder in sorted(self.folder.iterdir()):
            if folder.is_dir():
                yield from sorted(folder.iterdir())

    def begin(self, label: str, size: int) -> "Upload":
        """A new object of `size` bytes, whose hash is not known yet.

        Its file is nobody else's, whatever the label: a sender that chose the name could write into another's bytes.
        """
        return Upload(self, self._incoming / f"{label}-{self._own}-{next(self._numbers)}", size)

    def keep(self, data: Iterator[bytes], digest: bytes, size: int) -> None:
        """Store bytes that are at hand.

        Raises:
            DamagedError: they are not what the hash says.
            FullError: no room.
        """
        upload = self.begin(f"keep-{digest.hex()}", size)
        try:
            for piece in data:
                upload.write(piece)
            upload.finish(digest)
        finally:
            upload.drop()


class Upload:
    """One object on its way in. `finish` or `drop` ends it; `drop` may be called after either.

    With `more` the file may be there already.
    """

    def __init__(self, objects: Objects, path: Path, size: int, *, more: bool = False) -> None:
        self.size = size
        self.received = 0
        self._objects = objects
        self._path = path
        self._hash = hashlib.sha256()
        self._started = 0
        try:
            self._fd = os.open(path, _FILE if more else _FILE | os.O_EXCL, 0o600)
        except OSError as error:
            raise write_error("make", str(path), error) from None

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            FullError: no room.
            BrokenError: the disk did not take them.
        """
        if not holes.empty(data):
            write_all(self._fd, data, self.received, str(self._path))
        self._hash.update(data)
        self.received += len(data)
        if self.received - self._started >= _EARLY:
            start_flush(self._fd, self._started, self.received - self._started)
            self._started = self.received

    def finish(self, digest: bytes) -> None:
        """Check and name it: it is durable when this returns.

        Raises:
            DamagedError: size or hash is another than was said.
            FullError: no room.
            BrokenError: the disk did not take it.
        """
        if self.received != self.size or self._hash.digest() != digest:
            raise DamagedError(f"store object {digest.hex()}: {self.received} bytes came that are not it")
        if self._objects.keeps(digest, self.size):
            return
        self._cut(self.size)  # where it ends with a hole
        flush(self._fd, str(self._path))
        try:
            os.fchmod(self._fd, 0o444)
        except OSError as error:
            raise FullError(f"seal object {digest.hex()}: {str(error.strerror).lower()}") from None
        self._objects.names.give(self._path, self._objects.path(digest), digest)

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise write_error("write", str(self._path), error) from None

    def drop(self) -> None:
        """Close, and remove what has no name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with contextlib.suppress(OSError):
            self._path.unlink()

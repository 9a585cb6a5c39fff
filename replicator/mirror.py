"""Bringing paths in `current/` to a state, folders dressed after what is in them."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Self

import structlog

from replicator.attributes import ACLS, USER
from replicator.catalog import decode_meta, key_of
from replicator.change import Kind, Meta
from replicator.contents import Contents
from replicator.durable import NO_SPACE
from replicator.errors import DamagedError, ReplicatorError
from replicator.paths import show
from replicator.place import Place
from replicator.segments import Found, Mark, Segment, segment_name

#: Set-uid and set-gid are not set: who holds the server room gets no program of root's here.
_MODES = 0o1777
_log = structlog.get_logger(__name__)


class Mirror:
    """Writes states into `current/`, and dresses the folders that were touched."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._db = sqlite3.connect(f"{(root / 'catalog.sqlite').as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self._contents = Contents(root, self._db)
        self._staging = os.open(root / "incoming", os.O_RDONLY | os.O_DIRECTORY)
        self._places: dict[str, tuple[int, Place]] = {}
        self._touched: dict[tuple[str, bytes], Meta | None] = {}
        self._left: set[tuple[str, bytes]] = set()
        self._segment: Segment | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor, place in self._places.values():
            place.close()
            os.close(descriptor)
        if self._segment is not None:
            self._segment.close()
        os.close(self._staging)
        self._db.close()

    def write(self, found: Found) -> None:
        """Bring one path to a record's state."""
        record = found.record
        self.set(record.source, record.path, record.meta, record.hash, found if record.inline else None)

    def set(self, source: str, path: bytes, meta: Meta | None, digest: bytes, found: Found | None = None) -> None:
        """Bring one path to a state; `found` is the record that has its content, where that is known."""
        place = self._place(source)
        above = path.rpartition(b"/")[0]
        if above:
            self._touched.setdefault((source, above), None)
        if meta is None:
            place.remove(path)
            if above:
                self._left.add((source, above))
        elif meta.kind is Kind.FOLDER:
            place.folder(path)
            self._touched[source, path] = meta
        elif meta.kind is Kind.LINK:
            place.link(path, meta)
        else:
            self._file(place, path, meta, digest, found)

    def dress(self) -> None:
        """Give every folder that was touched its mode and time again, the deepest first."""
        for source, path in sorted(self._left, reverse=True):
            self._uncover(source, path)
        self._left.clear()
        for (source, path), known in sorted(self._touched.items(), reverse=True):
            meta = known or self._newest(source, path)[0]
            if meta is not None and meta.kind is Kind.FOLDER:
                with contextlib.suppress(PermissionError):
                    self._place(source).dress(path, meta)
        self._touched.clear()

    def _uncover(self, source: str, path: bytes) -> None:
        """What was a folder only by what was in it is again what it was before, or gone, once nothing is in it."""
        while path:
            meta, digest = self._newest(source, path)
            if (meta is not None and meta.kind is Kind.FOLDER) or not self._place(source).remove_empty(path):
                return
            above = path.rpartition(b"/")[0]
            if above:
                self._touched.setdefault((source, above), None)
            if meta is not None:
                self._show_again(source, path, meta, digest)
                return
            path = above

    def _show_again(self, source: str, path: bytes, meta: Meta, digest: bytes) -> None:
        """One path; what cannot be written is told and left out, a full disk waits."""
        try:
            self.set(source, path, meta, digest)
        except (OSError, ReplicatorError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in NO_SPACE:
                raise
            _log.warning("current leaves out", source=source, path=show(path), reason=str(error))

    def _file(self, place: Place, path: bytes, meta: Meta, digest: bytes, found: Found | None) -> None:
        if found is not None and not self._contents.repaired(digest, found.size):
            place.file(path, meta, (self._payload(found),))
            return
        descriptor = self._contents.descriptor(digest)
        if descriptor is None:
            place.file(path, meta, self._contents.read(digest))
            return
        try:
            place.file(path, meta, descriptor)
        finally:
            os.close(descriptor)

    def expect(self, mark: Mark) -> None:
        """The journal will be read from here to the end of this segment."""
        with contextlib.suppress(FileNotFoundError):
            self._of(mark.segment).expect(mark.offset)

    def forget(self, first: Found, last: Found) -> None:
        """All records from one to the other are shown."""
        if first.segment == last.segment:
            self._of(first.segment).forget(first.offset, last.end)

    def _of(self, number: int) -> Segment:
        if self._segment is None or self._segment.number != number:
            old, self._segment = self._segment, None  # before it is closed: the next may not open
            if old is not None:
                old.close()
            self._segment = Segment(self._root / "journal", number, "")
        return self._segment

    def _payload(self, found: Found) -> bytes:
        data = self._of(found.segment).content(found)
        if len(data) != found.size:
            raise DamagedError(f"read segment {segment_name(found.segment)}: it ends before {found.end}")
        return data

    def _place(self, source: str) -> Place:
        if source not in self._places:
            folder = self._root / "current" / source
            folder.mkdir(exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            place = Place(descriptor, self._staging, modes=_MODES, own=os.geteuid() == 0, may=_may)
            self._places[source] = (descriptor, place)
        return self._places[source][1]

    def _newest(self, source: str, path: bytes) -> tuple[Meta | None, bytes]:
        """A path's newest state by the catalog, and its content's hash; no state where it is deleted or never was."""
        row = self._db.execute(
            "SELECT meta, hash FROM versions WHERE source = (SELECT number FROM sources WHERE source = ?) AND key = ? "
            "ORDER BY position DESC LIMIT 1",
            (source, key_of(path)),
        ).fetchone()
        return (None, b"") if row is None or row[0] is None else (decode_meta(row[0]), row[1])


def _may(attribute: bytes) -> bool:
    """No program gets rights here; ACLs speak of owners, and are set where owners are."""
    return attribute.startswith(USER) or (attribute in ACLS and os.geteuid() == 0)

"""Every record and object of a vault against its hash, and the catalog against the journal."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from replicator.catalog import key_of, state_of
from replicator.messages import Checked, Damaged
from replicator.objects import Objects
from replicator.records import Record, What
from replicator.recover import vault_id
from replicator.segments import SPOILED, Bad, Found, Mark, Segment, read

_TELL_EVERY = 1000


class Tally(msgspec.Struct):
    """What has been looked at so far.

    Attributes:
        objects: objects.
        records: records.
        read: their bytes.
        wanted: hashes that a record names; True when a record holds the content whole.
    """

    objects: int = 0
    records: int = 0
    read: int = 0
    wanted: dict[bytes, bool] = {}

    def checked(self) -> Checked:
        """The same as a message."""
        return Checked(objects=self.objects, records=self.records, bytes=self.read)


def examine(root: Path, *, repair: bool = False) -> Iterator[Checked | Damaged]:
    """Check a vault on this machine; `Checked` now and then and at the end, `Damaged` for each fault.

    A running daemon does not disturb it: what is being written is no damage. `repair` builds the catalog and `current/`
    again and stores damaged contents anew where the same bytes are found elsewhere; the journal is never changed.

    Raises:
        FormatError: it is no vault.
        LockedError: `repair` while a daemon runs.
    """
    if repair:
        from replicator.repair import repaired

        yield from repaired(root, lambda: _examine(root))
    else:
        yield from _examine(root)


def _examine(root: Path) -> Iterator[Checked | Damaged]:
    vault = vault_id(root)
    tally = Tally()
    catalog = _Catalog(root)
    try:
        yield from _journal(root, vault, tally, catalog)
        yield from catalog.faults()
    finally:
        catalog.close()
    yield from _objects(root, tally)
    yield tally.checked()


def _journal(root: Path, vault: str, tally: Tally, catalog: "_Catalog") -> Iterator[Checked | Damaged]:
    mark = Mark()
    for item in read(root / "journal", vault):
        if isinstance(item, Found):
            _count(item, tally)
            catalog.compare(item)
            mark = item.mark
            if tally.records % _TELL_EVERY == 0:
                yield tally.checked()
        elif not item.torn and not (item.reason == SPOILED and _held_elsewhere(root, vault, item)):
            catalog.journal_damaged = True
            yield Damaged(what="record", name=item.name, reason=item.reason)
    if catalog.mark.sequence > mark.sequence:
        yield Damaged(what="journal", name="end", reason="shorter than acknowledged")


def _count(item: Found, tally: Tally) -> None:
    record = item.record
    tally.records += 1
    tally.read += item.end - item.offset
    if record.what is What.PUT and record.hash:
        # A record's own content that is damaged has been told as such; it is not missing, too.
        tally.wanted[record.hash] = tally.wanted.get(record.hash, False) or record.inline


def _held_elsewhere(root: Path, vault: str, bad: Bad) -> bool:
    """Whether an object holds a damaged record's content whole: that is how it is repaired."""
    with Segment(root / "journal", bad.segment, vault) as segment:
        found = segment.at(bad.offset)
    return found is not None and _whole(Objects(root).path(found.record.hash), found.record.hash)


def _objects(root: Path, tally: Tally) -> Iterator[Checked | Damaged]:
    objects = Objects(root)
    for path in objects.all():
        tally.objects += 1
        tally.read += path.stat().st_size
        if not _whole(path, None):
            yield Damaged(what="object", name=path.name, reason="content is not what its name says")
        yield tally.checked()
    empty = hashlib.sha256(b"").digest()
    for digest, inline in tally.wanted.items():
        if not inline and digest != empty and not objects.path(digest).exists():
            yield Damaged(what="object", name=digest.hex(), reason="is missing")


def _whole(path: Path, digest: bytes | None) -> bool:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return False
    return found == digest if digest is not None else found.hex() == path.name


class _Catalog:
    """The catalog as `verify` looks at it: whatever it lacks or has wrong is one fault."""

    def __init__(self, root: Path) -> None:
        self.mark = Mark()
        self._fault = ""
        self.journal_damaged = False
        self._versions = 0
        self._db: sqlite3.Connection | None = None
        path = root / "catalog.sqlite"
        try:
            self._db = sqlite3.connect(
                f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            self._db.execute("BEGIN")
            row = self._db.execute("SELECT segment, offset, chain, sequence, at_ns FROM mark").fetchone()
            if row is not None:
                self.mark = Mark(segment=row[0], offset=row[1], chain=row[2], sequence=row[3], at_ns=row[4])
        except sqlite3.DatabaseError as error:
            self._fault = str(error)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def compare(self, found: Found) -> None:
        """Look one record up, when the catalog should have it."""
        record = found.record
        if self._fault or record.sequence > self.mark.sequence or record.what not in {What.PUT, What.DELETE}:
            return
        self._versions += 1
        try:
            if not self._has(record):
                self._fault = f"record {record.sequence} is missing or another"
        except sqlite3.DatabaseError as error:
            self._fault = str(error)

    def faults(self) -> Iterator[Damaged]:
        """What is wrong with it, if anything."""
        if not self._fault and not self.journal_damaged and self._db is not None:
            try:
                (count,) = self._db.execute("SELECT count(*) FROM versions").fetchone()
                if count != self._versions:
                    self._fault = f"{count} versions, the journal has {self._versions}"
            except sqlite3.DatabaseError as error:
                self._fault = str(error)
        if self._fault:
            yield Damaged(what="catalog", name="catalog.sqlite", reason=self._fault)

    def _has(self, record: Record) -> bool:
        if self._db is None:
            return False
        state = state_of(record.meta, record.hash)
        row = self._db.execute(
            "SELECT at_ns, meta, hash FROM versions WHERE key = ? AND position = ? "
            "AND source = (SELECT number FROM sources WHERE source = ?)",
            (key_of(record.path), record.position, record.source),
        ).fetchone()
        return bool(row == (record.at_ns, state.meta, state.hash))

"""The index over the journal: a SQLite file that may be deleted at any time (FORMAT.md, The vault on disk)."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from replicator.change import Meta
from replicator.errors import CatalogError, FormatError
from replicator.records import Record, What
from replicator.segments import Found, Mark

_VERSION = 2
#: What SQLite says of a disk, as against a file that is none of its own any more; above its first byte stand details.
_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_FIRST = 0xFF
#: Contents that are asked for at once.
_ASKED = 200
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (vault TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS mark (
    one INTEGER PRIMARY KEY CHECK (one = 1), segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    chain BLOB NOT NULL, sequence INTEGER NOT NULL, at_ns INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS sources (
    number INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, site TEXT NOT NULL, position INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS versions (
    source INTEGER NOT NULL, key BLOB NOT NULL, position INTEGER NOT NULL, at_ns INTEGER NOT NULL,
    meta BLOB, hash BLOB NOT NULL, PRIMARY KEY (source, key, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents (
    hash BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (
    source INTEGER NOT NULL, position INTEGER NOT NULL, at_ns INTEGER NOT NULL, name TEXT NOT NULL,
    pending INTEGER NOT NULL, pending_bytes INTEGER NOT NULL, oldest_ns INTEGER NOT NULL,
    PRIMARY KEY (source, position)
) WITHOUT ROWID;
"""
_encode = msgspec.msgpack.Encoder().encode
decode_meta = msgspec.msgpack.Decoder(Meta).decode


class State(msgspec.Struct, frozen=True):
    """A path's state as bytes, for comparing; meta None means deleted."""

    meta: bytes | None
    hash: bytes


def key_of(path: bytes) -> bytes:
    """A path so that sorting puts what is in a folder right behind it."""
    return path.replace(b"/", b"\0")


def path_of(key: bytes) -> bytes:
    """The path of a key."""
    return key.replace(b"\0", b"/")


def state_of(meta: Meta | None, digest: bytes) -> State:
    """A state as bytes."""
    return State(None if meta is None else _encode(meta), digest)


def damaged(error: sqlite3.DatabaseError) -> CatalogError:
    """What it means that SQLite finds the file to be none of its own any more."""
    return CatalogError(f"use catalog: {error}", hint="it is built again from the journal at the next start")


class Catalog:
    """The catalog for the one who writes it. For one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._numbers: dict[str, int] = {}

    @classmethod
    def open(cls, path: Path, vault: str) -> "Catalog":
        """Open or make it.

        Raises:
            FormatError: it is damaged, or another vault's; it may be deleted.
            OperationalError: the disk is full or does not answer; the file is as good as before.
        """
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may take the last transactions; the mark goes with them, and the journal has the rest.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA cache_size=-65536")
            connection.executescript(_SCHEMA)
            row = connection.execute("SELECT vault, version FROM about").fetchone()
            if row is None:
                connection.execute("INSERT INTO about VALUES (?, ?)", (vault, _VERSION))
            elif row != (vault, _VERSION):
                raise FormatError(f"open catalog {path}: it belongs to vault {row[0]}, format {row[1]}")
            catalog = cls(connection)
            catalog._load_numbers()
        except sqlite3.DatabaseError as error:
            connection.close()
            if error.sqlite_errorcode & _FIRST in _DISK:
                raise
            raise FormatError(f"open catalog {path}: {error}") from None
        except FormatError:
            connection.close()
            raise
        return catalog

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def mark(self) -> Mark:
        """How far the journal is in here."""
        row = self._db.execute("SELECT segment, offset, chain, sequence, at_ns FROM mark").fetchone()
        if row is None:
            return Mark()
        return Mark(segment=row[0], offset=row[1], chain=row[2], sequence=row[3], at_ns=row[4])

    def positions(self) -> dict[str, int]:
        """Each source's position."""
        return dict(self._db.execute("SELECT source, position FROM sources"))

    def sites(self) -> dict[str, str]:
        """Each source's site."""
        return dict(self._db.execute("SELECT source, site FROM sources"))

    def newest(self, source: str, path: bytes) -> State | None:
        """A path's newest state; None when it never was."""
        row = self._db.execute(
            "SELECT meta, hash FROM versions WHERE source = ? AND key = ? ORDER BY position DESC LIMIT 1",
            (self._numbers.get(source, 0), key_of(path)),
        ).fetchone()
        return None if row is None else State(row[0], row[1])

    def touches(self, source: str, path: bytes) -> bool:
        """Whether there is a version of this path or of one below it."""
        key = key_of(path)
        query = "SELECT 1 FROM versions WHERE source = ? AND key >= ? AND key < ? LIMIT 1"
        return self._db.execute(query, (self._numbers.get(source, 0), key, key + b"\1")).fetchone() is not None

    def below(self, source: str, path: bytes) -> Iterator[bytes]:
        """Every path below a folder whose newest state is not deleted."""
        key = key_of(path)
        query = "SELECT key, max(position), meta FROM versions WHERE source = ? AND key > ? AND key < ? GROUP BY key"
        for found, _, meta in self._db.execute(query, (self._numbers.get(source, 0), key + b"\0", key + b"\1")):
            if meta is not None:
                yield path_of(found)

    def held(self, digests: Iterable[bytes]) -> set[bytes]:
        """Which of these contents a record holds."""
        left = list(digests)
        found: set[bytes] = set()
        for start in range(0, len(left), _ASKED):
            some = left[start : start + _ASKED]
            some += some[-1:] * (_ASKED - len(some) if len(some) > 1 else 0)  # two questions that SQLite knows by heart
            query = f"SELECT hash FROM contents WHERE hash IN ({','.join('?' * len(some))})"  # noqa: S608 - marks
            found.update(digest for (digest,) in self._db.execute(query, some))
        return found

    def apply(self, items: Iterable[Found]) -> None:
        """Take records in, all or none, and the mark with them.

        Raises:
            CatalogError: the file is damaged; it must be deleted and built again.
        """
        items = list(items)
        if not items:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._take(items)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk ends it by itself
                    self._db.execute("ROLLBACK")
                self._load_numbers()
                raise
        except sqlite3.OperationalError:
            raise  # a full disk: the caller tries again, the journal has everything
        except sqlite3.DatabaseError as error:
            raise damaged(error) from None

    def _take(self, items: list[Found]) -> None:
        for found in items:
            if found.record.what is What.SOURCE:
                self._add_source(found.record)
        rows = Rows(self._numbers, items)
        self._db.executemany("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?, ?)", rows.versions)
        self._db.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?, ?, ?)", rows.contents)
        self._db.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?)", rows.points)
        self._db.executemany("UPDATE sources SET position = ? WHERE number = ?", rows.positions)
        mark = items[-1].mark
        self._db.execute(
            "INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?, ?, ?)",
            (mark.segment, mark.offset, mark.chain, mark.sequence, mark.at_ns),
        )

    def _add_source(self, record: Record) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO sources (source, site, position) VALUES (?, ?, 0)", (record.source, record.name)
        )
        self._load_numbers()

    def _load_numbers(self) -> None:
        self._numbers = dict(self._db.execute("SELECT source, number FROM sources"))


class Rows:
    """What records mean as rows of the catalog."""

    def __init__(self, numbers: dict[str, int], items: Iterable[Found]) -> None:
        self.versions: list[tuple[int, bytes, int, int, bytes | None, bytes]] = []
        self.contents: list[tuple[bytes, int, int, int]] = []
        self.points: list[tuple[int, int, int, str, int, int, int]] = []
        self._newest: dict[int, int] = {}
        for found in items:
            self._add(numbers, found)

    @property
    def positions(self) -> list[tuple[int, int]]:
        """Position and number of each source touched."""
        return [(position, number) for number, position in self._newest.items()]

    def _add(self, numbers: dict[str, int], found: Found) -> None:
        record = found.record
        number = numbers.get(record.source)
        if number is None:  # `begin`, or a source whose own record is damaged
            return
        self._newest[number] = record.position
        if record.what in {What.PUT, What.DELETE}:
            state = state_of(record.meta, record.hash)
            self.versions.append((number, key_of(record.path), record.position, record.at_ns, state.meta, state.hash))
            if record.inline:
                self.contents.append((record.hash, found.segment, found.content, found.size))
        elif record.what is What.SEAL:
            self.points.append(
                (
                    number,
                    record.position,
                    record.at_ns,
                    record.name,
                    record.pending,
                    record.pending_bytes,
                    record.oldest_ns,
                )
            )

"""What the journal holds of one path, and how a path stands in its tables."""

import msgspec

from replicator.change import Meta


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the vault has of a path, and by which marks its file here was seen to be that.

    Attributes:
        meta: as it was put.
        hash: SHA-256 of a file's bytes, empty for the rest.
        ino: inode, 0 when the file here was never compared (it comes from the vault's list).
        ctime_ns: change time of the inode when it was read.
        racy: the file was changed so shortly before it was read that a later change may bear the same times.
    """

    meta: Meta
    hash: bytes = b""
    ino: int = 0
    ctime_ns: int = 0
    racy: bool = True


#: By which a path is unchanged: name, inode as it stands in a row, change time or None where that does not tell.
Marks = tuple[bytes, int, int | None]


class Waiting(msgspec.Struct, frozen=True):
    """A path that is still to be sent: when its change was seen, and its bytes as far as known."""

    seen_ns: int
    size: int


class SourceRow(msgspec.Struct, kw_only=True):
    """What is remembered of a source.

    Attributes:
        vault: id of the vault that the rest speaks of, empty at first.
        position: how far that vault was durable.
        root: file system and inode of the root, (0, 0) at first.
        scanned_ns: when the last whole scan ended, 0 for never. The next start knows of it only where it is `copied`.
        copied: whether all that a whole scan had found was at the vault once.
    """

    vault: str = ""
    position: int = 0
    root: tuple[int, int] = (0, 0)
    scanned_ns: int = 0
    copied: bool = False


#: The journal's tables.
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 0;
PRAGMA user_version = 1;
CREATE TABLE IF NOT EXISTS source (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, vault TEXT NOT NULL, position INTEGER NOT NULL,
    device INTEGER NOT NULL, inode INTEGER NOT NULL, scanned_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS known (
    source INTEGER NOT NULL, parent BLOB NOT NULL, name BLOB NOT NULL, ino INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, racy INTEGER NOT NULL, hash BLOB NOT NULL, meta BLOB NOT NULL,
    PRIMARY KEY (source, parent, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS known_by_inode ON known (source, ino);
CREATE TABLE IF NOT EXISTS waiting (
    source INTEGER NOT NULL, path BLOB NOT NULL, seen_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (source, path)) WITHOUT ROWID;
"""
_meta_out = msgspec.msgpack.Encoder()
_meta_in = msgspec.msgpack.Decoder(Meta)
_SIGN = 1 << 63


def split(path: bytes) -> tuple[bytes, bytes]:
    """Parent and name of a path; the parent of a name in the root is empty."""
    parent, _, name = path.rpartition(b"/")
    return parent, name


def join(parent: bytes, name: bytes) -> bytes:
    """The other way round."""
    return parent + b"/" + name if parent else name


def signed(ino: int) -> int:
    """An inode as it stands in a row. SQLite's integers have a sign, inodes have none."""
    return ino - 2 * _SIGN if ino >= _SIGN else ino


def _unsigned(ino: int) -> int:
    return ino + 2 * _SIGN if ino < 0 else ino


def to_row(source: int, path: bytes, known: Known) -> tuple[object, ...]:
    """A row of `known`."""
    return (
        source,
        *split(path),
        signed(known.ino),
        known.ctime_ns,
        known.racy,
        known.hash,
        _meta_out.encode(known.meta),
    )


def from_row(ino: int, ctime_ns: int, racy: int, digest: bytes, meta: bytes) -> Known:
    """Back again."""
    return Known(
        meta=_meta_in.decode(meta),
        hash=digest,
        ino=_unsigned(ino),
        ctime_ns=ctime_ns,
        racy=bool(racy),
    )

"""What a tree was at a time: each path's newest record, hidden ones left out (FORMAT.md, What a path's states mean)."""

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from replicator.catalog import decode_meta, key_of, path_of
from replicator.change import Entry, Kind, Meta

#: After every record.
_NEVER = 2**63 - 1


class Row(msgspec.Struct, frozen=True):
    """A path's newest record up to some time; meta None means deleted."""

    key: bytes
    position: int
    meta: Meta | None
    hash: bytes


def rows(db: sqlite3.Connection, number: int, at_ns: int, under: bytes | None = None) -> Iterator[Row]:
    """Each path's newest record, a folder's before those of what is in it.

    Args:
        db: a catalog, for reading.
        number: the source's number.
        at_ns: no record after this time; 0 for no limit.
        under: only this path, the folders that it lies in, and what lies under it.
    """
    if under is None:
        yield from _query(db, number, at_ns, "", ())
        return
    key = key_of(under)
    parts = key.split(b"\0")
    for depth in range(1, len(parts) + 1):
        yield from _query(db, number, at_ns, " AND key = ?", (b"\0".join(parts[:depth]),))
    yield from _query(db, number, at_ns, " AND key > ? AND key < ?", (key + b"\0", key + b"\1"))


def _query(db: sqlite3.Connection, number: int, at_ns: int, where: str, keys: tuple[bytes, ...]) -> Iterator[Row]:
    # With a lone max(), SQLite takes the other columns from the row that has it.
    select = "SELECT key, max(position), meta, hash FROM versions WHERE source = ? AND at_ns <= ?"
    query = f"{select}{where} GROUP BY key ORDER BY key"
    for key, position, meta, digest in db.execute(query, (number, at_ns or _NEVER, *keys)):
        yield Row(key, position, None if meta is None else decode_meta(meta), digest)


def tree(found: Iterable[Row]) -> Iterator[Entry]:
    """The entries of a tree, folders before what is in them.

    A state that is no folder hides what is older below it; something newer below it makes it a folder again.
    """
    over: list[tuple[bytes, int]] = []  # non-folders above the present path, and the position from which they hide
    held: Row | None = None  # a file or link that may yet turn out to be a folder
    for row in found:
        while over and not row.key.startswith(over[-1][0]):
            over.pop()
        hidden = row.position < (over[-1][1] if over else 0)
        if held is not None and not row.key.startswith(held.key + b"\0"):
            yield _entry(held)
            held = None
        if hidden:
            continue
        if row.meta is None or row.meta.kind is not Kind.FOLDER:
            over.append((row.key + b"\0", row.position))
        if row.meta is not None:
            if row.meta.kind is Kind.FOLDER:
                held = None
                yield _entry(row)
            else:
                held = row
    if held is not None:
        yield _entry(held)


def _entry(row: Row) -> Entry:
    if row.meta is None:
        raise AssertionError("a deleted path has no entry")
    return Entry(path=path_of(row.key), meta=row.meta, hash=row.hash)

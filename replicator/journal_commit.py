"""How the journal's memory goes to its disk."""

import sqlite3

from replicator.journal_rows import Known, SourceRow, Waiting, split, to_row
from replicator.overlay import Key


def commit(
    writer: sqlite3.Connection,
    known: dict[Key, Known | None],
    waiting: dict[Key, Waiting | None],
    sources: dict[int, SourceRow],
) -> None:
    """Write all of it in one transaction.

    Args:
        writer: the journal's database.
        known: what the vault has of each path, None for no more.
        waiting: what is still to be sent, None for no more.
        sources: what is remembered of each source, by number.

    Raises:
        sqlite3.Error: the disk did not take it; the caller rolls back.
    """
    write = writer.executemany
    write(
        "UPDATE source SET vault = ?, position = ?, device = ?, inode = ?, scanned_ns = ? WHERE id = ?",
        [
            (row.vault, row.position, *row.root, row.scanned_ns if row.copied else 0, number)
            for number, row in sources.items()
        ],
    )
    write(
        "DELETE FROM known WHERE source = ? AND parent = ? AND name = ?",
        [(source, *split(path)) for (source, path), value in known.items() if value is None],
    )
    write(
        "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [to_row(source, path, value) for (source, path), value in known.items() if value is not None],
    )
    write("DELETE FROM waiting WHERE source = ? AND path = ?", [key for key, value in waiting.items() if not value])
    write(
        "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?)",
        [(*key, value.seen_ns, value.size) for key, value in waiting.items() if value],
    )
    writer.commit()

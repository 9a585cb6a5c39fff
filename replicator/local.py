"""Reading a vault from its own disk, with no daemon or beside a running one."""

import contextlib
import itertools
import sqlite3
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Self

from replicator.archive import Version
from replicator.catalog import Catalog, Rows, decode_meta, key_of
from replicator.change import Entry
from replicator.contents import Contents
from replicator.errors import DamagedError, UnknownError
from replicator.listing import rows, tree
from replicator.messages import Checked, Damaged
from replicator.recover import vault_id
from replicator.segments import Bad, Found, Mark, read
from replicator.verify import examine

_BATCH = 5000
_TAIL = [
    text.replace("TABLE_NAME", table)
    for table in ("versions", "contents", "sources")
    for text in (
        "CREATE TEMP TABLE tail_TABLE_NAME AS SELECT * FROM main.TABLE_NAME WHERE 0",
        "CREATE TEMP VIEW TABLE_NAME AS SELECT * FROM main.TABLE_NAME UNION ALL SELECT * FROM temp.tail_TABLE_NAME",
    )
]


class LocalArchive:
    """An `Archive` over a vault's folder. It takes no lock and writes nothing there, `examine(repair=True)` excepted.

    Args:
        root: the vault's folder.

    Raises:
        FormatError: it is no vault.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._vault = vault_id(root)
        self._held: sqlite3.Connection | None = None
        self._own: tuple[tempfile.TemporaryDirectory[str], Path] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As in `Archive`; a private catalog goes."""
        self._release()
        if self._own:
            self._own[0].cleanup()
            self._own = None

    def sources(self) -> dict[str, int]:
        """As in `Archive`."""
        with self._view() as db:
            return dict(db.execute("SELECT source, max(position) FROM sources GROUP BY source ORDER BY source"))

    def tree(self, source: str, at_ns: int = 0, paths: Sequence[bytes] = ()) -> Generator[Entry, None, None]:
        """As in `Archive`."""
        with self._view() as db:
            number = _number(db, source)
            if not paths:
                yield from tree(rows(db, number, at_ns))
            for path in _outermost(paths):
                inside = path + b"/"
                for entry in tree(rows(db, number, at_ns, path)):
                    if entry.path == path or entry.path.startswith(inside):
                        yield entry

    def past(self, source: str, path: bytes) -> Generator[Version, None, None]:
        """As in `Archive`."""
        with self._view() as db:
            query = (
                "SELECT at_ns, meta, hash, position FROM versions WHERE source = ? AND key = ? ORDER BY position DESC"
            )
            for at_ns, meta, digest, position in db.execute(query, (_number(db, source), key_of(path))):
                state = None if meta is None else decode_meta(meta)
                yield Version(at_ns=at_ns, meta=state, hash=digest, position=position)

    def fetch(self, digest: bytes, offset: int = 0) -> Generator[bytes, None, None]:
        """As in `Archive`."""
        try:
            contents = Contents(self._root, self._held or self._hold())
            if not contents.has(digest):  # it may be newer than what it is looked up in
                self._release()
                contents = Contents(self._root, self._hold())
            yield from contents.read(digest, offset)
        except sqlite3.DatabaseError as error:
            self._release()
            raise _unreadable(error) from None

    def _hold(self) -> sqlite3.Connection:
        """A view for many lookups of contents, which never change; one for each would cost more than the reading."""
        db = self._held = self._open()
        _overlay(db, self._root / "journal", self._vault)
        return db

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def ahead(self, digests: Sequence[bytes]) -> None:
        """As in `Archive`; the disk needs no such help."""

    def examine(self, *, repair: bool = False) -> Iterator[Checked | Damaged]:
        """As in `Archive`."""
        yield from examine(self._root, repair=repair)

    @contextlib.contextmanager
    def _view(self) -> Iterator[sqlite3.Connection]:
        """A catalog that has everything that is durable now, as of one moment."""
        db = self._open()
        try:
            db.execute("BEGIN")
            _overlay(db, self._root / "journal", self._vault)
            yield db
        except sqlite3.DatabaseError as error:
            raise _unreadable(error) from None
        finally:
            db.close()

    def _open(self) -> sqlite3.Connection:
        if self._own is None:
            path = self._root / "catalog.sqlite"
            for options in ("mode=ro", "mode=ro&immutable=1"):
                if options.endswith("1") and path.with_name("catalog.sqlite-wal").exists():
                    break  # somebody may be writing
                with contextlib.suppress(sqlite3.DatabaseError):
                    return _usable(_connect(path, options), self._vault, self._root / "journal")
            self._own = self._build()
        return _connect(self._own[1], "mode=ro")

    def _build(self) -> tuple[tempfile.TemporaryDirectory[str], Path]:
        """A private catalog from the whole journal: the vault's own is missing or damaged."""
        folder = tempfile.TemporaryDirectory(prefix="bongsu-catalog-")
        path = Path(folder.name) / "catalog.sqlite"
        try:
            with contextlib.closing(Catalog.open(path, self._vault)) as catalog:
                items = read(self._root / "journal", self._vault, contents=False)
                found = (item for item in items if isinstance(item, Found))
                while batch := list(itertools.islice(found, _BATCH)):
                    catalog.apply(batch)
        except BaseException:
            folder.cleanup()
            raise
        return folder, path


def _unreadable(error: sqlite3.DatabaseError) -> DamagedError:
    return DamagedError(f"read catalog: {error}", hint="bongsu verify --repair builds it again")


def _connect(path: Path, options: str) -> sqlite3.Connection:
    # Answers to the network are worked on by several threads of a pool, one after the other.
    return sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, isolation_level=None, check_same_thread=False)


def _usable(db: sqlite3.Connection, vault: str, journal: Path) -> sqlite3.Connection:
    """The same connection, when it is this vault's catalog and not ahead of the journal."""
    try:
        if db.execute("SELECT vault FROM about").fetchone() != (vault,):
            raise sqlite3.DatabaseError("another vault's catalog")
        if any(isinstance(item, Bad) and item.reason.startswith("shorter") for item in _first(journal, vault, db)):
            raise sqlite3.DatabaseError("ahead of the journal")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def _first(journal: Path, vault: str, db: sqlite3.Connection) -> Iterator[Found | Bad]:
    for item in read(journal, vault, _mark(db), contents=False):
        yield item
        return


def _mark(db: sqlite3.Connection) -> Mark:
    row = db.execute("SELECT segment, offset, chain, sequence, at_ns FROM mark").fetchone()
    if row is None:
        return Mark()
    return Mark(segment=row[0], offset=row[1], chain=row[2], sequence=row[3], at_ns=row[4])


def _overlay(db: sqlite3.Connection, journal: Path, vault: str) -> None:
    """Lay what the journal has and the catalog has not over the catalog, for this connection only."""
    items = [item for item in read(journal, vault, _mark(db)) if isinstance(item, Found)]
    if not items:
        return
    numbers: dict[str, int] = dict(db.execute("SELECT source, number FROM main.sources"))
    for item in items:
        if item.record.source:
            numbers.setdefault(item.record.source, len(numbers) + 1)
    db.execute("PRAGMA temp_store=MEMORY")
    for statement in _TAIL:
        db.execute(statement)
    found = Rows(numbers, items)
    names = {number: source for source, number in numbers.items()}
    db.executemany("INSERT INTO tail_versions VALUES (?, ?, ?, ?, ?, ?)", found.versions)
    db.executemany("INSERT INTO tail_contents VALUES (?, ?, ?, ?)", found.contents)
    db.executemany(
        "INSERT INTO tail_sources VALUES (?, ?, '', ?)",
        [(number, names[number], position) for position, number in found.positions],
    )


def _number(db: sqlite3.Connection, source: str) -> int:
    row = db.execute("SELECT number FROM sources WHERE source = ?", (source,)).fetchone()
    if row is None:
        known = ", ".join(name for (name,) in db.execute("SELECT DISTINCT source FROM sources ORDER BY source"))
        raise UnknownError(f"read source {source}: the vault has none of this id", hint=f"it has: {known or 'none'}")
    return int(row[0])


def _outermost(paths: Sequence[bytes]) -> list[bytes]:
    """The same paths without those that lie under another one, in the order of a tree."""
    kept: list[bytes] = []
    for path in sorted(set(paths), key=key_of):
        if not kept or not path.startswith(kept[-1] + b"/"):
            kept.append(path)
    return kept

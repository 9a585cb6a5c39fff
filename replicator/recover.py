"""Opening a vault after a clean stop, a crash or a power cut: the same case (FORMAT.md, After a crash)."""

import contextlib
import fcntl
import json
import os
import sqlite3
import uuid
from pathlib import Path

import msgspec
import structlog

from replicator.appender import Appender
from replicator.catalog import Catalog
from replicator.durable import flush, flush_folder, forget, make_folder, write_file
from replicator.errors import BrokenError, CatalogError, FormatError, LockedError, VaultError
from replicator.segments import Bad, Found, Mark, read, segment_name, segment_numbers

FORMAT = 1
_BATCH = 5000
_log = structlog.get_logger(__name__)


class Recovered(msgspec.Struct, kw_only=True):
    """An opened vault, ready to be written to.

    Attributes:
        vault: its id.
        catalog: up to the end of the journal.
        appender: at the end of the journal.
        damage: bad places found behind the catalog's mark; older ones are `verify`'s business.
        cut: bytes of an unacknowledged torn end that were cut.
    """

    vault: str
    catalog: Catalog
    appender: Appender
    damage: list[Bad]
    cut: int = 0


def vault_id(root: Path) -> str:
    """The id of the vault in a folder.

    Raises:
        FormatError: it is no vault, or of a format that is not known here.
    """
    path = root / "vault.json"
    try:
        about = json.loads(path.read_bytes())
        number, name = about["format"], about["id"]
        if number != FORMAT:
            raise FormatError(f"open vault {root}: format {number} is not known", hint="use a newer bongsu")
        uuid.UUID(hex=name)
    except FileNotFoundError:
        raise FormatError(f"open vault {root}: there is no vault.json", hint="check [vault] root") from None
    except OSError as error:
        raise FormatError(f"open vault {root}: {str(error.strerror).lower()}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"read {path}: {error}", hint="the id stands in each segment's first record") from None
    return str(name)


def lock(root: Path) -> int:
    """Be the only one who writes there, until the descriptor is closed or the process ends.

    Raises:
        LockedError: another process is.
        VaultError: the folder cannot be used.
    """
    try:
        make_folder(root)
        descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise VaultError(
            f"open vault {root}: {str(error.strerror).lower()}",
            hint="is its disk writable, and does the vault's user own this folder?",
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise LockedError(
            f"lock vault {root}: another process writes there", hint="stop it first: systemctl status bongsu-vault"
        ) from None
    return descriptor


def prepare(root: Path) -> str:
    """Make what is missing of the folder, remove half-written files, give the vault's id.

    Raises:
        VaultError: the folder cannot be used.
    """
    try:
        for name in ("journal", "objects", "incoming", "partial", "current"):
            (root / name).mkdir(exist_ok=True)
        _prepare_objects(root / "objects")
        for path in (root / "incoming").iterdir():
            path.unlink()
        if not (root / "vault.json").exists():
            if segment_numbers(root / "journal"):
                raise FormatError(f"open vault {root}: it has a journal but no vault.json")
            about = {"format": FORMAT, "id": uuid.uuid4().hex}
            write_file(root / "vault.json", json.dumps(about).encode())
            flush_folder(root)
    except OSError as error:
        raise VaultError(f"prepare vault {root}: {str(error.strerror).lower()}: {error.filename}") from None
    return vault_id(root)


def _prepare_objects(folder: Path) -> None:
    """Every folder of objects, on disk before the first object: a name is no safer than the folder that it is in."""
    there = {path.name for path in folder.iterdir()}
    for number in range(256):
        if (name := f"{number:02x}") not in there:
            (folder / name).mkdir()
    flush_folder(folder)
    flush_folder(folder.parent)


def remove_catalog(root: Path) -> None:
    """Forget the catalog; it is built again from the journal."""
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"):
        with contextlib.suppress(FileNotFoundError):
            (root / name).unlink()


def recover(root: Path) -> Recovered:
    """Open the vault for writing; the caller holds the lock.

    Raises:
        VaultError: it cannot be opened.
    """
    vault = prepare(root)
    _settle(root / "journal")
    catalog, end, damage, bad = _catch_up(root, vault)
    damage += [item for item in bad if not item.torn]
    cut = sum(_cut(root / "journal", item) for item in bad if item.torn)
    for item in damage:
        _log.error("journal is damaged", place=item.name, reason=item.reason)
    if cut:
        _log.warning("unacknowledged end of the journal cut", bytes=cut)
    end, new_segment = _end(root / "journal", end)
    appender = Appender(root / "journal", vault, end, new_segment=new_segment)
    return Recovered(vault=vault, catalog=catalog, appender=appender, damage=damage, cut=cut)


def _settle(journal: Path) -> None:
    """Put on disk what a killed process had written and not flushed: its sender will hear that it is durable.

    Where a flush has failed, memory holds bytes that the disk has not, and this flush may lie: so the journal's end is
    read from the disk. What stands before the last segment was flushed when that one was begun.
    """
    for number in segment_numbers(journal)[-1:]:
        path = journal / segment_name(number)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BrokenError(f"flush {path.name}: {str(error.strerror).lower()}") from None
        try:
            flush(descriptor, path.name)
            forget(descriptor, 0, 0)
        finally:
            os.close(descriptor)
        flush_folder(journal)


def _catch_up(root: Path, vault: str) -> tuple[Catalog, Mark, list[Bad], list[Bad]]:
    """The catalog up to the journal's end, that end, and what is damaged and bad; a damaged catalog is built again."""
    try:
        catalog, mark, damage = _open_catalog(root, vault)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return _anew(root, vault, str(error))
    try:
        end, bad = _replay(root / "journal", vault, catalog, mark)
    except CatalogError as error:
        catalog.close()
        return _anew(root, vault, str(error))
    return catalog, end, damage, bad


def _anew(root: Path, vault: str, reason: str) -> tuple[Catalog, Mark, list[Bad], list[Bad]]:
    _log.warning("catalog is built again", reason=reason)
    remove_catalog(root)
    catalog = Catalog.open(root / "catalog.sqlite", vault)
    end, bad = _replay(root / "journal", vault, catalog, Mark())
    return catalog, end, [], bad


def _open_catalog(root: Path, vault: str) -> tuple[Catalog, Mark, list[Bad]]:
    """The catalog and its mark; a new one when it does not fit the journal."""
    damage: list[Bad] = []
    try:
        catalog = Catalog.open(root / "catalog.sqlite", vault)
        try:
            mark = catalog.mark()
        except sqlite3.DatabaseError:
            catalog.close()
            raise
        if _stands(root / "journal", mark):
            return catalog, mark, damage
        catalog.close()
        damage.append(
            Bad(segment=mark.segment, offset=mark.offset, end=mark.offset, reason="shorter than acknowledged")
        )
    except FormatError as error:
        _log.warning("catalog is built again", reason=str(error))
    remove_catalog(root)
    return Catalog.open(root / "catalog.sqlite", vault), Mark(), damage


def _stands(journal: Path, mark: Mark) -> bool:
    """Whether the journal reaches to where the catalog says that it does."""
    try:
        return not mark.sequence or (journal / segment_name(mark.segment)).stat().st_size >= mark.offset
    except FileNotFoundError:
        return False


def _replay(journal: Path, vault: str, catalog: Catalog, mark: Mark) -> tuple[Mark, list[Bad]]:
    bad: list[Bad] = []
    batch: list[Found] = []
    for item in read(journal, vault, mark):
        if isinstance(item, Bad):
            bad.append(item)
            continue
        batch.append(item)
        mark = item.mark
        if len(batch) >= _BATCH:
            catalog.apply(batch)
            batch = []
    catalog.apply(batch)
    return mark, bad


def _cut(journal: Path, bad: Bad) -> int:
    """Cut a torn end; how many bytes went."""
    path = journal / segment_name(bad.segment)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            os.ftruncate(descriptor, bad.offset)
            flush(descriptor, path.name)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BrokenError(f"cut {path.name}: {str(error.strerror).lower()}") from None
    return size - bad.offset


def _end(journal: Path, mark: Mark) -> tuple[Mark, bool]:
    """Where writing goes on, and whether in a new segment: the end may be damaged, or sealed."""
    numbers = segment_numbers(journal)
    if not numbers:
        return mark, True
    path = journal / segment_name(numbers[-1])
    if path.stat().st_size == 0:  # a crash between making and filling it
        path.unlink()
        return mark, True
    whole = numbers[-1] == mark.segment and path.stat().st_size == mark.offset and os.access(path, os.W_OK)
    if whole and path.stat().st_mode & 0o200:
        return mark, False
    return mark, True

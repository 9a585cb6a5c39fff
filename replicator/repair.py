"""Healing a vault, as far as it can be: the journal is never changed, everything else can be made again."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from replicator.change import Entry, Kind
from replicator.contents import checked
from replicator.durable import write_file
from replicator.errors import ReplicatorError
from replicator.local import LocalArchive
from replicator.messages import Checked, Damaged
from replicator.mirror import Mirror
from replicator.objects import Objects
from replicator.recover import lock, recover, remove_catalog, vault_id
from replicator.segments import Segment

Answer = Iterator[Checked | Damaged]


def repaired(root: Path, examination: Callable[[], Answer]) -> Answer:
    """Run an examination, heal what it finds, and tell each fault with what was done about it.

    Raises:
        LockedError: a daemon runs.
    """
    held = lock(root)
    try:
        faults: list[Damaged] = []
        for item in examination():
            if isinstance(item, Damaged):
                faults.append(item)
            else:
                yield item
        if any(fault.what in {"catalog", "journal"} for fault in faults):
            remove_catalog(root)
        _rebuild(root)
        for fault in faults:
            yield msgspec.structs.replace(fault, repaired=_heal(root, fault))
        _write_current(root)
    finally:
        os.close(held)


def _rebuild(root: Path) -> None:
    """The catalog up to the journal's end, a torn end cut."""
    opened = recover(root)
    opened.catalog.close()
    opened.appender.close()


def _heal(root: Path, fault: Damaged) -> bool:
    """Whether a fault is gone now."""
    if fault.what == "catalog":
        return True
    digest = _digest_of(root, fault)
    return digest is not None and _find_content(root, digest)


def _digest_of(root: Path, fault: Damaged) -> bytes | None:
    """The content that a fault is about; None when it is about something else."""
    if fault.what == "object":
        return bytes.fromhex(fault.name)
    if fault.what != "record" or ".seg:" not in fault.name:
        return None
    number, _, offset = fault.name.partition(".seg:")
    with Segment(root / "journal", int(number), vault_id(root)) as segment:
        found = segment.at(int(offset))
    return found.record.hash if found is not None and found.record.inline else None


def _find_content(root: Path, digest: bytes) -> bool:
    """Store a content anew from a plain file in `current/` that still is it."""
    with LocalArchive(root) as archive:
        for source in archive.sources():
            for entry in archive.tree(source):
                if entry.hash == digest and _keep(root, source, entry):
                    return True
    return False


def _keep(root: Path, source: str, entry: Entry) -> bool:
    objects = Objects(root)
    path = os.path.join(os.fsencode(root / "current" / source), entry.path)  # noqa: PTH118 - a name is bytes
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            if hashlib.file_digest(file, "sha256").digest() != entry.hash:
                return False
            file.seek(0)
            bad = objects.path(entry.hash)
            bad.unlink(missing_ok=True)
            objects.keep(iter(lambda: file.read(256 * 1024), b""), entry.hash, entry.meta.size)
    except (OSError, ReplicatorError):
        return False
    return True


def _write_current(root: Path) -> None:
    """Make `current/` anew where it is not the newest state, and remove what is not in it."""
    with LocalArchive(root) as archive, Mirror(root) as mirror:
        for source in archive.sources():
            entries = {entry.path: entry for entry in archive.tree(source)}
            folder = os.fsencode(root / "current" / source)
            for path in [*_strangers(folder, entries)]:
                _remove(os.path.join(folder, path))  # noqa: PTH118
            for entry in entries.values():
                if entry.meta.kind is Kind.FOLDER or not _same(folder, entry):
                    _set(mirror, archive, source, entry)
            mirror.dress()
    opened = recover(root)
    write_file(root / "current.json", msgspec.json.encode(opened.appender.mark))
    opened.catalog.close()
    opened.appender.close()


def _set(mirror: Mirror, archive: LocalArchive, source: str, entry: Entry) -> None:
    """One path, when its bytes are whole; what is lost has been told already."""
    try:
        if entry.meta.kind is Kind.FILE:
            for _ in checked(archive.fetch(entry.hash), entry.hash):
                pass
        mirror.set(source, entry.path, entry.meta, entry.hash)
    except (OSError, ReplicatorError):
        return


def _strangers(folder: bytes, entries: dict[bytes, Entry]) -> Iterator[bytes]:
    for above, folders, files in os.walk(folder):
        inside = above[len(folder) + 1 :]
        for name in files + folders:
            path = inside + b"/" + name if inside else name
            if path not in entries:
                yield path


def _remove(path: bytes) -> None:
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108


def _same(folder: bytes, entry: Entry) -> bool:
    """Whether a plain file or link in `current/` is what it should be."""
    path = os.path.join(folder, entry.path)  # noqa: PTH118
    try:
        found = os.lstat(path)
        if found.st_mtime_ns != entry.meta.mtime_ns:
            return False
        if entry.meta.kind is Kind.LINK:
            return os.readlink(path) == entry.meta.target  # noqa: PTH115
        with open(path, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").digest() == entry.hash
    except OSError:
        return False

"""Making a plan true in an empty folder."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from replicator.archive import Archive
from replicator.change import Entry, Meta
from replicator.contents import checked
from replicator.errors import PathError, ReplicatorError, StreamError, TargetError, UnknownError
from replicator.paths import check_path, check_source, show
from replicator.place import Place
from replicator.plan import Plan, firsts, missing, plan, unknown

#: How many paths are looked through for names close to one that is not there.
_CLOSE_AMONG = 20_000


class Restored(msgspec.Struct, kw_only=True):
    """What a restore has made, so far or in the end.

    Attributes:
        files: files made.
        bytes: their bytes.
        folders: folders made.
        links: links made.
        all_files: files planned.
        all_bytes: their bytes.
        failed: what could not be made, and why; the rest is there.
        bare: what was made without some of its extended attributes, and why.
        moments: files of which there is one marked moment: a writer never stopped.
    """

    files: int = 0
    bytes: int = 0
    folders: int = 0
    links: int = 0
    all_files: int = 0
    all_bytes: int = 0
    failed: list[tuple[str, str]] = []
    bare: list[tuple[str, str]] = []
    moments: list[str] = []


Progress = Callable[[Restored], None]


def restore(
    archive: Archive,
    target: Path,
    at_ns: int = 0,
    source: str | None = None,
    paths: Sequence[bytes] = (),
    *,
    progress: Progress | None = None,
) -> Restored:
    """Make files as they were at a time.

    With a source, or when the vault has a single one, the target holds its tree, else a folder for each source.
    What cannot be made is in `failed`; the rest is made all the same.

    Args:
        archive: where from.
        target: an empty or new folder.
        at_ns: the time by the vault's clock; 0 is newest.
        source: only this source.
        paths: only these and what lies under them, relative to the source.
        progress: called after each file with what is made so far.

    Raises:
        TargetError: the target is not empty or cannot be written to.
        UnknownError: there is no such source, or a path was not there then.
        PathError: a source's id is no name.
        StreamError: the connection ended; what is there so far is whole, but it is not all.
    """
    paths = [_clean(path) for path in paths]
    sources = archive.sources()
    if source is not None and source not in sources:
        raise UnknownError(
            f"restore source {source}: the vault has none", hint=f"it has: {', '.join(sources) or 'none'}"
        )
    wanted = [source] if source is not None else list(sources)
    for each in wanted:
        check_source(each)
    refused: list[tuple[str, str]] = []
    plans = {each: plan(_within(archive.tree(each, at_ns, paths), refused)) for each in wanted}
    for path in missing(paths, plans.values()):
        raise unknown(path, _near(archive, wanted, at_ns))
    if at_ns and not any(its.folders or its.files or its.links for its in plans.values()):
        raise UnknownError(
            f"restore {', '.join(wanted) or 'documents'}: nothing was there at that time",
            hint="`bongsu history PATH` shows since when a document is kept",
        )
    done = Restored(
        all_files=sum(len(p.files) for p in plans.values()),
        all_bytes=sum(p.bytes for p in plans.values()),
        failed=refused,
    )
    _make_target(target)
    for each, its in plans.items():
        inside = target if len(wanted) == 1 else target / each
        inside.mkdir(exist_ok=True)
        _Maker(archive, its, done, progress or (lambda _: None)).make(inside)
    return done


class _Maker:
    """Makes one plan in one folder."""

    def __init__(self, archive: Archive, what: Plan, done: Restored, progress: Progress) -> None:
        self._archive = archive
        self._plan = what
        self._done = done
        self._progress = progress
        #: The first name made of each file that has several, by all that its names have in common.
        self._first: dict[tuple[bytes, Meta], bytes] = {}

    def make(self, folder: Path) -> None:
        staging = tempfile.mkdtemp(prefix=".bongsu-restore-", dir=folder)
        with _opened(folder) as root, _opened(Path(staging)) as grow:
            place = Place(root, grow, own=os.geteuid() == 0, refused=self._refused)
            try:
                self._make(place)
            finally:
                place.close()
                shutil.rmtree(staging, ignore_errors=True)
            self._dress(place)
            place.close()

    def _make(self, place: Place) -> None:
        for entry in self._plan.folders:
            with self._set_aside(entry):
                place.folder(entry.path)
                self._done.folders += 1
        self._archive.ahead([entry.hash for entry in firsts(self._plan.files) if entry.meta.size])
        for entry in self._plan.files:
            with self._set_aside(entry):
                self._file(place, entry)
            self._progress(self._done)
        for entry in self._plan.links:
            with self._set_aside(entry):
                place.link(entry.path, entry.meta)
                self._done.links += 1

    def _file(self, place: Place, entry: Entry) -> None:
        if not self._named(place, entry):
            self._content(place, entry)
        self._done.files += 1
        self._done.bytes += entry.meta.size
        if entry.meta.open:
            self._done.moments.append(show(entry.path))
        if entry.meta.lacking:
            self._done.bare.append((show(entry.path), f"{entry.meta.lacking} attributes were too large to be kept"))

    def _named(self, place: Place, entry: Entry) -> bool:
        """Whether this is one more name of a file that was made already, and could be made as such."""
        first = self._first.get((entry.hash, entry.meta)) if entry.meta.inode else None
        if first is None:
            return False
        try:
            place.name(entry.path, first)
        except OSError:
            return False  # a file system without links, or with too many: a file of its own has the same bytes
        return True

    def _content(self, place: Place, entry: Entry) -> None:
        if entry.meta.size:
            with contextlib.closing(checked(self._archive.fetch(entry.hash), entry.hash)) as pieces:
                place.file(entry.path, entry.meta, pieces)
        else:
            place.file(entry.path, entry.meta, ())
        if entry.meta.inode:
            self._first[entry.hash, entry.meta] = entry.path

    def _refused(self, path: bytes, attribute: bytes, reason: str) -> None:
        self._done.bare.append((show(path), f"attribute {show(attribute)}: {reason}"))

    def _dress(self, place: Place) -> None:
        for entry in reversed(self._plan.folders):
            with self._set_aside(entry):
                place.dress(entry.path, entry.meta)

    @contextlib.contextmanager
    def _set_aside(self, entry: Entry) -> Iterator[None]:
        """One that cannot be made does not stop the rest; a lost connection does."""
        try:
            yield
        except StreamError:
            raise
        except (OSError, ReplicatorError, ValueError) as error:
            why = str(error.strerror).lower() if isinstance(error, OSError) and error.strerror else str(error)
            self._done.failed.append((show(entry.path), why))


def _within(entries: Iterable[Entry], refused: list[tuple[str, str]]) -> Iterator[Entry]:
    """Those that lie in the folder, whatever the vault says: somebody else may hold it by now."""
    for entry in entries:
        try:
            check_path(entry.path)
        except PathError as error:
            refused.append((show(entry.path), str(error)))
        else:
            yield entry


def _clean(path: bytes) -> bytes:
    clean = path.rstrip(b"/")
    while clean.startswith(b"./"):
        clean = clean[2:]
    try:
        check_path(clean)
    except PathError as error:
        raise UnknownError(str(error), hint="paths are relative to the source: docs/report.hwp") from None
    return clean


def _near(archive: Archive, sources: Sequence[str], at_ns: int) -> list[bytes]:
    found: list[bytes] = []
    for source in sources:
        with contextlib.closing(archive.tree(source, at_ns)) as entries:
            for entry in entries:
                found.append(entry.path)
                if len(found) >= _CLOSE_AMONG:
                    return found
    return found


def _make_target(target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        with os.scandir(target) as entries:
            first = next(entries, None)
    except OSError as error:
        raise TargetError(
            f"restore into {target}: {str(error.strerror).lower()}", hint="name an empty or new folder"
        ) from None
    if first is not None:
        raise TargetError(f"restore into {target}: it is not empty", hint="name an empty or new folder")


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

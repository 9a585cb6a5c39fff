"""What a restore has to make, decided before anything is written."""

import difflib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from replicator.change import Entry, Kind, Meta
from replicator.errors import UnknownError
from replicator.paths import show

_CLOSE = 3


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The things to make of one source, in this order.

    Attributes:
        folders: parents before children; their modes and times are set last, children first.
        files: in the order of the tree.
        links: after the files, so that nothing is ever written through one.
        bytes: of all files.
    """

    folders: list[Entry]
    files: list[Entry]
    links: list[Entry]
    bytes: int


def plan(entries: Iterable[Entry]) -> Plan:
    """Sort the entries of a tree into what is made when."""
    by_kind: dict[Kind, list[Entry]] = {kind: [] for kind in Kind}
    for entry in entries:
        by_kind[entry.meta.kind].append(entry)
    files = by_kind[Kind.FILE]
    return Plan(
        folders=by_kind[Kind.FOLDER],
        files=files,
        links=by_kind[Kind.LINK],
        bytes=sum(entry.meta.size for entry in files),
    )


def firsts(files: Iterable[Entry]) -> Iterator[Entry]:
    """The files without the further names of one that has several."""
    seen: set[tuple[bytes, Meta]] = set()
    for entry in files:
        if entry.meta.inode:
            if (entry.hash, entry.meta) in seen:
                continue
            seen.add((entry.hash, entry.meta))
        yield entry


def missing(wanted: Sequence[bytes], plans: Iterable[Plan]) -> list[bytes]:
    """Those of the wanted paths that no plan makes, itself or something below it."""
    made: set[bytes] = set()
    for each in plans:
        for entry in (*each.folders, *each.files, *each.links):
            path = entry.path
            while path and path not in made:
                made.add(path)
                path = path.rpartition(b"/")[0]
    return [path for path in wanted if path not in made]


def unknown(path: bytes, there: Iterable[bytes]) -> UnknownError:
    """The error for a path that is not there, with names that are close to it."""
    names = {show(each): each for each in there}
    close = difflib.get_close_matches(show(path), names, n=_CLOSE, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else "bongsu history PATH shows when it was there"
    return UnknownError(f"restore {show(path)}: it was not there at that time", hint=hint)

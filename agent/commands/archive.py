"""`history`, `restore`, `verify`: what the vault holds, from its own disk or over the network."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from agent.commands.common import say, say_json, tell
from agent.errors import AgentError
from agent.table import safe, table
from agent.words import word
from config.load import load_for
from config.model import Config
from replicator.archive import Archive, Version, open_archive
from replicator.messages import Checked, Damaged
from replicator.moment import parse_time
from replicator.restore import Restored
from replicator.restore import restore as restore_tree

_MS = 1_000_000
#: Shows progress: files (or objects) so far, bytes so far, bytes in all or 0.
Show = Callable[[int, int, int], None]


def history(path: str, file: Path, as_json: bool) -> int:
    """Show every version of one replicated file."""
    config = load_for(file, "reader")
    with open_archive(config) as archive:
        found = {
            source: versions
            for source, name in _candidates(archive, config, path)
            if (versions := list(archive.past(source, name)))
        }
    if not found:
        raise AgentError(f"show history of {path}: no source has it", "name it as it is below its source's folder")
    if as_json:
        say_json([_version(source, each, config.site.zone) for source, all_ in found.items() for each in all_])
        return 0
    head = [word(key) for key in ("source", "version_time", "size", "mode", "hash")]
    rows = [_row(_version(source, each, config.site.zone)) for source, all_ in found.items() for each in all_]
    say(table(head, rows))
    return 0


def _candidates(archive: Archive, config: Config, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield each source and the path in it; an absolute path belongs to the source that it lies in."""
    name = os.fsencode(path)
    kept = archive.sources()
    for source in config.source:
        root = os.fsencode(source.path).rstrip(b"/") + b"/"
        if source.id in kept and os.path.abspath(name).startswith(root):  # noqa: PTH100 - names are bytes
            yield source.id, os.path.abspath(name)[len(root) :]  # noqa: PTH100
            if name.startswith(b"/"):
                return
    if not name.startswith(b"/"):
        relative = os.path.normpath(name)
        for source_id in kept:
            yield source_id, relative


def _version(source: str, version: Version, zone: ZoneInfo) -> dict[str, Any]:
    meta = version.meta
    # Rounded up: `restore --at` with the time as it stands here gives this version, not the one before.
    milliseconds = -(-version.at_ns // _MS)
    at = datetime.fromtimestamp(milliseconds // 1000, zone).replace(microsecond=milliseconds % 1000 * 1000)
    return {
        "source": source,
        "at": at.isoformat(timespec="milliseconds"),
        "deleted": meta is None,
        "kind": None if meta is None else str(meta.kind),
        "size": None if meta is None else meta.size,
        "mode": None if meta is None else stat.filemode(meta.mode)[1:],
        "open": False if meta is None else meta.open,
        "sha256": version.hash.hex() or None,
        "position": version.position,
    }


def _row(version: dict[str, Any]) -> list[object]:
    if version["deleted"]:
        return [version["source"], version["at"], word("deleted"), "", ""]
    size = f"{version['size']} ({word('moment')})" if version["open"] else version["size"]
    return [version["source"], version["at"], size, version["mode"], version["sha256"] or version["kind"]]


def restore(file: Path, target: Path, at: str | None, source: str | None, paths: list[str]) -> int:
    """Bring files back as they were."""
    config = load_for(file, "reader")
    at_ns = parse_time(at, config.site.zone) if at else 0
    with open_archive(config) as archive, _progress() as progress:
        names = [os.fsencode(path) for path in paths]
        done = restore_tree(archive, target, at_ns, source, names, progress=lambda so_far: _show(progress, so_far))
    for name, reason in done.failed:
        tell(f"bongsu: restore {safe(name)}: {reason}")
    for name, reason in done.bare:
        tell(f"bongsu: {safe(name)}: {reason}")
    for name in done.moments:
        tell(f"bongsu: {safe(name)}: {word('a_moment')}")
    say(word("restored", files=done.files, bytes=done.bytes, target=target))
    return 1 if done.failed else 0


def _show(progress: Show, so_far: Restored) -> None:
    progress(so_far.files, so_far.bytes, so_far.all_bytes)


@contextmanager
def _progress() -> Iterator[Show]:
    """Show a bar on a terminal's standard error, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _files, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)

        def show(files: int, done: int, total: int) -> None:
            bar.update(task, description=f"{files}", completed=done, total=total or None)

        yield show


def verify(file: Path, repair: bool) -> int:
    """Check everything that the vault holds; 3 when something is damaged and was not repaired."""
    config = load_for(file, "reader")
    last, left = Checked(objects=0, records=0, bytes=0), 0
    with open_archive(config) as archive, _progress() as progress:
        for found in archive.examine(repair=repair):
            if isinstance(found, Damaged):
                left += 0 if found.repaired else 1
                line = word("damaged", what=found.what, name=safe(found.name), reason=found.reason)
                say(f"{line} ({word('repaired')})" if found.repaired else line)
            else:
                last = found
                progress(found.objects, found.bytes, 0)
    say(word("verified", objects=last.objects, records=last.records, bytes=last.bytes))
    if left:
        say(word("damages", count=left))
    return 3 if left else 0

"""A sparse file past 4 GiB goes the whole way and comes back; its end is changed, too."""

import asyncio
import hashlib
import tempfile
import time
from pathlib import Path

from replicator.local import LocalArchive
from replicator.restore import restore
from tests.replicator.source import pair
from tests.replicator.whole import room, with_holes

#: Seconds that one step may take.
_LIMIT = 600.0


def main(gib: float) -> dict[str, object]:
    """A file of so many GiB, there and back.

    Raises:
        AssertionError: something came back other than it was.
    """
    with tempfile.TemporaryDirectory(prefix="bongsu-huge-") as folder:
        report = carry(Path(folder), int(gib * (1 << 30)))
    assert report["good"], report
    return report


def carry(folder: Path, size: int) -> dict[str, object]:
    """Carry a file of this size, change its end, restore it."""
    tree, root = folder / "tree", folder / "vault"
    tree.mkdir()
    huge = tree / "huge"
    with_holes(huge, size, (0, b"head" * 4096), (size // 2 + 1, b"middle" * 4096), (size - 8, b"the end."))
    report: dict[str, object] = {"size": size}

    async def scenario() -> None:
        async with (
            pair.vault(root) as server,
            pair.replicating(pair.settings(folder / "state", server.port, tree)) as running,
        ):
            report["to_the_vault"] = await _timed(running, huge, size)
            with huge.open("r+b") as file:
                file.seek(size - 8)
                file.write(b"changed.")
            report["a_change_at_the_end"] = await _timed(running, huge, size)

    asyncio.run(scenario())
    began = time.monotonic()
    with LocalArchive(root) as archive:
        done = restore(archive, folder / "back")
    report["back"] = round(time.monotonic() - began, 1)
    copies = [huge, folder / "back" / "huge", root / "current" / "docs" / "huge"]
    report["room"] = [room(copy) for copy in copies]
    report["good"] = (
        not done.failed
        and len({_digest(copy) for copy in copies}) == 1
        and max(map(room, copies)) <= room(huge) + (1 << 20)
    )
    return report


async def _timed(running: pair.Running, huge: Path, size: int) -> float:
    """Seconds until what the file is now is at the vault."""
    began = time.monotonic()
    source = running.replicator._sources[0]

    def there() -> bool:
        known = source.journal.get(source.number, b"huge")
        return (
            known is not None
            and not known.meta.open
            and (known.meta.size, known.meta.mtime_ns) == (size, huge.stat().st_mtime_ns)
            and running.idle()
        )

    await pair.until(there, _LIMIT)
    return round(time.monotonic() - began, 1)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

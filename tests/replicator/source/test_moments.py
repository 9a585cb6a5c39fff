"""Files that never stop being written leave as marked moments; nothing starves, nothing goes round in circles."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replicator.archive import Version
from replicator.local import LocalArchive
from replicator.messages import INLINE
from replicator.restore import restore
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault


class Writers:
    """Two that write until `stop`: one appends to a file and never closes it, one rewrites a whole file in place."""

    def __init__(self, tree: Path, line: int) -> None:
        self.log, self.whole = tree / "log", tree / "whole"
        self._line = line
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._append, self._rewrite)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close both files; what they hold is their last state."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _append(self) -> None:
        with self.log.open("ab", buffering=0) as file:
            number = 0
            while not self._stop.wait(0.005):
                file.write(b"%08d\n" % number * self._line)
                number += 1

    def _rewrite(self) -> None:
        number = 0
        while not self._stop.wait(0.001):
            with self.whole.open("r+b" if number else "wb", buffering=0) as file:
                file.write(b"%08d\n" % number * self._line * 40)
            number += 1


@contextmanager
def writing(tree: Path, line: int) -> Iterator[Writers]:
    """Writers that write meanwhile."""
    writers = Writers(tree, line)
    writers.start()
    try:
        yield writers
    finally:
        writers.stop()


def _versions(root: Path, path: str) -> list[Version]:
    with LocalArchive(root) as archive:
        return list(archive.past("docs", os.fsencode(path))) if archive.sources() else []


def _open(root: Path, path: str) -> int:
    return sum(version.meta is not None and version.meta.open for version in _versions(root, path))


async def _meanwhile(root: Path, tree: Path) -> None:
    """Others are not kept waiting, and of what is being written there are moments."""
    for number in range(3):
        (tree / f"other {number}").write_text("not starved")
        await until((root / "current" / "docs" / f"other {number}").exists)
    await until(lambda: _open(root, "log") >= 2)
    await until(lambda: len(_versions(root, "whole")) >= 2)


async def _at_rest(running: Running) -> None:
    """Once nobody writes, nothing is sent any more but what is new."""
    before = running.source["position"]
    (Path(running.source["path"]) / "last").write_text("x")
    await running.settle()
    assert running.source["position"] - before <= 2  # the root's own times are no path


@pytest.mark.parametrize("line", [1, INLINE // 300], ids=["small", "large"])
def test_a_file_that_is_always_written_leaves_as_moments(tmp_path: Path, line: int) -> None:
    """Appended without a close, or rewritten in a loop: moments leave meanwhile, at the end the last state is there."""
    tree, root = tmp_path / "tree", tmp_path / "vault"
    tree.mkdir()

    async def scenario() -> None:
        async with vault(root) as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                with writing(tree, line):
                    await _meanwhile(root, tree)
                await running.settle()
                await _at_rest(running)
            await equal(tree, root)

    asyncio.run(scenario())
    newest = _versions(root, "log")[0]
    assert newest.meta is not None
    assert not newest.meta.open
    _every_moment_is_one(root)


def _every_moment_is_one(root: Path) -> None:
    """A moment of a file that only grows is its beginning, and nothing else."""
    with LocalArchive(root) as archive:
        newest = b"".join(archive.fetch(_versions(root, "log")[0].hash))
        for version in _versions(root, "log"):
            assert newest.startswith(b"".join(archive.fetch(version.hash)))


def test_a_restore_names_the_moments(tmp_path: Path) -> None:
    """A file of which only a moment is there comes back, and is named as one."""
    tree, root = tmp_path / "tree", tmp_path / "vault"
    tree.mkdir()

    async def scenario() -> None:
        async with vault(root) as server, replicating(settings(tmp_path / "state", server.port, tree)) as running:
            await running.settle()
            with writing(tree, 1):
                await until(lambda: _open(root, "log") >= 1)
                before = _versions(root, "log")[0].at_ns
                with LocalArchive(root) as archive:
                    done = restore(archive, tmp_path / "back", before, paths=[b"log"])
                assert done.moments == ["log"]
                assert (tmp_path / "back" / "log").read_bytes().startswith(b"00000000\n")

    asyncio.run(scenario())

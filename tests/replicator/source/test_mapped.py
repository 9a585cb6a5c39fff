"""Files that are written through a mapping, which the kernel tells nobody, and what a scan reads once more for them."""

import asyncio
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replicator.marks import RACY_NS, TICK_NS, kind_of, meta_of, settled_ns
from replicator.reader import known_of
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault

_WRITER = """
import mmap, sys, time
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
    number = 0
    while True:
        number += 1
        mapped[:8] = number.to_bytes(8, "big")
        time.sleep(0.001)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of one file that can be mapped."""
    path = tmp_path / "tree"
    path.mkdir()
    (path / "mapped").write_bytes(bytes(4096))
    return path


async def _scan(running: Running) -> None:
    """Have the tree scanned, and what was found sent."""
    running.replicator._sources[0].sight._ask()
    await until(lambda: running.source["scanning"] or running.idle())
    await running.settle()


@contextmanager
def _writer(path: Path) -> Iterator[None]:
    """A process that dirties one page of the file without end, killed at last."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, path])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_what_is_written_while_it_is_mapped(tree: Path) -> None:
    """Scans send what a mapping holds, also where it bears no new mark; its closing is an event, and sends the last."""

    async def scenario() -> None:
        async with (
            vault(tree.parent / "vault") as server,
            replicating(settings(tree.parent / "state", server.port, tree)) as running,
        ):
            await running.settle()
            with (tree / "mapped").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
                for number in (1, 2):
                    mapped[0] = number
                    await _scan(running)
                    await equal(tree, tree.parent / "vault")
                mapped[0] = 3
            await equal(tree, tree.parent / "vault")

    asyncio.run(scenario())


def test_a_mapping_that_is_dirtied_without_end(tree: Path) -> None:
    """A writer that never stops holds nothing up, and when it is killed its last state arrives."""

    async def scenario() -> None:
        async with (
            vault(tree.parent / "vault") as server,
            replicating(settings(tree.parent / "state", server.port, tree)) as running,
        ):
            await running.settle()
            current = tree.parent / "vault" / "current" / "docs"
            with _writer(tree / "mapped"):
                await until(lambda: any((tree / "mapped").read_bytes()[:8]))
                (tree / "beside").write_text("not held up")
                await _scan(running)
                await until(lambda: (current / "beside").exists() and any((current / "mapped").read_bytes()[:8]))
            await equal(tree, tree.parent / "vault")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("what", "window_ns"), [("file", RACY_NS), ("empty", TICK_NS), ("folder", TICK_NS), ("link", TICK_NS)]
)
def test_what_is_read_once_more(tree: Path, what: str, window_ns: int) -> None:
    """A file with bytes may change without a mark until the kernel has written them back; nothing else may."""
    path = tree / what
    match what:
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("nowhere")
        case _:
            path.write_text("x" if what == "file" else "")
    found = os.lstat(path)
    kind = kind_of(found)
    assert kind is not None
    meta = meta_of(found, kind)
    assert known_of(found, meta, b"", found.st_ctime_ns + window_ns - 1).racy
    assert not known_of(found, meta, b"", found.st_ctime_ns + window_ns).racy


@pytest.mark.parametrize(
    ("expire", "every", "seconds"), [("3000", "500", 60), ("60000", "1500", 640), ("3000", "0", 86_400), ("", "", 60)]
)
def test_how_long_a_page_is_dirty(tmp_path: Path, expire: str, every: str, seconds: int) -> None:
    """The kernel's settings say it; where they cannot be read, its defaults do."""
    (tmp_path / "dirty_expire_centisecs").write_text(expire)
    (tmp_path / "dirty_writeback_centisecs").write_text(every)
    assert settled_ns(tmp_path) == seconds * 10**9

"""Trees of many folders: where a watcher that watches itself never comes to rest, and where new folders race it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.events import InotifyWatcher
from replicator.exclude import Excludes
from replicator.filesystem import FanotifyWatcher
from replicator.watcher import Watcher
from tests.replicator.source.pair import equal, replicating, settings, until, vault
from tests.replicator.source.support import Heard
from tests.replicator.source.support import until as wait_until

#: From 5,000 on watchdog's own walk overflows its queue for ever.
_FOLDERS = 6000


@pytest.mark.parametrize("make", [InotifyWatcher, FanotifyWatcher])
def test_a_quiet_tree_of_many_folders_is_quiet(tmp_path: Path, make: Callable[[Excludes], Watcher]) -> None:
    """After the start nothing is told, nobody is blind, and of 200 writes each is told."""
    root = tmp_path / "tree"
    folders = [root / str(number % 100) / str(number) for number in range(_FOLDERS)]
    for folder in folders:
        folder.mkdir(parents=True)
    heard, watcher = Heard(), make(Excludes(()))
    watcher.start(bytes(root), heard)
    try:
        assert watcher.drain(30.0)
        heard.clear()
        assert watcher.drain(30.0)
        time.sleep(0.5)
        assert not heard.told
        for folder in folders[:: _FOLDERS // 200][:200]:
            (folder / "file").write_text("x")
        wanted = {bytes((folder / "file").relative_to(root)) for folder in folders[:: _FOLDERS // 200][:200]}
        assert wait_until(lambda: wanted <= heard.paths())
        assert not heard.blinds
    finally:
        watcher.stop()


def test_new_folders_at_full_speed_arrive_though_it_is_killed(tmp_path: Path) -> None:
    """400 times four folders deep with five files at once, the replicator killed midway: all 2,000 are at the vault."""
    tree = tmp_path / "tree"
    tree.mkdir()

    def deep(first: int, last: int) -> None:
        for number in range(first, last):
            folder = tree / str(number) / "b" / "c" / "d"
            folder.mkdir(parents=True)
            for name in "abcde":
                (folder / name).write_text(f"{number}{name}")

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree)
            command = [sys.executable, "-m", "tests.replicator.source.daemon", str(config.site.state)]
            process = await asyncio.create_subprocess_exec(
                *command, str(server.port), str(tree), stdout=subprocess.DEVNULL
            )
            await until(lambda: server.status()["connections"])
            await asyncio.to_thread(deep, 0, 200)
            await until(lambda: server.status()["sources"].get("docs", {}).get("position", 0) > 100)
            process.kill()
            await process.wait()
            await asyncio.to_thread(deep, 200, 300)
            async with replicating(config) as running:
                await asyncio.to_thread(deep, 300, 400)
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())

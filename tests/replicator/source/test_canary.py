"""The canary goes the whole way each second, tells when it does not come back, and leaves no trace."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replicator import canary, fanotify
from replicator.canary import CANARY
from replicator.events import InotifyWatcher
from replicator.fanotify import Fanotify
from replicator.filesystem import FanotifyWatcher
from replicator.inotify import Inotify
from tests.replicator.source.eyes import WATCHERS
from tests.replicator.source.pair import equal, replicating, settings, until, vault


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree to be carried out."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A tree that cannot be written."""
    path = tmp_path / "frozen"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
    (path / "file").write_text("x")
    subprocess.run(["mount", "-o", "remount,ro", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def _time(tree: Path) -> int:
    return tree.stat().st_mtime_ns


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many a second, so that a test need not wait."""
    monkeypatch.setattr(canary, "EVERY", 0.02)


def test_it_goes_the_whole_way_and_leaves_no_trace(tmp_path: Path, tree: Path) -> None:
    """The time it took is told and measured; no record is made of it, and its attribute goes with the replicator."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                (tree / "file").write_text("x")
                times = _time(tree)
                await running.settle()
                position = running.source["position"]
                await until(lambda: running.source["canary"]["by"] == "root" and running.source["canary"]["seconds"])
                assert CANARY in os.listxattr(tree)
                for _ in range(20):
                    was = running.replicator._sources[0].canary._took
                    await until(lambda was=was: running.replicator._sources[0].canary._took != was)  # type: ignore[misc]
                assert running.metric("bongsu_replication_canary_seconds") > 0
                assert (running.source["position"], running.source["pending"]) == (position, 0)
                assert _time(tree) == times
            assert CANARY not in os.listxattr(tree)
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_it_comes_back_only_when_all_before_it_is_durable(tmp_path: Path, tree: Path) -> None:
    """Without a vault it is out and its time grows; once the vault takes what is pending it comes back."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            port = server.port
        async with replicating(settings(tmp_path / "state", port, tree)) as running:
            await until(lambda: running.source["canary"]["seconds"])
            first = running.source["canary"]["seconds"]
            (tree / "file").write_text("x")
            await until(lambda: running.source["canary"]["seconds"] > first)
            assert running.replicator._sources[0].canary._took == 0
            async with vault(tmp_path / "vault", port=port):
                await until(lambda: running.replicator._sources[0].canary._took)
                await running.settle()
        await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


@pytest.mark.parametrize("make", WATCHERS)
def test_a_watcher_that_went_deaf_is_blindness(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, make: type[InotifyWatcher | FanotifyWatcher]
) -> None:
    """When the kernel's events do not arrive any more the source is blind, and a scan finds what was not told."""
    monkeypatch.setattr(canary, "OVERDUE", 1.0)
    kernel = Inotify if make is InotifyWatcher else Fanotify
    read = kernel.read
    deaf: list[Any] = []

    def hear(self: Any, limit: float | None) -> Any:
        told = list(read(self, limit))
        return iter(()) if self in deaf else iter(told)

    monkeypatch.setattr(kernel, "read", hear)
    if make is InotifyWatcher:

        def refuse() -> int:
            raise PermissionError(1, "no right")

        monkeypatch.setattr(fanotify, "_group", refuse)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                sight = running.replicator._sources[0].sight
                watcher: Any = sight._watcher
                before = sight._blinds
                deaf.append(getattr(watcher._watcher, f"_{make.method}"))
                (tree / "unheard").write_text("x")
                await until(lambda: sight._blinds > before)
                await running.settle()
                await equal(tree, tmp_path / "vault")
                (tree / "heard").write_text("x")
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_where_nothing_may_be_written_the_queue_is_emptied(tmp_path: Path, frozen: Path) -> None:
    """A source that cannot be written is told as proved by the watcher's queue, with the reason, and is not blind."""

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault") as server,
            replicating(settings(tmp_path / "state", server.port, frozen)) as running,
        ):
            await running.settle()
            await until(lambda: running.source["canary"]["seconds"])
            told = running.source["canary"]
            assert (told["by"], told["reason"]) == ("queue", f"set {CANARY}: read-only file system")
            assert not running.source["blind_since"]

    asyncio.run(scenario())

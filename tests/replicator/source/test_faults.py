"""Kills, cuts, lost disks and foreign vaults: nothing is lost, nothing is deleted by mistake, and all is told."""

import asyncio
import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from replicator import fanotify, filesystem
from replicator.events import InotifyWatcher
from replicator.fanotify import Fanotify
from replicator.filesystem import FanotifyWatcher
from replicator.inotify import Inotify
from replicator.journal_commit import commit
from replicator.messages import INLINE
from tests.replicator.source.churn import Churn
from tests.replicator.source.eyes import WATCHERS
from tests.replicator.source.pair import equal, replicating, settings, until, vault
from tests.replicator.source.proxy import line
from tests.support.trees import snapshot

#: Events that the kernel holds for a watcher.
QUEUE = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty tree to be carried out."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system of its own that can be unmounted."""
    path = tmp_path / "disk"
    path.mkdir()
    _mount(path)
    yield path
    while os.path.ismount(path):
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _mount(path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "none", str(path)], check=True)


def _unmount(path: Path) -> None:
    subprocess.run(["umount", str(path)], check=True)


def _empty(path: Path) -> None:
    """As people do it: everything in it, one by one."""
    for each in path.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def test_killed_again_and_again_it_loses_nothing(tmp_path: Path, tree: Path) -> None:
    """A replicator that is killed in the middle of its work, five times, has at the end carried everything."""
    churn = Churn(tree, random.Random(11))
    chance = random.Random(12)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree)
            for _ in range(5):
                command = [sys.executable, "-m", "tests.replicator.source.daemon", str(config.site.state)]
                process = await asyncio.create_subprocess_exec(
                    *command, str(server.port), str(tree), stdout=subprocess.DEVNULL
                )
                before = _records(server.status())
                await asyncio.to_thread(churn.run, 150)
                await until(lambda before=before: _records(server.status()) > before)  # type: ignore[misc]
                await asyncio.to_thread(churn.run, chance.randrange(100))
                process.kill()
                await process.wait()
            async with replicating(config) as running:
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def _records(status: dict[str, object]) -> int:
    sources = status["sources"]
    assert isinstance(sources, dict)
    return int(sources["docs"]["position"]) if "docs" in sources else 0


def test_a_line_cut_again_and_again_loses_nothing(tmp_path: Path, tree: Path) -> None:
    """Connections that break at random bytes, within frames and uploads: the end state is the tree's."""
    churn = Churn(tree, random.Random(21))
    chance = random.Random(22)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            async with replicating(settings(tmp_path / "state", cable.port, tree)) as running:
                (tree / "large").write_bytes(os.urandom(INLINE * 12))
                for number in range(8):
                    cable.cut_after = chance.randrange(1, 200_000)
                    await asyncio.to_thread(churn.run, 60)
                    (tree / "filler").write_bytes(os.urandom(INLINE * 2))
                    await until(lambda number=number: cable.cuts > number)  # type: ignore[misc]
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_line_that_is_down_is_told_and_healed(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the vault cannot be reached that is a condition with its reason; it goes when the line is back."""
    monkeypatch.setattr("replicator.conditions._PATIENCE", 0.5)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            async with replicating(settings(tmp_path / "state", cable.port, tree)) as running:
                await running.settle()
                cable.down = True
                cable.cut()
                (tree / "file").write_text("x")
                await until(lambda: "vault:unreachable" in running.conditions)
                assert running.source["pending"] == 1
                assert running.metric("bongsu_replication_pending_files") == 1
                assert running.metric("bongsu_replication_lag_seconds") > 0
                cable.down = False
                await until(lambda: not running.conditions)
                await running.settle()
                assert running.metric("bongsu_replication_lag_seconds") == 0
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


@pytest.mark.parametrize("make", WATCHERS)
def test_an_overflow_blinds_until_a_scan(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, make: type[InotifyWatcher | FanotifyWatcher]
) -> None:
    """When events are dropped the source is blind, and the scan that ends the blindness finds every file."""
    free = threading.Event()
    free.set()
    kernel = Inotify if make is InotifyWatcher else Fanotify
    read = kernel.read

    def slow(self: Any, limit: float | None) -> object:
        free.wait()
        return read(self, limit)

    monkeypatch.setattr(kernel, "read", slow)
    monkeypatch.setattr(fanotify, "_READ", 4096)
    monkeypatch.setattr(filesystem, "BACKLOG", 100)
    if make is InotifyWatcher:

        def refuse() -> int:
            raise PermissionError(errno.EPERM, "no right")

        monkeypatch.setattr(fanotify, "_group", refuse)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                assert running.source["watch"] == make.method
                free.clear()
                (tree / "wake").touch()
                for _ in range(QUEUE // 2 + 100):
                    (tree / "wake").rename(tree / "woken")
                    (tree / "woken").rename(tree / "wake")
                for number in range(100):
                    folder = tree / str(number)
                    folder.mkdir()
                    (folder / "file").touch()
                sight = running.replicator._sources[0].sight
                before = sight._blinds
                free.set()
                await until(lambda: sight._blinds > before)
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_an_unmounted_disk_deletes_nothing(tmp_path: Path, disk: Path) -> None:
    """A disk that is unmounted leaves an empty folder: that is told as missing, and the vault keeps every path."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, disk)
            async with replicating(config) as running:
                Churn(disk, random.Random(1)).run(100)
                await running.settle()
                await equal(disk, tmp_path / "vault")
                before = snapshot(tmp_path / "vault" / "current" / "docs")
                _unmount(disk)
                await until(lambda: "source:docs" in running.conditions)
                assert running.source["missing"]
            async with replicating(config, drain=timedelta(0)) as running:
                await until(lambda: "source:docs" in running.conditions)
            assert snapshot(tmp_path / "vault" / "current" / "docs") == before

    asyncio.run(scenario())


def test_a_disk_mounted_over_the_source_deletes_nothing(tmp_path: Path, disk: Path) -> None:
    """An empty disk mounted over a source is told as missing; when it is gone the source is read again."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, disk)) as running:
                Churn(disk, random.Random(2)).run(100)
                await running.settle()
                before = snapshot(disk)
                _mount(disk)
                running.replicator._sources[0].mark(sorted(before))
                await until(lambda: "source:docs" in running.conditions)
                _unmount(disk)
                await until(lambda: "source:docs" not in running.conditions)
                (disk / "later").write_text("x")
                await running.settle()
            await equal(disk, tmp_path / "vault")
            assert before.keys() <= snapshot(disk).keys()

    asyncio.run(scenario())


def test_another_disk_with_files_holds_the_deletions(tmp_path: Path, disk: Path) -> None:
    """Another disk in the source's place: what seems deleted is held and told, until an operator says it is right."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, disk)
            async with replicating(config) as running:
                for number in range(50):
                    (disk / f"old-{number}").write_text("x")
                await running.settle()
            _unmount(disk)
            _mount(disk)
            (disk / "new").write_text("x")
            async with replicating(config) as running:
                await until(lambda: "held:docs" in running.conditions)
                await running.settle()
                assert running.source["held_deletions"] == 50
                current = tmp_path / "vault" / "current" / "docs"
                await until((current / "new").exists)
                assert len(snapshot(current)) == 51
                (config.site.state / "accept.docs").touch()
                await until(lambda: "held:docs" not in running.conditions)
                await running.settle()
            await equal(disk, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_big_deletion_by_people_is_sent(tmp_path: Path, tree: Path) -> None:
    """Under the same root a deletion of everything is people's work: it arrives, and the versions stay there."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree)
            async with replicating(config) as running:
                Churn(tree, random.Random(5)).run(200)
                await running.settle()
                _empty(tree)
                await running.settle()
                assert not running.conditions
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_new_vault_gets_everything(tmp_path: Path, tree: Path) -> None:
    """With another vault the journal's word is worth nothing: everything is sent to it."""
    Churn(tree, random.Random(6)).run(200)

    async def scenario() -> None:
        for name in ("first", "second"):
            async with vault(tmp_path / name) as server:
                async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                    await running.settle()
                    await until(lambda: running.replicator._sources[0].trusted)
                    await running.settle()
                await equal(tree, tmp_path / name)

    asyncio.run(scenario())


@pytest.mark.parametrize("what", ["lost", "old", "damaged"])
def test_a_journal_that_is_not_right_is_made_right_by_the_vault(tmp_path: Path, tree: Path, what: str) -> None:
    """A journal lost, of an earlier day, or damaged: what the vault has is compared, and the tree is carried."""
    churn = Churn(tree, random.Random(8))
    churn.run(150)
    journal = tmp_path / "state" / "replicator.sqlite"

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree)
            async with replicating(config) as running:
                await running.settle()
            kept = journal.read_bytes()
            churn.run(150)
            async with replicating(config) as running:
                await running.settle()
                position = running.source["position"]
            if what == "old":
                journal.write_bytes(kept)
            elif what == "damaged":
                journal.write_bytes(b"no database" * 1000)
            else:
                journal.unlink()
            (tree / "after").write_text("x")
            async with replicating(config) as running:
                await running.settle()
                await until(lambda: running.replicator._sources[0].trusted)
                await running.settle()
                assert running.source["position"] <= position + 5
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_vault_set_back_is_brought_forward(tmp_path: Path, tree: Path) -> None:
    """A vault restored from an older copy of itself gets what it lost, though no file here changed."""
    churn = Churn(tree, random.Random(9))
    churn.run(100)

    async def scenario() -> None:
        config = None
        for number in range(2):
            async with vault(tmp_path / "vault") as server:
                config = settings(tmp_path / "state", server.port, tree)
                async with replicating(config) as running:
                    await running.settle()
            if number == 0:
                shutil.copytree(tmp_path / "vault", tmp_path / "copy", symlinks=True)
                churn.run(100)
        async with vault(tmp_path / "copy") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                await until(lambda: running.replicator._sources[0].trusted)
                await running.settle()
            await equal(tree, tmp_path / "copy")

    asyncio.run(scenario())


def test_a_journal_that_cannot_be_written_is_told_and_stops_nothing(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full state disk: files are carried all the same, the condition says so, and goes with the cause."""
    broken = {"broken": False}

    def failing(*values: Any) -> None:
        if broken["broken"]:
            raise sqlite3.OperationalError("database or disk is full")
        commit(*values)

    monkeypatch.setattr("replicator.journal.commit", failing)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                broken["broken"] = True
                (tree / "file").write_text("x")
                await until(lambda: "journal:unwritable" in running.conditions)
                await until(lambda: not running.source["pending"])
                broken["broken"] = False
                await until(lambda: "journal:unwritable" not in running.conditions)
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())

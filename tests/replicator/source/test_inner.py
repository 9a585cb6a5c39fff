"""A file system mounted inside a source: when it goes, what was in it is held and told, never deleted."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator.guard import judge_mount
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.support.trees import same, snapshot


def _command(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True)


class Bay:
    """A tree with a folder `in/disk` on which a disk with files can be mounted again and again."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.place = self.tree / "in" / "disk"
        self._disk = folder / "disk"
        self.place.mkdir(parents=True)
        self._disk.mkdir()
        _command("mount", "-t", "tmpfs", "none", self._disk)
        for number in range(6):
            (self._disk / f"{number}").write_text(f"{number}")
        (self._disk / "sub").mkdir()
        (self._disk / "sub" / "file").write_text("deep")
        (self.tree / "own").write_text("not on the disk")

    def mount(self) -> None:
        """The same disk as before."""
        _command("mount", "--bind", self._disk, self.place)

    def mount_another(self) -> None:
        """An empty disk."""
        _command("mount", "-t", "tmpfs", "none", self.place)

    def unmount(self) -> None:
        """An empty folder is left."""
        _command("umount", "--lazy", self.place)

    def close(self) -> None:
        """Nothing stays mounted."""
        while os.path.ismount(self.place):
            self.unmount()
        _command("umount", "--lazy", self._disk)


@pytest.fixture
def bay(tmp_path: Path) -> Iterator[Bay]:
    """With its disk mounted."""
    bay = Bay(tmp_path)
    bay.mount()
    yield bay
    bay.close()


async def _told(running: Running) -> None:
    await until(lambda: "unmounted:docs" in running.conditions)
    assert [each["path"] for each in running.source["unmounted"]] == ["in/disk"]
    await running.settle()


@pytest.mark.parametrize("watch", ["events", "scan"])
def test_an_unmounted_disk_inside_deletes_nothing(tmp_path: Path, bay: Bay, watch: str) -> None:
    """What was on it stays at the vault while the rest goes on; when it is back its changes are seen again."""
    current = tmp_path / "vault" / "current" / "docs"

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, bay.tree, watch=watch)) as running:
                await running.settle()
                await equal(bay.tree, tmp_path / "vault")
                before = snapshot(bay.place)
                bay.unmount()
                await _told(running)
                (bay.place / "0").write_text("of another file system")
                (bay.tree / "meanwhile").write_text("x")
                await running.settle()
                await until((current / "meanwhile").exists)
                assert same(before, current / "in" / "disk")
                (bay.place / "0").unlink()
                bay.mount()
                await until(lambda: "unmounted:docs" not in running.conditions)
                (bay.place / "0").write_text("changed")
                (bay.place / "sub" / "file").unlink()
                await running.settle()
            await equal(bay.tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_disk_inside_that_is_missing_at_the_start_deletes_nothing(tmp_path: Path, bay: Bay) -> None:
    """A restart remembers what was mounted; when an operator accepts that it is gone, so are its files."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, bay.tree)
            async with replicating(config) as running:
                await running.settle()
            await equal(bay.tree, tmp_path / "vault")
            before = snapshot(bay.place)
            bay.unmount()
            async with replicating(config) as running:
                await _told(running)
                assert same(before, tmp_path / "vault" / "current" / "docs" / "in" / "disk")
                (tmp_path / "state" / "accept.docs").touch()
                await until(lambda: "unmounted:docs" not in running.conditions)
                await running.settle()
            await equal(bay.tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_another_disk_inside_deletes_nothing(tmp_path: Path, bay: Bay) -> None:
    """An empty disk mounted over the one that was known, or over files, is told, and hides nothing from the vault."""
    (bay.tree / "in" / "file").write_text("x")

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, bay.tree)) as running:
                await running.settle()
                await equal(bay.tree, tmp_path / "vault")
                before = snapshot(bay.place)
                bay.mount_another()
                await _told(running)
                assert same(before, tmp_path / "vault" / "current" / "docs" / "in" / "disk")
                bay.unmount()
                await until(lambda: "unmounted:docs" not in running.conditions)
                await running.settle()
            await equal(bay.tree, tmp_path / "vault")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("now", "paths", "missing", "believed"),
    [
        (None, 0, 0, True),
        (None, 1, 0, False),
        ((1, 2), 10, 5, True),
        ((1, 2), 10, 6, False),
        ((1, 2), 0, 0, True),
    ],
)
def test_which_mounts_are_believed(now: tuple[int, int] | None, paths: int, missing: int, *, believed: bool) -> None:
    """None is believed gone that the vault has files of, and no other in its place that lacks most of them."""
    assert (judge_mount(now, paths, missing) == "") is believed

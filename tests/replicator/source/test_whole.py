"""Files come back whole: attributes, ACLs, hard links, holes; and renames carry nothing again."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from replicator.local import LocalArchive
from replicator.restore import Restored, restore
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.replicator.source.proxy import line
from tests.replicator.whole import ACL, CAPABILITY, DEFAULT_ACL, acl, all_xattrs, room, with_holes
from tests.support.trees import same, snapshot

_ROOT = os.geteuid() == 0
_MIB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty tree to be carried out."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


def carry(
    tmp_path: Path, tree: Path, *steps: Callable[[Running], Awaitable[None]], watch: str = "events"
) -> tuple[Path, Restored]:
    """Run steps, each beside a replicator of its own; the restored tree must equal the source."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree, watch=watch)
            for step in steps:
                async with replicating(config) as running:
                    await running.settle()
                    await step(running)
                    await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())
    with LocalArchive(tmp_path / "vault") as archive:
        done = restore(archive, tmp_path / "back")
    assert not done.failed
    assert same(snapshot(tree), tmp_path / "back")
    assert all_xattrs(tmp_path / "back") == all_xattrs(tree)
    return tmp_path / "back", done


async def _nothing(_: Running) -> None:
    """Only what was there."""


@pytest.mark.parametrize("watch", ["events", "scan"])
def test_attributes_and_acls_come_back(tmp_path: Path, tree: Path, watch: str) -> None:
    """Attributes and ACLs of files and folders come back, set or taken away beside a replicator or without one."""
    for name in ("a", "b", "c", "d", "e"):
        (tree / name).mkdir()
        (tree / name / "file").write_bytes(name.encode() * 50_000)
    os.setxattr(tree / "a" / "file", "user.title", "결재 문서".encode())
    os.setxattr(tree / "a", ACL, acl(0o750, (1234, 7)))
    os.setxattr(tree / "a", DEFAULT_ACL, acl(0o750, (1234, 5)))
    os.setxattr(tree / "a" / "file", ACL, acl(0o640, (1234, 4)))
    if _ROOT:
        os.setxattr(tree / "a" / "file", "security.capability", CAPABILITY)

    async def change(_: Running) -> None:
        os.setxattr(tree / "b", "user.kind", b"folder")
        os.setxattr(tree / "b" / "file", "user.kind", b"\0\xff")
        os.setxattr(tree / "c" / "file", ACL, acl(0o644, (4321, 6)))
        os.removexattr(tree / "a", DEFAULT_ACL)
        os.removexattr(tree / "a" / "file", "user.title")
        (tree / "a" / "new").write_bytes(b"made under an ACL")

    carry(tmp_path, tree, change, watch=watch)
    os.setxattr(tree / "d", "user.kind", b"while nobody looked")
    os.setxattr(tree / "d" / "file", "user.kind", b"while nobody looked")
    os.removexattr(tree / "b", "user.kind")
    (tmp_path / "back").rename(tmp_path / "earlier")
    carry(tmp_path, tree, _nothing, watch=watch)
    current = all_xattrs(tmp_path / "vault" / "current" / "docs")
    wanted = all_xattrs(tree)
    if _ROOT:
        del wanted["a/file"]["security.capability"]
    assert current == wanted


def test_hard_links_come_back_as_hard_links(tmp_path: Path, tree: Path) -> None:
    """Names of one file are one file again, whichever was changed; a name's end is no version of the others."""
    (tree / "in").mkdir()
    (tree / "small").write_bytes(b"s" * 9000)
    (tree / "large").write_bytes(os.urandom(3 * _MIB))
    (tree / "same as small").write_bytes(b"s" * 9000)
    os.utime(tree / "same as small", ns=(1, (tree / "small").stat().st_mtime_ns))
    os.link(tree / "small", tree / "in" / "small too")
    positions = []

    async def change(running: Running) -> None:
        os.link(tree / "large", tree / "in" / "large too")
        os.link(tree / "large", tree / "third")
        await running.settle()
        (tree / "third").chmod(0o600)
        os.truncate(tree / "in" / "small too", 8000)
        await running.settle()

    async def end(running: Running) -> None:
        positions.append(running.source["position"])
        (tree / "third").unlink()
        await running.settle()
        positions.append(running.source["position"])

    back, _ = carry(tmp_path, tree, change, end)
    assert (back / "small").samefile(back / "in" / "small too")
    assert (back / "large").samefile(back / "in" / "large too")
    assert (back / "large").stat().st_nlink == 2
    assert not (back / "small").samefile(back / "same as small")
    assert positions[1] - positions[0] <= 2  # the deletion, and the folder's new time


def test_holes_come_back_as_holes(tmp_path: Path, tree: Path) -> None:
    """Sparse files take as little room in the vault and after a restore as in the source; mere zeros are written."""
    with_holes(tree / "large", 60 * _MIB, (0, b"head"), (30 * _MIB + 5, b"x" * 70_000), (60 * _MIB - 4, b"tail"))
    with_holes(tree / "small", 100_000, (50_000, b"middle"))
    with_holes(tree / "all hole", 10 * _MIB)
    (tree / "zeros").write_bytes(bytes(2 * _MIB))
    back, _ = carry(tmp_path, tree, _nothing)
    current = tmp_path / "vault" / "current" / "docs"
    for name in ("large", "small", "all hole"):
        for copy in (back / name, current / name):
            assert room(copy) <= room(tree / name) + 16 * 4096, copy
    assert room(back / "zeros") >= 2 * _MIB
    objects = [path for path in (tmp_path / "vault" / "objects").rglob("*") if path.is_file()]
    assert sum(map(room, objects)) < 2 * _MIB


def test_holes_do_not_travel(tmp_path: Path, tree: Path) -> None:
    """Of a file with holes no more than about its data goes over the line."""
    with_holes(tree / "large", 60 * _MIB, (30 * _MIB + 5, b"x" * 70_000))
    budget = 1 << 40

    async def scenario() -> int:
        async with vault(tmp_path / "vault") as server, line(server.port) as relay:
            relay.cut_after = budget
            async with replicating(settings(tmp_path / "state", relay.port, tree)) as running:
                await running.settle()
            await equal(tree, tmp_path / "vault")
            return budget - relay.cut_after

    assert asyncio.run(scenario()) < 3 * _MIB


def test_what_is_no_document_is_left_out_and_counted(tmp_path: Path, tree: Path) -> None:
    """Pipes and sockets are not carried, keep nothing from being carried, and the status counts them."""
    (tree / "file").write_text("x")
    os.mkfifo(tree / "pipe")
    counted = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tree / "socket"))

        async def count(running: Running) -> None:
            counted.append(running.source["special"])

        back, _ = carry(tmp_path, tree, count)
    assert counted == [2]
    assert [path.name for path in back.iterdir()] == ["file"]


def test_renames_carry_no_content(tmp_path: Path, tree: Path) -> None:
    """Folders, files and their case renamed, moved up and down: not one content goes over the line again."""
    (tree / "Docs" / "inner").mkdir(parents=True)
    for number in range(20):
        (tree / "Docs" / "inner" / f"{number}").write_bytes(os.urandom(100_000))
    (tree / "Docs" / "large").write_bytes(os.urandom(2 * _MIB))
    budget = 1 << 40

    async def scenario() -> int:
        async with vault(tmp_path / "vault") as server, line(server.port) as relay:
            async with replicating(settings(tmp_path / "state", relay.port, tree)) as running:
                await running.settle()
                relay.cut_after = budget
                (tree / "Docs").rename(tree / "docs")
                await running.settle()
                (tree / "docs" / "inner").rename(tree / "outer")
                (tree / "docs" / "large").rename(tree / "outer" / "LARGE")
                await running.settle()
                (tree / "outer" / "LARGE").rename(tree / "outer" / "Large")
                await running.settle()
                sent = budget - relay.cut_after
            await equal(tree, tmp_path / "vault")
        return sent

    assert asyncio.run(scenario()) < 100_000


def test_a_rename_told_late_carries_no_content(tmp_path: Path, tree: Path) -> None:
    """Files that are gone by their old names, which the vault has deleted, before they come again by new ones."""
    budget = 1 << 40
    aside = tmp_path / "aside"
    (tree / "small").write_bytes(os.urandom(100_000))
    (tree / "large").write_bytes(os.urandom(2 * _MIB))

    async def scenario() -> int:
        async with vault(tmp_path / "vault") as server, line(server.port) as relay:
            relay.cut_after = budget
            async with replicating(settings(tmp_path / "state", relay.port, tree)) as running:
                await running.settle()
                await asyncio.to_thread(aside.mkdir)
                before = relay.cut_after
                for name in ("small", "large"):
                    (tree / name).rename(aside / name)
                await running.settle()
                await until(lambda: not list((tmp_path / "vault" / "current" / "docs").iterdir()))
                for name in ("small", "large"):
                    (aside / name).rename(tree / f"{name} again")
                await running.settle()
                sent = before - relay.cut_after
            await equal(tree, tmp_path / "vault")
        return sent

    assert asyncio.run(scenario()) < 60_000


def test_attributes_beyond_the_limit_are_told(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large to be carried is left out, and a restore says so; what fits is there."""
    (tree / "file").write_text("x")
    os.setxattr(tree / "file", "user.a", b"fits")
    os.setxattr(tree / "file", "user.b", b"too large")
    real = os.getxattr

    def getxattr(path: int | bytes, name: bytes) -> bytes:
        value = real(path, name)
        return value * 8000 if value == b"too large" else value

    monkeypatch.setattr("replicator.attributes.os.getxattr", getxattr)

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault") as server,
            replicating(settings(tmp_path / "state", server.port, tree)) as running,
        ):
            await running.settle()
            await until(lambda: running.source["position"] >= 2)

    asyncio.run(scenario())
    monkeypatch.undo()
    with LocalArchive(tmp_path / "vault") as archive:
        done = restore(archive, tmp_path / "back")
    assert all_xattrs(tmp_path / "back") == {"file": {"user.a": b"fits"}}
    assert [path for path, _ in done.bare] == ["file"]
    assert "1 attribute" in done.bare[0][1]

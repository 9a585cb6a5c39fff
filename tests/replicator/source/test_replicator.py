"""A tree, a replicator, a vault: what is written here is there, whatever happens in between."""

import asyncio
import os
import random
import socket
import stat
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from replicator.messages import INLINE
from tests.replicator.source.churn import Churn
from tests.replicator.source.pair import Running, equal, replicating, settings, until, vault
from tests.replicator.source.support import LIMIT, NAMES
from tests.support.trees import snapshot


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty tree to be carried out."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


def carry(tmp_path: Path, tree: Path, steps: Callable[[Running], Coroutine[Any, Any, None]], **source: Any) -> None:
    """Run the steps beside a replicator and its vault; at the end the vault's plain files must be the tree."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree, **source)) as running:
                await steps(running)
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_what_was_there_before_is_carried(tmp_path: Path, tree: Path) -> None:
    """Files, large and small and empty, folders, links, rights and times that stood there at the start arrive."""
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "empty").mkdir(mode=0o700)
    (tree / "a" / "small").write_bytes(b"x" * 1000)
    (tree / "a" / "none").touch()
    (tree / "a" / "b" / "large").write_bytes(os.urandom(INLINE * 9 + 1))
    (tree / "a" / "link").symlink_to("../nowhere")
    (tree / "a" / "small").chmod(0o640)
    os.utime(tree / "a" / "small", ns=(1, 1_234_567_891))

    async def steps(running: Running) -> None:
        await running.settle()

    carry(tmp_path, tree, steps)


def test_names_are_bytes(tmp_path: Path, tree: Path) -> None:
    """Any name that the kernel allows arrives byte for byte, seen by event."""

    async def steps(running: Running) -> None:
        await running.settle()
        for name in NAMES:
            folder = tree / os.fsdecode(name)
            folder.mkdir()
            (folder / os.fsdecode(name)).write_bytes(name)

    carry(tmp_path, tree, steps)


@pytest.mark.parametrize("watch", ["events", "scan"])
def test_random_changes_arrive(tmp_path: Path, tree: Path, watch: str) -> None:
    """A thousand random creations, writes, renames, deletions, links and rights: the end state is the tree's."""
    seed = random.randrange(1 << 32)

    async def steps(running: Running) -> None:
        churn = Churn(tree, random.Random(seed))
        for _ in range(5):
            await asyncio.to_thread(churn.run, 250)
            await asyncio.sleep(0)
        await running.settle()

    print("seed", seed)  # noqa: T201 - shown when it fails
    carry(tmp_path, tree, steps, watch=watch)


def test_a_restart_finds_what_changed_meanwhile(tmp_path: Path, tree: Path) -> None:
    """What was created, changed and deleted while no replicator ran arrives after the next start."""
    churn = Churn(tree, random.Random(7))
    churn.run(300)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree)
            for _ in range(3):
                async with replicating(config) as running:
                    await running.settle()
                await equal(tree, tmp_path / "vault")
                churn.run(300)
            async with replicating(config) as running:
                await running.settle()
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_restart_sends_nothing_again(tmp_path: Path, tree: Path) -> None:
    """A second start with nothing changed makes no new record at the vault."""
    Churn(tree, random.Random(3)).run(200)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree)
            positions = []
            for _ in range(2):
                async with replicating(config) as running:
                    await running.settle()
                    positions.append(running.source["position"])
            assert positions[0] == positions[1] > 0

    asyncio.run(scenario())


def test_a_stop_at_once_loses_nothing(tmp_path: Path, tree: Path) -> None:
    """A change made just before the stop, before the vault was ever connected, is carried within the drain."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree)
            for number in range(5):
                running = Running(config)
                await running.replicator.start()
                (tree / f"last-{number}").write_text("x")
                left = await running.replicator.stop(timedelta(seconds=LIMIT))
                assert left == (0, 0)
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_stop_does_not_wait_for_who_goes_on_writing(tmp_path: Path, tree: Path) -> None:
    """A file that is rewritten without end does not hold up the stop; what was there before it is safe."""
    writing = threading.Event()
    writing.set()

    def write() -> None:
        while writing.is_set():
            (tree / "busy").write_bytes(os.urandom(100))

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            running = Running(settings(tmp_path / "state", server.port, tree))
            await running.replicator.start()
            thread = threading.Thread(target=write)
            thread.start()
            try:
                await until(lambda: running.source["scanned_at"])
                (tree / "before").write_text("x")
                async with asyncio.timeout(LIMIT):
                    await running.replicator.stop(timedelta(hours=1))
            finally:
                writing.clear()
                thread.join()
            await until((tmp_path / "vault" / "current" / "docs" / "before").exists)

    asyncio.run(scenario())


def test_a_stop_waits_for_a_vault_that_comes_late(tmp_path: Path, tree: Path) -> None:
    """A stop asked for while the vault is not there yet waits for it, within the drain, and sends."""
    (tree / "file").write_text("x")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    async def scenario() -> None:
        running = Running(settings(tmp_path / "state", port, tree))
        await running.replicator.start()
        stopping = asyncio.create_task(running.replicator.stop(timedelta(seconds=LIMIT)))
        await until(lambda: running.source["pending"])
        async with vault(tmp_path / "vault", port=port):
            assert await stopping == (0, 0)
        await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_a_stop_without_a_vault_ends_and_tells(tmp_path: Path, tree: Path) -> None:
    """Without any vault the stop ends at its limit, says what is left, and the next start sends it first."""
    (tree / "file").write_text("x")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    async def scenario() -> None:
        running = Running(settings(tmp_path / "state", port, tree))
        await running.replicator.start()
        await until(lambda: running.source["pending"])
        left = await running.replicator.stop(timedelta(milliseconds=200))
        assert left.files == 1
        again = Running(settings(tmp_path / "state", port, tree))
        await again.replicator.start()
        assert again.source["pending"] == 1
        await again.replicator.stop(timedelta(0))

    asyncio.run(scenario())


def test_a_rename_sends_no_bytes_again(tmp_path: Path, tree: Path) -> None:
    """A moved tree's files are known by their bytes: the vault keeps no second copy of them."""
    (tree / "a").mkdir()
    for number in range(20):
        (tree / "a" / str(number)).write_bytes(os.urandom(INLINE + 1 if number % 2 else 20_000))

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
                before = _size(tmp_path / "vault" / "journal") + _size(tmp_path / "vault" / "objects")
                (tree / "a").rename(tree / "b")
                await running.settle()
                after = _size(tmp_path / "vault" / "journal") + _size(tmp_path / "vault" / "objects")
                assert after - before < 100_000
            await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_special_files_are_left_out_and_counted(tmp_path: Path, tree: Path) -> None:
    """Pipes and sockets are neither read nor sent, and the status counts them."""
    os.mkfifo(tree / "pipe")

    async def steps(running: Running) -> None:
        await running.settle()
        assert running.source["special"] == 1
        (tree / "file").write_text("x")
        (tree / "file").unlink()
        os.mkfifo(tree / "file")
        await running.settle()

    carry(tmp_path, tree, steps)


def test_links_are_never_followed(tmp_path: Path, tree: Path) -> None:
    """A link to a folder outside is a link; what is reached through it is not read, also when a folder becomes one."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tree / "folder").mkdir()
    (tree / "folder" / "secret").write_text("mine")

    async def steps(running: Running) -> None:
        await running.settle()
        (tree / "folder" / "secret").unlink()
        (tree / "folder").rmdir()
        (tree / "folder").symlink_to(outside)
        await running.settle()
        running.replicator._sources[0].mark([b"folder/secret"])
        await running.settle()

    carry(tmp_path, tree, steps)


def test_an_open_file_is_carried_as_marked_moments(tmp_path: Path, tree: Path) -> None:
    """A file that its writer keeps open arrives marked as open, and unmarked once it is closed."""

    async def steps(running: Running) -> None:
        await running.settle()
        source = running.replicator._sources[0]
        with (tree / "log").open("wb", buffering=0) as file:
            file.write(b"first")

            def marked() -> bool:
                known = source.journal.get(source.number, b"log")
                return known is not None and known.meta.open and known.meta.size == len(b"first")

            await until(marked)
        await running.settle()
        known = source.journal.get(source.number, b"log")
        assert known is not None
        assert not known.meta.open

    carry(tmp_path, tree, steps)


@pytest.mark.parametrize("size", [1000, INLINE * 4])
def test_a_file_written_without_end_is_carried_while_it_grows(tmp_path: Path, tree: Path, size: int) -> None:
    """A writer that never pauses does not keep a file here: moments of it arrive, and the last state at its end."""

    async def steps(running: Running) -> None:
        await running.settle()
        source = running.replicator._sources[0]
        with (tree / "log").open("wb", buffering=0) as file:
            file.write(b"x" * size)

            def carried() -> bool:
                file.write(b"more")
                return source.journal.get(source.number, b"log") is not None

            await until(carried)

    carry(tmp_path, tree, steps)


@pytest.mark.parametrize(("call", "size"), [("read", 1), ("pread", INLINE + 1)])
def test_an_unreadable_file_is_set_aside_and_others_go_on(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, call: str, size: int
) -> None:
    """A file whose disk sectors are bad, small or large, is named, others are carried, and it comes when it can be."""
    real, bad = getattr(os, call), {"bad": True}

    def read(fd: int, *values: int) -> bytes:
        if bad["bad"] and Path(f"/proc/self/fd/{fd}").readlink() == tree / "broken":
            raise OSError(5, "Input/output error")
        return bytes(real(fd, *values))

    monkeypatch.setattr(os, call, read)

    async def steps(running: Running) -> None:
        await running.settle()
        (tree / "broken").write_bytes(b"x" * size)
        (tree / "good").write_text("y")
        await until(lambda: running.source["set_aside_count"] == 1 and running.source["pending"] == 1)
        assert running.source["set_aside"][0]["path"] == "broken"
        assert "input/output error" in running.source["set_aside"][0]["reason"]
        assert "set-aside:docs" in running.conditions
        bad["bad"] = False
        await until(lambda: not running.conditions)

    carry(tmp_path, tree, steps)


def test_excluded_paths_stay_here(tmp_path: Path, tree: Path) -> None:
    """Excluded names are not carried, neither from the scan nor from events."""
    (tree / "old.tmp").write_text("x")

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(tmp_path / "state", server.port, tree, exclude=["*.tmp", "~$*"])
            async with replicating(config) as running:
                await running.settle()
                (tree / "~$doc.hwp").write_text("x")
                (tree / "kept").write_text("x")
                await running.settle()
            await until(lambda: snapshot(tmp_path / "vault" / "current" / "docs").keys() == {b"kept"})

    asyncio.run(scenario())


def test_a_folder_that_nobody_may_enter_keeps_its_rights(tmp_path: Path, tree: Path) -> None:
    """Rights of folders arrive, also those that shut everybody out."""
    (tree / "shut").mkdir()
    (tree / "shut" / "file").write_text("x")
    (tree / "shut").chmod(0)

    async def steps(running: Running) -> None:
        await running.settle()

    carry(tmp_path, tree, steps)
    assert stat.S_IMODE((tmp_path / "vault" / "current" / "docs" / "shut").stat().st_mode) == 0

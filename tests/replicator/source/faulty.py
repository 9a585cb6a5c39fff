"""A replicator in a process of its own, the disk of whose state can be told to fail, and a fixed list of changes."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from replicator import journal_file
from replicator.errors import JournalError
from replicator.vault import VaultServer
from tests.replicator.source.pair import Running, equal, replicating, settings, vault
from tests.replicator.source.support import LIMIT
from tests.support import disk

#: The exit code of a replicator that cannot go on.
BROKEN = 3
_GONE = (EOFError, OSError)


def _serve(state: Path, port: int, tree: Path, line: Connection, fault: dict[str, Any]) -> None:
    """In the process: run until the line is closed, the journal breaks, or the shim ends it."""
    disk.arm(state, "", **fault)
    journal_file.LOG_MOST = 0
    os._exit(asyncio.run(_live(Running(settings(state, port, tree)), line)))


async def _live(running: Running, line: Connection) -> int:
    try:
        await running.replicator.start()
    except JournalError:
        return BROKEN
    failed = asyncio.create_task(running.replicator.failed())
    while True:
        asked = asyncio.create_task(asyncio.to_thread(_asked, line))
        await asyncio.wait({asked, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            await running.replicator.stop(timedelta(0))
            os._exit(BROKEN)  # the thread still waits for a question
        if not asked.result():
            break
        line.send(await _status(running))
    await running.replicator.stop()
    failed.cancel()
    return 0


async def _status(running: Running) -> dict[str, Any]:
    """What it says of itself once it has been told of all that happened before."""
    seen = [await source.sight.drain(LIMIT) for source in running.replicator._sources]
    return {**running.replicator.status(), "conditions": running.conditions, "idle": all(seen) and running.idle()}


def _asked(line: Connection) -> bool:
    with contextlib.suppress(*_GONE):
        line.recv()
        return True
    return False


class Apart:
    """The process, and what it says of itself."""

    def __init__(self, process: BaseProcess, line: Connection) -> None:
        self._process = process
        self._line = line

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    async def says(self, true: Callable[[dict[str, Any]], object]) -> bool:
        """Wait until its status, with `conditions` and `idle`, is so; whether it became so before it ended.

        Raises:
            TimeoutError: neither happened.
        """
        async with asyncio.timeout(LIMIT):
            while self.running:
                with contextlib.suppress(*_GONE):
                    self._line.send("status")
                    if true(await asyncio.to_thread(self._line.recv)):
                        return True
                await asyncio.sleep(0.01)
        return False

    async def calm(self) -> bool:
        """Wait until all that was changed is at the vault; whether it is, and it has not ended."""
        return await self.says(lambda told: told["idle"])

    async def end(self) -> int:
        """Ask it to stop, if it still runs, and give its exit code; a signal is negative."""
        self._line.close()
        await asyncio.to_thread(self._process.join, LIMIT)
        assert self._process.exitcode is not None
        return self._process.exitcode


@contextlib.contextmanager
def apart(state: Path, port: int, tree: Path, **fault: Any) -> Iterator[Apart]:
    """A replicator of this tree; the faults are those of `disk.arm`, its log is carried over at each commit."""
    context = disk.processes(__name__)
    state.mkdir(exist_ok=True)
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(state, port, tree, there, fault))
    process.start()
    there.close()
    try:
        yield Apart(process, here)
    finally:
        here.close()
        process.kill()
        process.join()
        process.close()


# ---------------------------------------------------------------- the work


def changes(tree: Path) -> Iterator[None]:
    """Files, a folder and a large file are made, changed, renamed and deleted; a pause after each few of them."""
    folder = tree / "folder"
    folder.mkdir()
    for number in range(12):
        (folder / f"f{number}").write_bytes(b"%d" % number * 2000)
    yield
    (tree / "large").write_bytes(os.urandom(400_000))
    yield
    for number in range(4):
        (folder / f"f{number}").write_bytes(b"changed" * 1000)
    (folder / "f5").unlink()
    (folder / "f6").rename(tree / "f6")
    (tree / "link").symlink_to("f6")
    yield
    with (tree / "large").open("ab") as file:
        file.write(os.urandom(1000))
    yield
    folder.rename(tree / "renamed")
    yield
    (tree / "renamed" / "f7").unlink()


class Carried:
    """What came of the work: records at the vault, bytes of contents that it was sent, and how the process ended."""

    def __init__(self, server: VaultServer, code: int) -> None:
        self.records = int(server.status()["sources"]["docs"]["position"])
        self.bytes = int(server._metrics.received_bytes._value.get())
        self.code = code


@contextlib.asynccontextmanager
async def worked(box: Path, **fault: Any) -> AsyncIterator[Carried]:
    """The work, carried by a replicator with this fault and, should it end, by another one after; all has arrived.

    Raises:
        AssertionError: the vault does not show the tree.
    """
    tree, state = box / "tree", box / "state"
    tree.mkdir(parents=True)
    async with vault(box / "vault") as server:
        with apart(state, server.port, tree, **fault) as doomed:
            await doomed.calm()
            for _ in changes(tree):
                await doomed.calm()
            await doomed.calm()
            code = await doomed.end()
        async with replicating(settings(state, server.port, tree)) as running:
            await running.settle()
        await equal(tree, box / "vault")
        yield Carried(server, code)

"""A vault in a process of its own on a disk that can be told to fail, and a sender with a fixed list of work."""

import asyncio
import contextlib
import os
import random
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from config.model import Vault
from replicator import appender, current
from replicator.errors import ReplicatorError
from replicator.local import LocalArchive
from replicator.messages import Delete, Done, Need, Refused, Seal
from replicator.vault import VaultServer
from tests.replicator.vault.support import (
    LIMIT,
    SOURCE,
    Sender,
    content,
    faults,
    folder_meta,
    link_meta,
    look,
    opened,
    put,
    sending,
    serving,
)
from tests.support import disk

#: The exit code of a vault that found that its disk is broken.
BROKEN = 3
_SEGMENT = 30_000

Work = list[tuple[str, bytes, bytes]]


def _serve(box: Path, line: Connection, fault: dict[str, Any], marks: bool) -> None:
    """In the process: run until the line is closed, the disk breaks, or the shim ends it."""
    disk.arm(box, "vault", **fault)
    appender.SEGMENT_BYTES = _SEGMENT
    if marks:
        current._MARK_EVERY = 0.0
    asyncio.run(_live(box / "vault", line))
    os._exit(0)


async def _live(root: Path, line: Connection) -> None:
    server = VaultServer(Vault(listen="127.0.0.1:0", root=root), registry=CollectorRegistry())
    await server.start()
    line.send(server.port)
    asked: asyncio.Task[Any] = asyncio.create_task(asyncio.to_thread(line.poll, None))
    failed: asyncio.Task[Any] = asyncio.create_task(server.failed())
    await asyncio.wait({asked, failed}, return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        os._exit(BROKEN)
    failed.cancel()
    await server.stop()


class Doomed:
    """A vault's process, and what came of it."""

    def __init__(self, process: BaseProcess, line: Connection) -> None:
        self._process = process
        self._line = line
        #: None when it ended before it listened.
        self.port: int | None = None
        with contextlib.suppress(EOFError, ConnectionResetError):
            assert line.poll(LIMIT)
            self.port = line.recv()

    def end(self) -> int:
        """Ask it to stop, if it still runs, and give its exit code; a signal is negative."""
        self._line.close()
        self._process.join(LIMIT)
        assert self._process.exitcode is not None
        return self._process.exitcode


@contextlib.contextmanager
def doomed(box: Path, *, marks: bool = True, **fault: Any) -> Iterator[Doomed]:
    """A vault at `box/vault`; the faults are those of `disk.arm`. With `marks` each file in `current/` has its mark."""
    context = disk.processes(__name__)
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(box, there, fault, marks))
    process.start()
    there.close()
    try:
        yield Doomed(process, here)
    finally:
        here.close()
        process.kill()
        process.join()
        process.close()


# ---------------------------------------------------------------- the sender


def work(seed: int = 1) -> Work:
    """What a sender says, in order: files of all sizes, changed, replaced, deleted, with folders and links."""
    chance = random.Random(seed)
    sizes = [0, 9, 3000, 20_000, 400_000, 1_200_000]
    said: Work = [("folder", b"d%d" % number, b"") for number in range(2)]
    for number in range(16):
        path = b"d%d/f%d" % (number % 2, number % 5)
        said.append(("file", path, chance.randbytes(sizes[number % len(sizes)])))
        if number % 6 == 5:
            said.append(("delete", b"d%d/f%d" % (number % 2, number % 5), b""))
        if number % 8 == 7:
            said += [("link", b"d0/link", b"to%d" % number), ("seal", b"", b"point%d" % number)]
    return [*said, ("delete", b"d1", b""), ("file", b"last", chance.randbytes(10_000))]


class Client:
    """Says the work one by one, and remembers what was acknowledged."""

    def __init__(self, said: Work, log: Path | None = None) -> None:
        self.done = 0
        self.refused: list[Refused] = []
        self._work = said
        self._log = log

    def ended(self) -> bool:
        """Whether all of it was acknowledged."""
        return self.done == len(self._work)

    def run(self, port: int | None) -> None:
        """Go on where the last acknowledgement was, until all is said or the vault is gone."""
        if port is not None:
            with contextlib.suppress(ReplicatorError, OSError):
                asyncio.run(self._run(port))

    async def _run(self, port: int) -> None:
        async with sending(port) as sender:
            while not self.ended():
                answer = await self._say(sender, *self._work[self.done])
                if isinstance(answer, Refused):
                    assert answer.again, answer
                    self.refused.append(answer)
                    await asyncio.sleep(0.01)
                    continue
                assert isinstance(answer, Done), answer
                self.done += 1
                if self._log is not None:
                    disk.note(self._log, {"done": self.done})

    async def _say(self, sender: Sender, what: str, path: bytes, data: bytes) -> Done | Need | Refused:
        if what == "file":
            return await sender.file(path, data)
        if what == "folder":
            return await sender.keep(put(path, folder_meta()))
        if what == "link":
            return await sender.keep(put(path, link_meta(data)))
        if what == "seal":
            return await sender.keep(Seal(id=0, source=SOURCE, name=data.decode()))
        return await sender.keep(Delete(id=0, source=SOURCE, path=path))

    def finish(self, root: Path) -> None:
        """A vault on this root takes the rest."""

        async def scenario() -> None:
            async with serving(root) as server:
                assert server.status()["damage"] == []
                await self._run(server.port)

        asyncio.run(scenario())
        assert self.ended()


def demand(root: Path, said: Work, done: int) -> None:
    """The first `done` of this work are there, each version of it; nothing is damaged; `current/` shows the newest.

    What the sender was about to hear of may be there too: the tree is that of `done` or of one more.

    Raises:
        AssertionError: something is not so.
    """
    with opened(root) as bench:
        assert bench.store.damage == []
        bench.settle()
    assert faults(root) == []
    with LocalArchive(root) as archive:
        known = SOURCE in archive.sources()
        assert known or not done
        for path in {path for what, path, _ in said[:done] if what == "file"}:
            wanted = {data for what, each, data in said[:done] if what == "file" and each == path}
            had = {content(archive, version.hash) for version in archive.past(SOURCE, path) if version.meta}
            assert wanted <= had, f"{path!r}: {len(wanted - had)} acknowledged versions are gone"
        shown = {
            entry.path: (entry.meta.kind.value, content(archive, entry.hash) if entry.hash else entry.meta.target)
            for entry in (archive.tree(SOURCE) if known else [])
        }
    assert shown in (_tree(said[:done]), _tree(said[: done + 1]))
    seen = {path: (kind, data) for path, (kind, _, _, data) in look(root / "current" / SOURCE).items()}
    assert seen == shown


def _tree(said: Work) -> dict[bytes, tuple[str, bytes]]:
    """What the tree is after this work."""
    state: dict[bytes, tuple[str, bytes]] = {}
    for what, path, data in said:
        if what == "delete":
            state = {each: node for each, node in state.items() if each != path and not each.startswith(path + b"/")}
        elif what != "seal":
            state[path] = (what, data)
    return state

"""A real vault on a real disk, and the two ends that speak to it."""

import asyncio
import contextlib
import hashlib
import os
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from config.model import Vault
from replicator.archive import Archive
from replicator.change import Entry, Kind, Meta
from replicator.item import Item, Outcome
from replicator.local import LocalArchive
from replicator.messages import (
    CHUNK,
    INLINE,
    PROTOCOL,
    Beat,
    Chunk,
    Damaged,
    Delete,
    Done,
    FromVault,
    Hello,
    Need,
    Put,
    Refused,
    Seal,
    Welcome,
)
from replicator.store import Callbacks, Store
from replicator.stream import Stream, connect
from replicator.vault import VaultServer
from replicator.wire import Message

LIMIT = 30.0
SOURCE = "docs"
SITE = "sancheong"


def sha(data: bytes) -> bytes:
    """A content's name."""
    return hashlib.sha256(data).digest()


def half_written(root: Path) -> list[str]:
    """What lies in `incoming/` of an upload; `current/` makes its files there too, at its own time."""
    return [path.name for path in (root / "incoming").iterdir() if not path.name.startswith("file-")]


def file_meta(data: bytes, *, mode: int = 0o640, mtime_ns: int = 1_700_000_000_123_456_789) -> Meta:
    """A file's state; its owner is whoever runs the test."""
    return Meta(kind=Kind.FILE, mode=mode, mtime_ns=mtime_ns, uid=os.getuid(), gid=os.getgid(), size=len(data))


def folder_meta(*, mode: int = 0o750, mtime_ns: int = 1_600_000_000_000_000_001) -> Meta:
    """A folder's state."""
    return Meta(kind=Kind.FOLDER, mode=mode, mtime_ns=mtime_ns, uid=os.getuid(), gid=os.getgid())


def link_meta(target: bytes, *, mtime_ns: int = 1_500_000_000_000_000_000) -> Meta:
    """A link's state."""
    return Meta(kind=Kind.LINK, mode=0o777, mtime_ns=mtime_ns, uid=os.getuid(), gid=os.getgid(), target=target)


def put_file(path: bytes, data: bytes, *, source: str = SOURCE, number: int = 0, **meta: Any) -> Put:
    """A `Put` whose bytes follow in the frame."""
    return Put(id=number, source=source, path=path, meta=file_meta(data, **meta), hash=sha(data), inline=True)


def put(path: bytes, meta: Meta, *, source: str = SOURCE, number: int = 0) -> Put:
    """A `Put` of a folder or link."""
    return Put(id=number, source=source, path=path, meta=meta)


class Bench:
    """A store with a way to wait for what came of each item."""

    def __init__(self, root: Path) -> None:
        self.failures: list[Exception] = []
        self._changed = threading.Condition()
        self._outcomes: list[Outcome] = []
        self.store = Store(root, Callbacks(outcomes=self._told, failed=self._failed))

    def _told(self, outcomes: list[Outcome], _seconds: float) -> None:
        with self._changed:
            self._outcomes += outcomes
            self._changed.notify_all()

    def _failed(self, error: Exception) -> None:
        with self._changed:
            self.failures.append(error)
            self._changed.notify_all()

    def say(self, message: Put | Delete | Seal, payload: bytes = b"", *, site: str = SITE, stored: bool = False) -> str:
        """Submit one item and wait for its outcome's code; `failed` when the store failed instead."""
        item = Item(message=message, site=site, payload=payload, stored=stored)
        self.store.submit(item)
        return self.outcome(item)

    def outcome(self, item: Item) -> str:
        """Wait for what came of an item."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.failures or self._find(item), LIMIT)
            found = self._find(item)
            return found.code if found else "failed"

    def _find(self, item: Item) -> Outcome | None:
        return next((each for each in self._outcomes if each.item is item), None)

    def file(self, path: bytes, data: bytes, **meta: Any) -> str:
        """Put one small file."""
        return self.say(put_file(path, data, **meta), data)

    def settle(self) -> None:
        """Wait until `current/` shows everything."""
        wait_for(lambda: self.store.behind == 0)


@contextlib.contextmanager
def opened(root: Path) -> Iterator[Bench]:
    """An open store, closed at the end."""
    bench = Bench(root)
    try:
        yield bench
    finally:
        bench.store.close()


def wait_for(true: Callable[[], object], limit: float = LIMIT) -> None:
    """Poll until something is so."""
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


async def wait_until(true: Callable[[], object], limit: float = LIMIT) -> None:
    """The same in a loop."""
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(root: Path, **settings: Any) -> AsyncIterator[VaultServer]:
    """A vault that listens on a port of its own."""
    server = VaultServer(Vault(listen="127.0.0.1:0", root=root, **settings), registry=CollectorRegistry())
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


class Sender:
    """A sender that waits for each answer. It beats, so that a slow test is no silence."""

    def __init__(self, stream: Stream[FromVault], welcome: Welcome) -> None:
        self.stream = stream
        self.welcome = welcome
        self._number = 0
        self._upload = 0
        self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while not self.stream.closing:
            self.stream.post(Beat(now_ns=time.time_ns()))
            await asyncio.sleep(1)

    async def close(self) -> None:
        """Leave."""
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)
        await self.stream.close()

    async def hear(self) -> tuple[FromVault, bytes]:
        """The next message that is no beat."""
        while True:
            got = await self.stream.receive(LIMIT)
            if not isinstance(got[0], Beat):
                return got

    async def say(self, message: Message, payload: bytes = b"") -> FromVault:
        """Send, and give the answer."""
        await self.stream.send(message, payload)
        return (await self.hear())[0]

    async def keep(self, message: Put | Delete | Seal, payload: bytes = b"") -> Done | Need | Refused:
        """Send an item under the next number, and give what came of it."""
        self._number += 1
        answer = await self.say(replace(message, id=self._number), payload)
        assert isinstance(answer, Done | Need | Refused)
        return answer

    async def file(self, path: bytes, data: bytes, **meta: Any) -> Done | Need | Refused:
        """Put one file, however large it is."""
        message = put_file(path, data, **meta)
        if len(data) <= INLINE:
            return await self.keep(message, data)
        self._upload += 1
        await self.chunks(self._upload, data)
        return await self.keep(replace(message, inline=False, upload=self._upload))

    async def chunks(self, upload: int, data: bytes) -> None:
        """Send the bytes of an upload."""
        for offset in range(0, len(data), CHUNK):
            await self.stream.send(Chunk(upload=upload, offset=offset, size=len(data)), data[offset : offset + CHUNK])


@contextlib.asynccontextmanager
async def sending(port: int, *sources: str, site: str = SITE, **options: Any) -> AsyncIterator[Sender]:
    """A greeted sender."""
    stream = await connect("127.0.0.1", port, **options)
    try:
        await stream.send(Hello(protocol=PROTOCOL, role="sender", site=site, sources=list(sources or (SOURCE,))))
        welcome, _ = await stream.receive(LIMIT)
        assert isinstance(welcome, Welcome)
    except BaseException:
        await stream.close()
        raise
    sender = Sender(stream, welcome)
    try:
        yield sender
    finally:
        await sender.close()


def content(archive: Archive, digest: bytes) -> bytes:
    """A content's bytes, checked."""
    data = b"".join(archive.fetch(digest))
    assert sha(data) == digest
    return data


def tree(root: Path, source: str = SOURCE, at_ns: int = 0) -> dict[bytes, Entry]:
    """What a vault on this disk says a source was."""
    with LocalArchive(root) as archive:
        return {entry.path: entry for entry in archive.tree(source, at_ns)}


def faults(root: Path, *, repair: bool = False) -> list[Damaged]:
    """What `verify` finds."""
    with LocalArchive(root) as archive:
        return [item for item in archive.examine(repair=repair) if isinstance(item, Damaged)]


Seen = dict[bytes, tuple[str, int, int, bytes]]


def look(folder: Path) -> Seen:
    """Everything in a folder: kind, mode, time and bytes or target of each path."""
    found: Seen = {}
    for above, folders, files in os.walk(folder):
        for name in folders + files:
            full = Path(above) / name
            about = full.lstat()
            kind, data = "file", b""
            if full.is_symlink():
                kind, data = "link", os.fsencode(full.readlink())
            elif full.is_dir():
                kind = "folder"
            else:
                data = full.read_bytes()
            found[os.fsencode(full.relative_to(folder))] = (kind, stat.S_IMODE(about.st_mode), about.st_mtime_ns, data)
    return found


def expected(archive: Archive, source: str = SOURCE) -> Seen:
    """What `look` must find of a source's tree."""
    return {
        entry.path: (
            entry.meta.kind.value,
            entry.meta.mode,
            entry.meta.mtime_ns,
            content(archive, entry.hash) if entry.meta.kind is Kind.FILE else entry.meta.target,
        )
        for entry in archive.tree(source)
    }


def segments(root: Path) -> list[Path]:
    """The journal's files."""
    return sorted((root / "journal").iterdir())

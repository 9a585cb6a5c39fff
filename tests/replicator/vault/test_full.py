"""A full disk: a small file system of memory, really full."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator.appender import Appender
from replicator.errors import FullError
from replicator.local import LocalArchive
from replicator.messages import Delete, Done, Refused
from tests.replicator.vault.support import SOURCE, content, faults, sending, serving, wait_until
from tests.support.disks import own_disk


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    with own_disk(tmp_path / "small", "6m") as folder:
        yield folder


def test_a_full_disk_refuses_and_recovers(small: Path) -> None:
    """Without room items are refused with `again`, what was acknowledged stays, and with room the vault goes on."""

    async def scenario() -> dict[bytes, bytes]:
        kept: dict[bytes, bytes] = {}
        ballast = small / "ballast"
        ballast.write_bytes(bytes(3_500_000))  # room for `current/`, however late it comes, once it is gone
        async with serving(small / "vault") as server, sending(server.port) as sender:
            refused = None
            for number in range(200):
                data = os.urandom(100_000)
                answer = await sender.file(b"f%d" % number, data)
                if isinstance(answer, Refused):
                    refused = answer
                    break
                kept[b"f%d" % number] = data
            assert refused is not None
            assert (refused.code, refused.again) == ("full", True)
            assert server.status()["full"]
            large = await sender.file(b"large", os.urandom(4_000_000))
            assert isinstance(large, Refused)
            assert (large.code, large.again) == ("full", True)
            ballast.unlink()
            answer = await sender.file(b"after", b"x" * 50_000)
            assert isinstance(answer, Done), answer
            kept[b"after"] = b"x" * 50_000
            assert not server.status()["full"]
            await wait_until(lambda: not server.status()["failed"])
        return kept

    kept = asyncio.run(scenario())
    with LocalArchive(small / "vault") as archive:
        found = {entry.path: content(archive, entry.hash) for entry in archive.tree(SOURCE)}
    assert found == kept
    assert faults(small / "vault") == []


def test_only_a_content_without_room_makes_the_vault_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is until a content is taken; a deletion without room is over when the next thing is written."""
    write = Appender.write

    def full(*_: object) -> None:
        monkeypatch.setattr(Appender, "write", write)
        raise FullError("write 00000001.seg: no space left on device")

    async def scenario() -> None:
        async with serving(tmp_path) as server, sending(server.port) as sender:
            await sender.file(b"a", b"x")
            await sender.file(b"b", b"y")
            monkeypatch.setattr(Appender, "write", full)
            assert isinstance(await sender.keep(Delete(id=0, source=SOURCE, path=b"a")), Refused)
            assert isinstance(await sender.keep(Delete(id=0, source=SOURCE, path=b"a")), Done)
            assert not server.status()["full"]
            monkeypatch.setattr(Appender, "write", full)
            assert isinstance(await sender.file(b"c", b"z"), Refused)
            assert isinstance(await sender.keep(Delete(id=0, source=SOURCE, path=b"b")), Done)
            assert server.status()["full"]
            assert isinstance(await sender.file(b"c", b"z"), Done)
            assert not server.status()["full"]

    asyncio.run(scenario())

"""What was on its way into a folder that was a file by then: nothing of it stays behind, here or at the vault."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from replicator.change import Kind, Meta
from replicator.journal import Journal
from replicator.journal_rows import Known
from replicator.largefile import LargeFile
from replicator.segments import Found, read
from replicator.stranded import Stranded
from tests.replicator.source.pair import equal, replicating, settings, until, vault


def known(kind: Kind) -> Known:
    """A state of that kind."""
    return Known(meta=Meta(kind=kind, mode=0o644, mtime_ns=0, uid=0, gid=0))


def test_what_was_in_a_folder_that_became_a_file_is_doubted(tmp_path: Path) -> None:
    """The vault has nothing in a folder that it has as a file, or not at all, whatever came there just before."""
    journal = Journal(tmp_path / "replicator.sqlite")
    number, _ = journal.source("docs")
    named: list[bytes] = []
    doubted: list[bytes] = []
    stranded = Stranded(number, journal, named.extend, doubted.extend)

    def done(path: bytes, kind: Kind) -> None:
        journal.put(number, path, known(kind))
        stranded.put(path, known(kind))

    try:
        for path, kind in ((b"p", Kind.FOLDER), (b"p/c", Kind.FILE), (b"p/q", Kind.FOLDER), (b"p/q/d", Kind.FILE)):
            done(path, kind)
        assert not named
        assert not doubted
        done(b"p", Kind.FILE)
        assert sorted(doubted) == [b"p/c", b"p/q", b"p/q/d"]
        assert not named
        done(b"p/late", Kind.FILE)
        assert named == [b"p/late"]
        doubted.clear()
        journal.put(number, b"p", None)
        stranded.gone(b"p")
        assert sorted(doubted) == [b"p/c", b"p/late", b"p/q", b"p/q/d"]
    finally:
        journal.close()


@pytest.mark.parametrize("end", ["file", "link"])
def test_a_large_file_whose_folder_became_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """It is read to its end by its descriptor, and is not said any more: its folder would come back at the vault."""
    tree, began, free = tmp_path / "tree", threading.Event(), threading.Event()
    (tree / "folder").mkdir(parents=True)
    reading = LargeFile.read

    def held(file: LargeFile, *values: int, **how: bool) -> bytes | None:
        began.set()
        free.wait()
        return reading(file, *values, **how)

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault") as server,
            replicating(settings(tmp_path / "state", server.port, tree)) as running,
        ):
            await running.settle()
            monkeypatch.setattr(LargeFile, "read", held)
            try:
                (tree / "folder" / "large").write_bytes(os.urandom(3_000_000))
                await until(began.is_set)
                await asyncio.to_thread((tree / "folder").rename, tmp_path / "away")
                if end == "file":
                    (tree / "folder").write_text("a document")
                else:
                    (tree / "folder").symlink_to("nowhere")
                await equal(tree, tmp_path / "vault")
            finally:
                free.set()
            await running.settle()
            await equal(tree, tmp_path / "vault")
            records = read(tmp_path / "vault" / "journal", server.status()["vault"])
            assert b"folder/large" not in {each.record.path for each in records if isinstance(each, Found)}

    asyncio.run(scenario())

"""A source side that lost its memory: it heals by itself, and takes no empty folder for a mass deletion."""

import asyncio
import os
import shutil
from collections.abc import Generator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from replicator import reconcile, session
from replicator.appender import Appender
from replicator.change import Entry
from replicator.errors import DamagedError, FullError, StreamError
from replicator.folders import OpenFolders
from replicator.local import LocalArchive
from replicator.reader import Reader
from replicator.records import Record, What
from replicator.segments import Found
from replicator.source import Source
from replicator.turns import Item
from tests.replicator.source.pair import equal, replicating, settings, until, vault


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty tree to be carried out."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


def test_a_journal_that_is_damaged_inside_is_begun_anew(tmp_path: Path, tree: Path) -> None:
    """A journal that opens and cannot be read ends the process once; the next one ships as if nothing had been."""
    for number in range(1500):
        (tree / f"document {number}").write_text(str(number))
    state = tmp_path / "state"

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(state, server.port, tree)) as running:
                await running.settle()
            path, page = state / "replicator.sqlite", 4096
            size = path.stat().st_size
            assert size > 16 * page
            with path.open("r+b") as file:
                file.seek(8 * page)
                file.write(os.urandom(size - 8 * page))
            (tree / "new").write_text("new")
            async with replicating(settings(state, server.port, tree), drain=timedelta(0)) as running:
                error = await asyncio.wait_for(running.replicator.failed(), 30)
                assert "replicator.sqlite" in str(error)
            async with replicating(settings(state, server.port, tree)) as running:
                await running.settle()
                await equal(tree, tmp_path / "vault")
            assert list(state.glob("replicator.sqlite.damaged-*"))

    asyncio.run(scenario())


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def test_a_new_server_with_an_empty_folder_deletes_nothing(tmp_path: Path, tree: Path) -> None:
    """After a fire the new machine has neither journal nor documents: the vault's newest state stays as it was.

    Once the documents are back, or somebody says that the folder is right as it is, it goes on.
    """
    for number in range(20):
        (tree / f"document {number}").write_text(str(number))
    shown, state = tmp_path / "vault" / "current" / "docs", tmp_path / "state"

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(state, server.port, tree)) as running:
                await running.settle()
                await equal(tree, tmp_path / "vault")
            saved = tmp_path / "saved"
            shutil.copytree(tree, saved)
            shutil.rmtree(state)
            _empty(tree)
            config = settings(state, server.port, tree)
            async with replicating(config, drain=timedelta(0)) as running:
                await until(lambda: "source:docs" in running.conditions)
                assert len(list(shown.iterdir())) == 20
            async with replicating(config, drain=timedelta(0)) as running:  # nor after another start
                await until(lambda: "source:docs" in running.conditions)
                shutil.copytree(saved, tree, dirs_exist_ok=True)
                await until(lambda: not running.conditions)
                await running.settle()
                assert len(list(shown.iterdir())) == 20

    asyncio.run(scenario())


def test_an_empty_folder_that_is_right_may_be_accepted(tmp_path: Path, tree: Path) -> None:
    """An operator who says that the documents are meant to be gone is believed."""
    (tree / "document").write_text("x")
    state = tmp_path / "state"

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(state, server.port, tree)) as running:
                await running.settle()
            shutil.rmtree(state)
            (tree / "document").unlink()
            async with replicating(settings(state, server.port, tree)) as running:
                await until(lambda: "source:docs" in running.conditions)
                (state / "accept.docs").touch()
                await until(lambda: not running.conditions)
                await equal(tree, tmp_path / "vault")

    asyncio.run(scenario())


def test_the_last_document_of_a_new_source_may_be_deleted(tmp_path: Path, tree: Path) -> None:
    """A source that began empty, got a document and lost it again is no lost source."""

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault") as server,
            replicating(settings(tmp_path / "state", server.port, tree)) as running,
        ):
            await running.settle()
            (tree / "document").write_text("x")
            await running.settle()
            await equal(tree, tmp_path / "vault")
            (tree / "document").unlink()
            await equal(tree, tmp_path / "vault")
            await running.settle()
            assert not running.conditions

    asyncio.run(scenario())


def test_a_list_that_is_refused_is_asked_for_again(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that cannot read its list for a moment leaves no source unreconciled for ever."""
    (tree / "document").write_text("x")
    state, whole, failures = tmp_path / "state", LocalArchive.tree, [1, 2]

    def fragile(
        self: LocalArchive, source: str, at_ns: int = 0, paths: Sequence[bytes] = ()
    ) -> Generator[Entry, None, None]:
        if failures:
            failures.pop()
            raise DamagedError("read catalog: for this moment")
        yield from whole(self, source, at_ns, paths)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(state, server.port, tree)) as running:
                await running.settle()
            shutil.rmtree(state)
            monkeypatch.setattr(LocalArchive, "tree", fragile)
            monkeypatch.setattr(reconcile, "_AGAIN", 0.05)
            async with replicating(settings(state, server.port, tree)) as running:
                await until(lambda: all(source.trusted for source in running.replicator._sources))
                assert not failures

    asyncio.run(scenario())


def test_a_seal_that_is_refused_is_said_again(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault without room for the recovery point gets it once it has room, on the same connection."""
    write, failures = Appender.write, [1]  # both points may come in one commit

    def full(self: Appender, items: list[tuple[Record, bytes]], now_ns: int) -> list[Found]:
        if failures and any(record.what is What.SEAL for record, _ in items):
            failures.pop()
            raise FullError("write: no space left on device")
        return write(self, items, now_ns)

    async def scenario() -> None:
        async with (
            vault(tmp_path / "vault") as server,
            replicating(settings(tmp_path / "state", server.port, tree)) as running,
        ):
            await running.settle()
            monkeypatch.setattr(Appender, "write", full)
            monkeypatch.setattr(session, "_SEAL_AGAIN", 0.05)
            await running.replicator.evacuate("fire", "point")
            await until(lambda: running.replicator.evacuations()["fire"].complete)
            assert running.replicator.evacuations()["fire"].sealed
            assert not failures

    asyncio.run(scenario())


def test_a_comparison_that_was_cut_is_made_again(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal of before knows nothing of a document that the vault has: a cut line does not make it right."""
    (tree / "kept").write_text("of before")
    state, before = tmp_path / "state", tmp_path / "before"
    real = reconcile.Reconciler.reconcile

    async def cut(_: reconcile.Reconciler, source: Source, position: int) -> int:
        monkeypatch.setattr(reconcile.Reconciler, "reconcile", real)
        (tree / "later").write_text("said before the list has come")
        await until(lambda: source.row.position > position)
        raise StreamError("list vault: the line was cut")

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            config = settings(state, server.port, tree)
            async with replicating(config) as running:
                await running.settle()
            shutil.copytree(state, before)
            (tree / "gone").write_text("known to the vault alone")
            async with replicating(config) as running:
                await running.settle()
            (tree / "gone").unlink()
            shutil.rmtree(state)
            before.rename(state)
            monkeypatch.setattr(reconcile.Reconciler, "reconcile", cut)
            async with replicating(config) as running:
                await equal(tree, tmp_path / "vault")
                assert running.source["pending"] == 0

    asyncio.run(scenario())


def test_a_vault_reads_nothing_beside_the_documents(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds the vault may list what he likes: nothing outside of the source is looked at; the rest goes on."""
    (tree / "document").write_text("ours")
    (tmp_path / "secret.key").write_text("not a document")
    wanted = [b"../secret.key", b"/etc/hostname", b"document/../../secret.key"]
    listed, read = LocalArchive.tree, Reader.read
    asked: set[bytes] = set()

    def lying(archive: LocalArchive, *rest: Any, **named: Any) -> Generator[Entry, None, None]:
        for entry in listed(archive, *rest, **named):
            yield entry
            yield from (replace(entry, path=path) for path in wanted)

    def watched(reader: Reader, items: list[Item]) -> Any:
        asked.update(item.path for item in items)
        return read(reader, items)

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server:
            async with replicating(settings(tmp_path / "state", server.port, tree)) as running:
                await running.settle()
            monkeypatch.setattr(LocalArchive, "tree", lying)
            monkeypatch.setattr(Reader, "read", watched)
            (tree / "document").write_text("changed")
            async with replicating(settings(tmp_path / "fresh", server.port, tree)) as running:
                await running.settle()
            await equal(tree, tmp_path / "vault")

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert asked == {b"document"}
    assert len([each for each in logs if each["event"] == "vault names what is no document"]) == len(wanted)


@pytest.mark.parametrize("path", [b"../secret", b"in/../../secret", b"in/..", b".", b"in//x"])
def test_no_name_leads_out_of_a_tree(tmp_path: Path, path: bytes) -> None:
    """The second wall: what opens folders part by part opens none that is not below."""
    (tmp_path / "tree" / "in").mkdir(parents=True)
    (tmp_path / "secret").write_text("not a document")
    with OpenFolders(os.fsencode(tmp_path / "tree")) as folders, pytest.raises(NotADirectoryError):
        folders.of(path)

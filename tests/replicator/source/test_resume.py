"""A large file on a bad line goes on where it was cut, and is whole at the end."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.replicator.source.pair import equal, replicating, settings, until, vault
from tests.replicator.source.proxy import Line, line

_MB = 1024 * 1024
_SIZE = 24 * _MB
_CUT = 16 * _MB


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with one large file."""
    path = tmp_path / "tree"
    path.mkdir()
    (path / "large").write_bytes(os.urandom(_SIZE))
    return path


def _partials(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "vault" / "partial").iterdir())


async def _kept(tmp_path: Path) -> Path:
    """Wait until the vault has let go of what came before the cut; its file."""
    await until(lambda: any(path.stat().st_size >= _MB for path in _partials(tmp_path)))
    return _partials(tmp_path)[0]


async def _cut(cable: Line) -> None:
    """Wait for the cut within the file, and keep the line down."""
    await until(lambda: cable.cuts)
    cable.down = True


def test_a_cut_costs_little(tmp_path: Path, tree: Path) -> None:
    """After a cut at two thirds no more than the last third and what was under way is sent again."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            cable.cut_after = _CUT
            async with replicating(settings(tmp_path / "state", cable.port, tree)) as running:
                await until(lambda: cable.cuts == 1)
                cable.cut_after = again = 10**12
                await running.settle()
                assert again - cable.cut_after < _SIZE - _CUT // 2
            await equal(tree, tmp_path / "vault")
            assert not _partials(tmp_path)

    asyncio.run(scenario())


@pytest.mark.parametrize("change", ["nothing", "flip", "grow", "cut"])
def test_what_the_vault_kept_is_not_trusted(tmp_path: Path, tree: Path, change: str) -> None:
    """Over a restart of both ends, and whatever became of the half file meanwhile, the file arrives as it is."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            cable.cut_after = _CUT
            async with replicating(settings(tmp_path / "state", cable.port, tree), drain=timedelta(0)):
                await _cut(cable)
                half = await _kept(tmp_path)
        _spoil(half, change)
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            cable.cut_after = most = 10**12
            async with replicating(settings(tmp_path / "state", cable.port, tree)) as running:
                await running.settle()
                sent = most - cable.cut_after
            await equal(tree, tmp_path / "vault")
            assert not _partials(tmp_path)
            assert (sent < _SIZE) == (change in {"nothing", "cut"}), sent

    asyncio.run(scenario())


def _spoil(half: Path, change: str) -> None:
    with half.open("r+b") as file:
        match change:
            case "flip":
                file.seek(100)
                byte = file.read(1)[0]
                file.seek(100)
                file.write(bytes([byte ^ 1]))
            case "grow":
                file.truncate(2 * _SIZE)
            case "cut":
                file.truncate(3 * _MB + 5)
            case _:
                return


def test_another_state_does_not_go_on(tmp_path: Path, tree: Path) -> None:
    """A file that was rewritten while the line was down arrives in its new state, and the old half goes."""

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            cable.cut_after = _CUT
            async with replicating(settings(tmp_path / "state", cable.port, tree)) as running:
                await _cut(cable)
                await _kept(tmp_path)
                (tree / "large").write_bytes(os.urandom(_SIZE))
                cable.down = False
                await running.settle()
            await equal(tree, tmp_path / "vault")
            assert not _partials(tmp_path)

    asyncio.run(scenario())

"""A line on which everything vanishes and nothing is closed: a switched-off router, a firewall that forgot."""

import asyncio
import os
from pathlib import Path

import pytest

from replicator.vault import VaultServer
from tests.replicator.source.pair import equal, replicating, settings, until, vault
from tests.replicator.source.proxy import line

_MIB = 1024 * 1024


def silences(server: VaultServer) -> float:
    """How often the vault told that a sender had fallen silent."""
    return float(server._metrics.dropped.labels("silent")._value.get())


@pytest.mark.parametrize("large", [0, 8 * _MIB])
def test_a_line_that_swallows_everything_is_told_at_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    """Idle or in the middle of a large file: after `SILENCE` each end says so; then all goes on by itself."""
    monkeypatch.setattr("replicator.stream.SILENCE", 4.0)  # who is stalled for so long connects anew
    monkeypatch.setattr("replicator.canary.OVERDUE", 3600.0)  # and is not blind
    tree = tmp_path / "tree"
    tree.mkdir()

    async def scenario() -> None:
        async with vault(tmp_path / "vault") as server, line(server.port) as cable:
            config = settings(tmp_path / "state", cable.port, tree, bandwidth=2 * _MIB)
            async with replicating(config) as running:
                (tree / "before").write_bytes(b"before")
                await running.settle()
                scanned = running.source["scanned_at"]
                if large:
                    (tree / "large").write_bytes(os.urandom(large))
                    await until(lambda: list((tmp_path / "vault" / "partial").iterdir()))
                before = silences(server)
                cable.swallow = True
                (tree / "meanwhile").write_bytes(b"meanwhile")
                await until(lambda: "silent for 4 s" in running.replicator.status()["vault"]["reason"])
                await until(lambda: silences(server) > before)
                await until(lambda: not server.status()["sources"]["docs"]["connected"])
                await until(lambda: running.source["pending"] >= (2 if large else 1))
                cable.swallow = False
                await running.settle()
                await equal(tree, tmp_path / "vault")
                assert running.source["scanned_at"] == scanned

    asyncio.run(scenario())

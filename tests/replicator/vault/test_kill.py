"""A vault that is killed at any moment."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from replicator.errors import ReplicatorError
from replicator.local import LocalArchive
from replicator.messages import Done
from tests.replicator.vault.support import LIMIT, SOURCE, content, faults, look, opened, sending, wait_for

_PROGRAM = """
import asyncio, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from config.model import Vault
from replicator.vault import VaultServer

async def main():
    server = VaultServer(Vault(listen="127.0.0.1:0", root=Path(sys.argv[1])), registry=CollectorRegistry())
    await server.start()
    Path(sys.argv[2]).write_text(f"{server.port}\\n")
    await server.failed()

asyncio.run(main())
"""


def _started(root: Path, note: Path) -> tuple["subprocess.Popen[bytes]", int]:
    """A vault in a process of its own, and its port."""
    note.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(root), str(note)], stdout=subprocess.DEVNULL)
    wait_for(lambda: process.poll() is not None or (note.exists() and note.read_text().endswith("\n")))
    assert process.poll() is None
    return process, int(note.read_text())


async def _put_until_dead(port: int, kept: dict[bytes, bytes], kill: "subprocess.Popen[bytes]", after: int) -> None:
    """Put files of all sizes and change them; kill the vault after so many acknowledgements, in full flight."""
    chance = random.Random(after)
    try:
        async with sending(port) as sender:
            for number in range(after + 1):
                if number == after:
                    asyncio.get_running_loop().call_later(chance.random() * 0.01, kill.send_signal, signal.SIGKILL)
                path = b"d%d/f%d" % (number % 3, chance.randrange(40))
                data = os.urandom(chance.choice([10, 3000, 60_000, 300_000]))
                if isinstance(await sender.file(path, data), Done):
                    kept[path] = data
            for number in range(100_000):
                path = b"late/%d" % number
                if isinstance(await sender.file(path, path * 100), Done):
                    kept[path] = path * 100
    except (ReplicatorError, OSError, AssertionError):
        return


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_vault_has_all_that_it_acknowledged(tmp_path: Path, seed: int) -> None:
    """Killed in the middle of puts, twice, it lost no acknowledged version, and nothing in it is damaged."""
    root, kept = tmp_path / "vault", dict[bytes, bytes]()
    for round_ in range(2):
        process, port = _started(root, tmp_path / "port")
        try:
            asyncio.run(_put_until_dead(port, kept, process, 3 + seed * 8 + round_))
            assert process.wait(LIMIT) == -signal.SIGKILL
        finally:
            process.kill()
            process.wait()
    with LocalArchive(root) as archive:
        digests = {entry.path: entry.hash for entry in archive.tree(SOURCE)}
        # A file that was on its way may be newer than what was acknowledged, never older, and never half.
        for path in kept:
            states = [content(archive, version.hash) for version in archive.past(SOURCE, path)]
            assert kept[path] in states
        whole = {path: content(archive, digest) for path, digest in digests.items()}
    with opened(root) as bench:
        assert bench.store.damage == []
        bench.settle()
    assert faults(root) == []
    shown = {path: data for path, (kind, _, _, data) in look(root / "current" / SOURCE).items() if kind == "file"}
    assert shown == whole

"""A replicator and a vault in two rooms with a bad line between them."""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from config.model import Config, Replicator, Site, Source, Vault
from replicator.vault import VaultServer
from tests.replicator.source.support import LIMIT
from tests.support.certificates import make_ca, make_certificate
from tests.support.wan import ADDRESSES, Wan


class Far:
    """The vault's room, and the configuration of the other one."""

    def __init__(self, server: VaultServer, config: Config) -> None:
        self.server = server
        self.config = config

    @property
    def hears(self) -> bool:
        """Whether the vault holds the source's sender to be there."""
        sources = self.server.status()["sources"]
        return "docs" in sources and bool(sources["docs"]["connected"])


@contextmanager
def far_vault(line: Wan, folder: Path, tree: Path) -> Iterator[Far]:
    """A vault in the second room, with certificates, and what a replicator of `tree` in the first needs."""
    make_ca(folder)
    make_certificate(folder, "vault", address=ADDRESSES[1])
    make_certificate(folder, "room")
    started: queue.SimpleQueue[VaultServer] = queue.SimpleQueue()
    stop = threading.Event()

    async def serve() -> None:
        files: dict[str, Any] = {name: folder / file for name, file in _files("vault").items()}
        settings = Vault(listen=f"{ADDRESSES[1]}:0", root=folder / "vault-root", **files)
        server = VaultServer(settings, registry=CollectorRegistry())
        await server.start()
        started.put(server)
        try:
            await asyncio.to_thread(stop.wait)
        finally:
            await server.stop()

    done = line.within(1, lambda: asyncio.run(serve()))
    try:
        yield Far(server := started.get(timeout=LIMIT), _config(folder, tree, server.port))
    finally:
        stop.set()
        done.result(LIMIT)


def _files(name: str) -> dict[str, str]:
    return {"ca": "ca.pem", "cert": f"{name}.pem", "key": f"{name}.key"}


def _config(folder: Path, tree: Path, port: int) -> Config:
    (folder / "state").mkdir(exist_ok=True)
    files: dict[str, Any] = {name: folder / file for name, file in _files("room").items()}
    return Config(
        site=Site(id="site", name="test", state=folder / "state"),
        replicator=Replicator(vault=f"bongsu://{ADDRESSES[1]}:{port}", **files),
        source=[Source(id="docs", path=tree, scan_every=timedelta(days=7))],  # one that is due tells nothing of a cut
    )


def near(line: Wan, scenario: Callable[[], Coroutine[None, None, None]], limit: float = 200.0) -> None:
    """Run it in the first room.

    Raises:
        BaseException: what it raised.
    """
    line.within(0, lambda: asyncio.run(scenario())).result(limit)

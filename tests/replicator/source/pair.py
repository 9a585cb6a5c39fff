"""A replicator and a vault, both real, in one process with a socket between them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from config.model import Config, Site, Source, Vault
from config.model import Replicator as Settings
from replicator.replicator import Left, Replicator
from replicator.report import Report
from replicator.vault import VaultServer
from tests.replicator.source.support import LIMIT
from tests.support.trees import differences, snapshot


async def until(true: Callable[[], object], limit: float = LIMIT) -> None:
    """Poll until it holds.

    Raises:
        AssertionError: it did not within the limit.
    """
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def vault(root: Path, *, port: int = 0) -> AsyncIterator[VaultServer]:
    """A vault on loopback."""
    server = VaultServer(Vault(listen=f"127.0.0.1:{port}", root=root), registry=CollectorRegistry())
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def settings(state: Path, port: int, tree: Path, **source: Any) -> Config:
    """A configuration of one source `docs`."""
    state.mkdir(exist_ok=True)
    bandwidth = source.pop("bandwidth", 0)
    return Config(
        site=Site(id="site", name="test", state=state),
        replicator=Settings(vault=f"bongsu://127.0.0.1:{port}", bandwidth=bandwidth),
        source=[Source(id="docs", path=tree, **source)],
    )


class Running:
    """A replicator that runs, and what it reported."""

    def __init__(self, config: Config) -> None:
        self.reports: list[Report] = []
        self.registry = CollectorRegistry()
        self.replicator = Replicator(config, registry=self.registry, on_report=self.reports.append)

    @property
    def source(self) -> dict[str, Any]:
        """The source's status."""
        return dict(self.replicator.status()["sources"]["docs"])

    @property
    def conditions(self) -> set[str]:
        """The alarms whose conditions are active."""
        return {condition.alarm for condition in self.replicator.conditions()}

    def idle(self) -> bool:
        """Whether all that was seen is at the vault, and nothing went unseen."""
        status = self.replicator.status()
        source = status["sources"]["docs"]
        return (
            status["vault"]["connected"]
            and not source["pending"]
            and not source["blind_since"]
            and not source["scanning"]
        )

    async def settle(self) -> None:
        """Wait until what happened before is at the vault."""
        await until(lambda: self.source["blind_since"] is None)
        for source in self.replicator._sources:
            assert await source.sight.settle(time.monotonic() + LIMIT)
        await until(self.idle)

    def metric(self, name: str) -> float:
        """A metric's value for the source."""
        value = self.registry.get_sample_value(name, {"source": "docs"})
        assert value is not None, name
        return value


@asynccontextmanager
async def replicating(config: Config, *, drain: timedelta = timedelta(seconds=LIMIT)) -> AsyncIterator[Running]:
    """A replicator that runs, stopped at the end."""
    running = Running(config)
    await running.replicator.start()
    try:
        yield running
    finally:
        await running.replicator.stop(drain)


async def equal(tree: Path, root: Path, *, folder: str = "docs") -> None:
    """Wait until the vault's plain files are the tree.

    Raises:
        AssertionError: they are not within the limit; the text says how they differ.
    """
    end = time.monotonic() + LIMIT
    while told := await asyncio.to_thread(_differences, tree, root / "current" / folder):
        assert time.monotonic() < end, told
        await asyncio.sleep(0.05)


def _differences(tree: Path, current: Path) -> str:
    try:
        return differences(snapshot(tree), snapshot(current))
    except OSError as error:  # the vault is at work there
        return str(error)


__all__ = ["Left", "Running", "equal", "replicating", "settings", "until", "vault"]

"""The vault's daemon: the store at the health centre, its metrics and its control socket."""

import asyncio
from datetime import timedelta
from typing import Any

from agent import requests
from agent.base import Base, until_failed
from agent.errors import FatalError
from replicator.vault import VaultServer


class VaultDaemon(Base):
    """The store, in one process. A flush that failed ends it: what was written may not be believed any more."""

    part = "vault"
    stop_limit = timedelta(seconds=60)
    server: VaultServer

    async def build_up(self) -> None:
        """Take the addresses, open the store, listen."""
        settings = self.config.vault
        if settings is None:
            raise FatalError("start vault: there is no [vault]", "write [vault] with listen and root")
        self.push_tasks()
        self.open_metrics(settings.metrics)
        self.server = VaultServer(settings, registry=self.registry)
        await self.server.start()
        self.teardown.push("vault", self.server.stop)
        await self.open_control()
        self.supervisor.add("store", until_failed(self.server.failed))

    async def status(self) -> dict[str, Any]:
        """Return the store's own numbers beside the parts."""
        found = await asyncio.to_thread(self.server.status)
        return {**await super().status(), "vault": requests.plain(found)}

"""The dispatcher and its channels as one task of the monitor."""

import asyncio
from datetime import timedelta

import structlog
from prometheus_client import CollectorRegistry

from agent.errors import FatalError, hint_of, reason_of
from alerts.channels import build
from alerts.desk import Desk
from alerts.dispatcher import Dispatcher
from alerts.errors import DamagedError
from alerts.metrics import AlertMetrics
from config.model import Config

log = structlog.get_logger(__name__)


class Notices:
    """Sends what the desk has for people; on a stop it first sends what is due, up to a limit."""

    def __init__(self, config: Config, desk: Desk, registry: CollectorRegistry, drain: timedelta) -> None:
        self._config = config
        self._desk = desk
        self._drain = drain
        self._channels = {settings.id: build(settings) for settings in config.channel}
        self._metrics = AlertMetrics(registry)
        self._metrics.prepare(config, desk)

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until the event is set, then drain. May be called again after it raised.

        Raises:
            FatalError: the state file was damaged while it was open; the next start puts it aside.
        """
        try:
            await self._dispatch(stop)
        except ExceptionGroup as group:
            error = next((each for each in group.exceptions if isinstance(each, DamagedError)), None)
            if error is None:
                raise
            raise FatalError(reason_of(error), hint_of(error)) from group

    async def _dispatch(self, stop: asyncio.Event) -> None:
        dispatcher = Dispatcher(self._desk, self._channels, self._config, metrics=self._metrics)
        done = asyncio.Event()
        running = asyncio.create_task(dispatcher.run(done))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set() and not running.done():
                left = await dispatcher.drain(self._drain)
                if left:
                    log.warning("messages wait for the next start", left=left)
        finally:
            stopping.cancel()
            done.set()
            await running

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            try:
                await channel.close()
            except Exception as error:  # noqa: BLE001 - one bad channel never stops the rest
                log.warning("channel not closed", channel=channel.id, reason=reason_of(error))

"""The replicator's voice to the monitor: a report each second and at each change, and the alarms that come back."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from agent import requests
from agent.client import connect
from agent.errors import AgentError, reason_of

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
# Changes closer together than this travel in one report.
_GATHER_SECONDS = 0.1
_ANSWER_SECONDS = 10.0


class _Answer(msgspec.Struct, frozen=True):
    ok: bool | None = None
    text: str = ""
    evacuate: list[str] | None = None


class Reporter:
    """Keeps a connection to the monitor's socket. With the monitor away it tries again each second, and nothing waits.

    Args:
        path: the monitor's control socket.
        report: makes the newest report.
        evacuate: told the alarms that ask for an evacuation, whenever the monitor says them.
        on_change: told whether the monitor hears us.
    """

    def __init__(
        self,
        path: Path,
        report: Callable[[], requests.Report],
        evacuate: Callable[[list[str]], Awaitable[None]],
        on_change: Callable[[bool, str], None],
    ) -> None:
        self._path = path
        self._report = report
        self._evacuate = evacuate
        self._on_change = on_change
        self._wake = asyncio.Event()
        self._heard: tuple[bool, str] | None = None

    def changed(self) -> None:
        """Report soon; from the event loop's thread."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Report until the event is set."""
        while not stop.is_set():
            try:
                await self._session(stop)
            except (AgentError, OSError, TimeoutError, msgspec.DecodeError) as error:
                self._tell(False, reason_of(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PAUSE_SECONDS)

    async def _session(self, stop: asyncio.Event) -> None:
        async with connect(self._path) as (reader, writer):
            listening = asyncio.create_task(self._listen(reader))
            stopping = asyncio.create_task(stop.wait())
            try:
                while not (stopping.done() or listening.done()):
                    self._wake.clear()
                    writer.write(requests.encode(self._report()))
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await writer.drain()
                    await self._pause(stopping, listening)
                if listening.done():
                    listening.result()
            finally:
                stopping.cancel()
                listening.cancel()
                await asyncio.gather(listening, stopping, return_exceptions=True)

    async def _pause(self, *others: "asyncio.Task[object] | asyncio.Task[None]") -> None:
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({waking, *others}, timeout=_EVERY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if waking.done():
                await asyncio.sleep(_GATHER_SECONDS)
        finally:
            waking.cancel()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            async with asyncio.timeout(_ANSWER_SECONDS):  # each report is answered, so silence is a dead monitor
                line = await reader.readline()
            if not line.endswith(b"\n"):
                raise AgentError("report to the monitor: it went away")
            answer = msgspec.json.decode(line, type=_Answer)
            if answer.ok is False:
                self._tell(False, answer.text)
                continue
            self._tell(True, "")
            if answer.evacuate is not None:
                await self._evacuate(answer.evacuate)

    def _tell(self, up: bool, reason: str) -> None:
        if self._heard == (up, reason):
            return
        if up:
            log.info("monitor hears us")
        else:
            log.warning("monitor does not hear us", reason=reason)
        self._heard = (up, reason)
        self._on_change(up, reason)

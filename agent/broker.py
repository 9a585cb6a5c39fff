"""The embedded broker: a child process, started again when it ends, killed with its parent."""

import asyncio
import contextlib
import os
import sys

import msgspec
import structlog

from agent.bus import BusLogin
from agent.errors import BusError

log = structlog.get_logger(__name__)

_START_SECONDS = 30.0
_STOP_SECONDS = 2.0


class EmbeddedBroker:
    """Runs the broker that `[bus] embedded = true` asks for."""

    def __init__(self, login: BusLogin) -> None:
        self._login = login
        self._child: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._port = login.address.port

    @property
    def port(self) -> int:
        """The port that it listens on, known once it is ready."""
        return self._port

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child is not None else None

    async def wait_ready(self) -> int:
        """Wait until it listens, and return its port."""
        await self._ready.wait()
        return self._port

    def kill(self) -> None:
        """End the child at once, for one that listens and does not answer; `run` raises and is started again."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()

    async def run(self, stop: asyncio.Event) -> None:
        """Run the child until the event is set.

        Raises:
            BusError: it could not listen, or it ended.
            SecretError: the password's file cannot be used.
        """
        # Its own session: a Ctrl-C for us must not end it before we have said that we go.
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "agent.broker_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await self._start(self._child)
            await self._watch(self._child, stop)
        finally:
            self._ready.clear()
            await _end(self._child)
            self._child = None

    async def _start(self, child: asyncio.subprocess.Process) -> None:
        if child.stdin is None or child.stdout is None:
            raise BusError("start broker: no pipes to it")
        child.stdin.write(self._settings())
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.stdin.drain()
                answer = (await child.stdout.readline()).decode("utf-8", "replace").split(maxsplit=1)
        except (TimeoutError, ConnectionError) as error:
            raise BusError("start broker: it does not answer") from error
        if len(answer) != 2 or answer[0] != "ready":  # noqa: PLR2004 - a word and what it is about
            reason = answer[1].strip() if len(answer) > 1 else "it ended at once"
            raise BusError(
                f"start broker on port {self._login.address.port}: {reason}",
                "another broker there? then set [bus] embedded = false",
            )
        self._port = int(answer[1])
        self._ready.set()
        log.info("broker started", port=self._port, pid=child.pid)

    async def _watch(self, child: asyncio.subprocess.Process, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        ending = asyncio.create_task(child.wait())
        try:
            await asyncio.wait({stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            ending.cancel()
        if not stop.is_set():
            raise BusError(f"run broker: it ended with {child.returncode}")

    def _settings(self) -> bytes:
        login = self._login
        settings = {
            "host": login.address.host,
            "port": login.address.port,
            "parent": os.getpid(),
            "username": login.username or "",
            "password": login.secret() or "",
        }
        if login.address.tls:
            paths = {"cert": login.cert, "key": login.key, "ca": login.ca}
            settings |= {name: str(path) for name, path in paths.items() if path is not None}
        return msgspec.json.encode(settings) + b"\n"


async def _end(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), _STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()

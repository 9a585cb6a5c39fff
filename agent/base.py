"""What the three daemons have in common: a lock, a control socket, metrics, tasks and their undoing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from agent import requests
from agent.client import socket_path
from agent.control import ControlServer, Peer
from agent.errors import AgentError, FatalError, hint_of, reason_of
from agent.evacuation import utc_now
from agent.lifecycle import Teardown
from agent.lock import StateLock, prepare_state
from agent.metrics import PartMetrics
from agent.payloads import time_text
from agent.supervisor import Run, Supervisor
from agent.web import WebServer, metrics_app
from config.address import parse_listen
from config.model import Config

#: A task gets this long to stop by itself.
TASK_LIMIT = timedelta(seconds=10)


#: Tasks that nobody needs to see while they work; one that fails is shown.
_QUIET = frozenset(
    {"broker-watch", "bus-connection", "conditions", "documents", "reporter", "reports", "room", "shower", "store"}
)


class Base:
    """The frame of a daemon; each daemon fills `build_up` and `answer`.

    Attributes:
        parts: name of each part and whether it works, and why not.
        webs: the HTTP servers by name.
    """

    part = ""
    #: Everything must be given back within this time.
    stop_limit = timedelta(seconds=20)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.registry = CollectorRegistry()
        self.parts: dict[str, tuple[bool, str]] = {}
        self.webs: dict[str, WebServer] = {}
        self._metrics = PartMetrics(self.registry, self.part)
        self.teardown = Teardown(self.stop_limit)
        self._asked_to_stop = asyncio.Event()
        self.supervisor: Supervisor

    async def start(self) -> None:
        """Take the lock, build what the daemon is made of, and begin.

        Raises:
            FatalError: it cannot do its work from here.
        """
        self.supervisor = Supervisor(self.part_changed)
        try:
            prepare_state(self.config.site.state)
            lock = StateLock(self.config.site.state, self.part)
            lock.acquire()
            self.teardown.push("lock", lock.release)
            await self.build_up()
        except BaseException as error:
            await self.supervisor.stop(TASK_LIMIT)
            await self.teardown.run()
            raise fatal(error, f"start {self.part}") from error
        self.part_changed(self.part, True, "")

    async def build_up(self) -> None:
        """Build the daemon's own parts, each with its step of the teardown."""
        raise NotImplementedError

    async def answer(self, request: requests.Request, peer: Peer) -> Mapping[str, Any]:
        """Answer one request at the control socket."""
        del peer
        if isinstance(request, requests.Status):
            return await self.status()
        raise AgentError(f"ask the {self.part}: it does not answer this", "ask the monitor")

    async def status(self) -> dict[str, Any]:
        """Return what `bongsu status` shows of this daemon."""
        return {
            "part": self.part,
            "site": {"id": self.config.site.id, "name": self.config.site.name},
            "at": time_text(utc_now()),
            "parts": self.parts_list(),
        }

    def parts_list(self) -> list[dict[str, Any]]:
        """Return the parts as people are shown them."""
        return [{"part": name, "up": up, "reason": reason} for name, (up, reason) in sorted(self.parts.items())]

    def request_stop(self) -> None:
        """Let `wait` return."""
        self._asked_to_stop.set()

    async def wait(self) -> None:
        """Wait for the request to stop.

        Raises:
            FatalError: a task cannot go on.
        """
        asked = asyncio.create_task(self._asked_to_stop.wait())
        broken = asyncio.create_task(self.supervisor.wait())
        try:
            await asyncio.wait({asked, broken}, return_when=asyncio.FIRST_COMPLETED)
            if broken.done():
                broken.result()
        finally:
            asked.cancel()
            broken.cancel()
            await asyncio.gather(broken, return_exceptions=True)

    async def stop(self) -> None:
        """Stop the tasks, then give everything back; may be called twice."""
        self.supervisor.stop_event.set()
        await self.teardown.run()

    def part_changed(self, name: str, up: bool, reason: str) -> None:
        """Record whether a part works."""
        if up and name in _QUIET and name not in self.parts:
            return
        self.parts[name] = (up, reason)
        self._metrics.set(name, up)

    def open_web(self, name: str, app: Any, address: str) -> WebServer:
        """Take an address for HTTP.

        Raises:
            FatalError: it cannot be had.
        """
        listen = parse_listen(address)
        server = WebServer(name, app, listen.host, listen.port)
        server.open()
        self.teardown.push(name, server.close)
        self.webs[name] = server
        return server

    def open_metrics(self, address: str | None) -> None:
        """Serve the metrics where they are configured."""
        if address is not None:
            server = self.open_web("metrics", metrics_app(self.registry), address)
            self.supervisor.add("metrics", server.run)

    async def open_control(self, on_gone: Callable[[Peer], None] | None = None) -> None:
        """Answer at the control socket."""
        path = socket_path(self.config.site.state, self.part)
        control = ControlServer(path, self.answer, on_gone)
        await control.start()
        self.teardown.push("control socket", control.stop)

    def push_tasks(self) -> None:
        """Stop the tasks at this place of the teardown."""
        self.teardown.push("tasks", lambda: self.supervisor.stop(TASK_LIMIT))


def fatal(error: BaseException, doing: str) -> BaseException:
    """Return the error that ends the process for this one; cancellation and our own stay as they are."""
    if isinstance(error, FatalError) or not isinstance(error, Exception):
        return error
    if isinstance(error, OSError) and not hint_of(error):
        return FatalError(f"{doing}: {reason_of(error)}")
    if not hint_of(error):
        return error
    return FatalError(reason_of(error), hint_of(error))


def until_failed(failed: Callable[[], Awaitable[BaseException]]) -> Run:
    """Make a task that ends the process when the awaited error comes."""

    async def run(stop: asyncio.Event) -> None:
        failing = asyncio.ensure_future(failed())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if failing.cancelled():  # it is being stopped
                await stop.wait()
            elif failing.done():
                error = failing.result()
                raise FatalError(reason_of(error), hint_of(error)) from error
        finally:
            failing.cancel()
            stopping.cancel()
            await asyncio.gather(failing, stopping, return_exceptions=True)

    return run

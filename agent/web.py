"""The HTTP servers of a daemon: metrics and console. uvicorn only here."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry

from agent.errors import FatalError
from agent.metrics import CONTENT_TYPE, exposition

_BACKLOG = 64
# Requests at one time; more are answered with 503 so that a flood cannot take the daemon's memory.
_CONCURRENCY = 100
_STOP_SECONDS = 1
_PLAIN = "text/plain; charset=utf-8"

# As ASGI has it.
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone: the daemon has its own meaning for them."""
        yield


class WebServer:
    """Serves one application at one address.

    `open` takes the address at once so that a port in use is known before anything else starts;
    `run` serves until the stop event is set, and may be called again after it returned.
    """

    def __init__(self, name: str, app: Any, host: str, port: int) -> None:
        self._name = name
        self._app = app
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Bind the address.

        Raises:
            FatalError: it is in use, not ours, or not allowed.
        """
        host, port = self._address
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            text = f"listen for {self._name} on {host}:{port}: {error.strerror or error}"
            raise FatalError(text, f"stop what uses the port, or choose another {self._name} address") from error

    @property
    def port(self) -> int:
        """The port that is served, also where the configuration says 0."""
        if self._socket is None:
            raise RuntimeError(f"{self._name} is not open")
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until the event is set."""
        if self._socket is None:
            self.open()
        if self._socket is None:
            raise RuntimeError(f"{self._name} is not open")
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_CONCURRENCY,
            timeout_graceful_shutdown=_STOP_SECONDS,
            ws="none",
        )
        server = _Quiet(config)
        # The server closes what it is given; a copy leaves ours for the next run.
        serving = asyncio.create_task(server.serve(sockets=[self._socket.dup()]))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            server.should_exit = True
            await serving

    def close(self) -> None:
        """Give the address back; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def metrics_app(registry: CollectorRegistry) -> Application:
    """Make the application that answers `/metrics`; two pages are worth no framework, which a start would wait for."""
    # Of its own: whoever asks too often waits for himself, and not the daemon's other work for him.
    threads = ThreadPoolExecutor(1, "metrics")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["method"] not in {"GET", "HEAD"}:
            await _say(send, 405, _PLAIN, b"use GET\n", (b"allow", b"GET, HEAD"))
        elif scope["path"].rstrip("/") == "/metrics":
            body = await asyncio.get_running_loop().run_in_executor(threads, exposition, registry)
            await _say(send, 200, CONTENT_TYPE, body)
        elif scope["path"] == "/":
            await _say(send, 200, _PLAIN, b"bongsu: metrics are at /metrics\n")
        else:
            await _say(send, 404, _PLAIN, b"Not Found")

    return answer


async def _say(send: Send, status: int, content: str, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", content.encode()), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""What the tests of this package share: a site, a clock, a receiver of webhooks."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from alerts.channel import Channel, Message
from alerts.channels import build
from alerts.condition import Condition
from alerts.desk import Desk
from alerts.dispatcher import Dispatcher
from alerts.event import Kind, State
from alerts.metrics import AlertMetrics
from config.model import Config, Severity

START = datetime(2026, 11, 22, 5, 3, 5, tzinfo=UTC)  # 14:03:05 in Seoul
PATIENCE = 30.0  # seconds that a test waits for what must come


class FakeClock:
    """A clock that goes on only when told."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def pass_(self, **time_: float) -> datetime:
        """Let time pass."""
        self.now += timedelta(**time_)
        return self.now


def site(tmp: Path, **sections: Any) -> Config:
    """Return a configuration with two contacts, two file channels and a route of two steps."""
    facts: dict[str, Any] = {
        "site": {"id": "sancheong", "name": "산청군전산실", "state": str(tmp)},
        "contact": [
            {"id": "kim", "name": "김주무관", "phone": "010-0000-0000"},
            {"id": "lee", "name": "이주무관"},
        ],
        "channel": [
            {"id": "one", "kind": "file", "path": str(tmp / "one.jsonl")},
            {"id": "two", "kind": "file", "path": str(tmp / "two.jsonl")},
        ],
        "route": [
            {
                "severity": ["alert", "critical"],
                "steps": [
                    {"after": "0s", "contacts": ["kim"], "channels": ["one", "two"], "repeat": "60s", "times": 3},
                    {"after": "5m", "contacts": ["lee"], "channels": ["one", "two"]},
                ],
            }
        ],
        "alarm": [
            {"id": "rack1-hot", "point": "rack1.temperature", "above": 32.0, "severity": "critical", "text": "랙1 온도"}
        ],
    }
    return Config.model_validate({**facts, **sections})


def hot(
    *, active: bool = True, at: datetime = START, severity: Severity = Severity.CRITICAL, **facts: Any
) -> Condition:
    """Return the condition of a hot rack."""
    known = {"alarm": "rack1-hot", "text": "랙1 온도", "value": "35.2°C", "limit": "32.0°C 초과" if active else ""}
    return Condition(active=active, at=at, severity=severity, **{**known, **facts})


def a_message(**facts: Any) -> Message:
    """Return a message to be sent."""
    known: dict[str, Any] = {
        "id": "e1.kim",
        "event": Kind.RAISED,
        "alarm": "rack1-hot",
        "state": State.UNACKNOWLEDGED,
        "severity": Severity.CRITICAL,
        "site": "sancheong",
        "text": "[산청군전산실] 심각 발생: 랙1 온도 35.2°C",
        "contact": "kim",
        "at": START,
        "attempt": 1,
    }
    return Message(**{**known, **facts})


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the messages in a file channel's file; torn lines are left out."""
    found: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            with suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(line))
    return found


def wait_until(true: Callable[[], object], what: str) -> None:
    """Poll until it is true, or fail after a generous time."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"waited in vain: {what}"
        time.sleep(0.01)


async def eventually(true: Callable[[], object], what: str) -> None:
    """Poll until it is true, or fail after a generous time."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"waited in vain: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def dispatching(
    desk: Desk, config: Config, *, channels: dict[str, Channel] | None = None, metrics: AlertMetrics | None = None
) -> AsyncIterator[Dispatcher]:
    """Run a dispatcher with the configured channels, or with these."""
    built = channels if channels is not None else {each.id: build(each) for each in config.channel}
    dispatcher = Dispatcher(desk, built, config, metrics=metrics)
    stop = asyncio.Event()
    task = asyncio.create_task(dispatcher.run(stop))
    try:
        yield dispatcher
    finally:
        stop.set()
        await task
        for channel in built.values():
            await channel.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run an asynchronous test."""

    async def whole() -> None:
        await scenario()

    asyncio.run(whole(), debug=False)


@contextmanager
def refusing() -> Iterator[str]:
    """Return an address where nobody listens, and nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/hook"


class Receiver:
    """A real HTTP server in a thread that keeps what it was sent and can be told to misbehave.

    Attributes:
        got: the JSON objects that were accepted.
        requests: method, path and headers of every request.
        status: what it answers; a redirect goes to `/elsewhere`.
        gate: while it is not set, nothing is answered.
        drop: whether it hangs up without an answer.
        garbage: whether it answers with what is no HTTP.
        endless: whether it sends a body that never ends.
    """

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.status = 202
        self.gate = threading.Event()
        self.gate.set()
        self.closing = threading.Event()
        self.drop = self.garbage = self.endless = False
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> list[str]:
        """Return the ids that were accepted."""
        return [each["id"] for each in self.got]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the receiver."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def _answer(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        receiver.requests.append((self.command, self.path, {name.lower(): text for name, text in self.headers.items()}))
        while not receiver.gate.wait(0.02) and not receiver.closing.is_set():
            pass
        self.close_connection = True
        if receiver.drop:
            return
        if receiver.garbage:
            self.wfile.write(b"\x00\x01 not http at all\r\n\r\n")
            return
        if body and 200 <= receiver.status < 300:
            receiver.got.append(json.loads(body))
        self.send_response(receiver.status)
        if 300 <= receiver.status < 400:
            self.send_header("location", "/elsewhere")
        self.end_headers()
        while receiver.endless and not receiver.closing.is_set():
            self.wfile.write(b"x" * 1000)
            time.sleep(0.01)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver of webhooks."""
    receiver = Receiver()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.receiver = receiver
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.closing.set()
            server.shutdown()
            thread.join()


def webhook_settings(name: str, url: str, timeout: str = "30s") -> dict[str, str]:
    """Return a webhook channel as the configuration has it."""
    return {"id": name, "kind": "webhook", "url": url, "timeout": timeout}

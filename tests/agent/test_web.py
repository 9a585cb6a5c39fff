"""What answers `/metrics`, asked over a socket as Prometheus and a person with a browser do."""

import asyncio
import http.client
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Gauge

from agent.web import WebServer, metrics_app

Ask = Callable[[http.client.HTTPConnection], None]


def _served(ask: Ask) -> None:
    registry = CollectorRegistry()
    Gauge("bongsu_free_bytes", "Room", registry=registry).set(7)

    async def scenario() -> None:
        server, stop = WebServer("metrics", metrics_app(registry), "127.0.0.1", 0), asyncio.Event()
        server.open()
        running = asyncio.create_task(server.run(stop))
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            await asyncio.to_thread(ask, line)
        finally:
            line.close()
            stop.set()
            await running
            server.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics?name=all"])
def test_metrics_are_there(path: str) -> None:
    """By each way that it is asked for; `HEAD` tells the length and no body."""

    def ask(line: http.client.HTTPConnection) -> None:
        line.request("GET", path)
        found = line.getresponse()
        body = found.read()
        assert found.status == 200
        assert b"bongsu_free_bytes 7.0" in body
        line.request("HEAD", path)
        found = line.getresponse()
        assert (found.status, found.getheader("Content-Length")) == (200, str(len(body)))
        assert not found.read()

    _served(ask)


def test_what_is_not_there_is_said() -> None:
    """The first page says where to look; others are not found; nothing can be changed here."""

    def ask(line: http.client.HTTPConnection) -> None:
        for method, path, status in (("GET", "/", 200), ("GET", "/other", 404), ("POST", "/metrics", 405)):
            line.request(method, path)
            found = line.getresponse()
            assert (found.status, found.getheader("Allow")) == (status, "GET, HEAD" if status == 405 else None)
            assert b"metrics" in found.read() or status != 200

    _served(ask)

"""The console: what it shows, who may ask, and junk."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.monitor import MonitorDaemon
from tests.agent import site
from tests.agent.support import eventually, run
from tests.support.modbus import ModbusServer
from tests.support.ports import free_port

FORM = {"alarm": "hot", "by": "kim", "note": "가는 중"}


@pytest.fixture
def path() -> Iterator[Path]:
    """A folder of the test's own."""
    with site.folder() as folder:
        yield folder


@pytest.fixture
def rack() -> Iterator[ModbusServer]:
    """Register 1 is the temperature in tenths of a degree: hot."""
    server = ModbusServer(free_port(), registers={1: 380, 2: 480})
    yield server
    server.close()


def _settings(path: Path, rack: ModbusServer, text: str = "랙1 온도") -> Any:
    devices = site.DEVICES.format(port=rack.port).replace("랙1 온도", text)
    return site.config(path, site.SITE, site.MONITOR, devices, site.PEOPLE)


def _client(daemon: MonitorDaemon) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{daemon.webs['console'].port}", trust_env=False, timeout=60)


def test_the_page_shows_what_is_in_korean_and_safely(path: Path, rack: ModbusServer) -> None:
    """Level as a word and a colour; an alarm's text cannot bring a script in; nothing comes from elsewhere."""
    settings = _settings(path, rack, "<script>alert(1)</script>")

    async def scenario() -> None:
        async with site.monitor(settings) as daemon, _client(daemon) as client:
            await eventually(lambda: site.told(path, event="raised"), "it is hot")
            answer = await client.get("/")
            page = answer.text
            assert '<html lang="ko">' in page
            assert '<strong class="level">심각</strong>' in page
            assert "38.0 °C" in page
            assert "&lt;script&gt;alert(1)" in page
            assert "<script>alert" not in page
            assert "http://" not in page.replace("http-equiv", "")
            assert "https://" not in page
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            for file in ("/console.css", "/console.js", "/tables"):
                assert (await client.get(file)).status_code == 200
            status = (await client.get("/api/status")).json()
            assert [alarm["id"] for alarm in status["alarms"]] == ["hot"]

    run(scenario())


def test_the_form_acknowledges_and_only_from_our_own_page(path: Path, rack: ModbusServer) -> None:
    """Another site's page, a foreign host name, and a request without an origin change nothing."""
    settings = _settings(path, rack)

    async def scenario() -> None:
        async with site.monitor(settings) as daemon, _client(daemon) as client:
            await eventually(lambda: site.told(path, event="raised"), "it is hot")
            origin = str(client.base_url).rstrip("/")
            for headers in (
                {},
                {"origin": "http://evil.example"},
                {"origin": "null"},
                {"sec-fetch-site": "cross-site"},
            ):
                assert (await client.post("/acknowledge", data=FORM, headers=headers)).status_code == 403
            assert (await client.get("/", headers={"host": "evil.example"})).status_code == 421
            assert not site.told(path, event="acknowledged")
            answer = await client.post("/acknowledge", data=FORM, headers={"origin": origin})
            assert answer.status_code == 303
            await eventually(lambda: site.told(path, event="acknowledged"), "it is told")
            again = await client.post("/acknowledge", data=FORM, headers={"origin": origin})
            assert again.status_code == 409

    run(scenario())


def test_junk_is_refused_and_the_page_stays(path: Path, rack: ModbusServer) -> None:
    """Bytes that are no HTTP, forms that are none, forms without end."""
    settings = _settings(path, rack)

    async def scenario() -> None:
        async with site.monitor(settings) as daemon, _client(daemon) as client:
            port = daemon.webs["console"].port
            for junk in (b"\x00\xff" * 500, b"GET / HTTP/1.1\r\nHost: [\r\n\r\n", b"POST /acknowledge HTTP/9\r\n\r\n"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(junk)
                writer.write_eof()
                await reader.read()
                writer.close()
                await writer.wait_closed()
            headers = {"origin": str(client.base_url).rstrip("/")}
            for body in (b"x" * 100_000, b"alarm=\xff", b"&".join(b"a=1" for _ in range(99))):
                kind = {"content-type": "application/x-www-form-urlencoded"}
                assert (await client.post("/acknowledge", content=body, headers=headers | kind)).status_code == 400
            assert (await client.post("/acknowledge", json={}, headers=headers)).status_code == 400
            assert (await client.get("/nothing")).status_code == 404
            assert (await client.get("/")).status_code == 200

    run(scenario())


def test_an_open_event_stream_does_not_keep_the_monitor_from_stopping(path: Path, rack: ModbusServer) -> None:
    """A browser that looks on is let go."""
    settings = _settings(path, rack)

    async def scenario() -> None:
        async with (
            site.monitor(settings) as daemon,
            _client(daemon) as client,
            client.stream("GET", "/events") as stream,
        ):
            async for line in stream.aiter_lines():
                assert line == "event: tick"
                break
            await daemon.stop()

    run(scenario())

"""The control socket: answers, refusals, junk."""

import socket
import stat
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import requests
from agent.client import ask, connect
from agent.control import LINE, ControlServer, Peer
from agent.errors import AgentError, FatalError, NotRunningError, RequestRefusedError
from tests.agent.support import eventually, run


async def _answer(request: requests.Request, _peer: Peer) -> Mapping[str, Any]:
    if isinstance(request, requests.Status):
        return {"part": "monitor"}
    if isinstance(request, requests.Acknowledge):
        raise AgentError("acknowledge alarm x: unknown", "bongsu alarms lists them")
    raise RuntimeError("a fault of ours")


@asynccontextmanager
async def _server(path: Path, **more: Any) -> AsyncGenerator[ControlServer, None]:
    server = ControlServer(path, _answer, **more)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def test_a_request_is_answered_and_the_socket_is_for_the_group(tmp_path: Path) -> None:
    """The socket lets its owner and group in, nobody else; it is gone after the stop."""
    path = tmp_path / "monitor.sock"

    async def scenario() -> None:
        async with _server(path):
            assert await ask(path, requests.Status()) == {"part": "monitor"}
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert not path.exists()

    run(scenario())


def test_a_refusal_carries_text_and_hint(tmp_path: Path) -> None:
    """What the daemon says reaches the one who asked."""
    path = tmp_path / "monitor.sock"

    async def scenario() -> None:
        async with _server(path):
            with pytest.raises(RequestRefusedError, match="unknown") as caught:
                await ask(path, requests.Acknowledge(alarm="x", by="kim"))
            assert caught.value.hint == "bongsu alarms lists them"
            with pytest.raises(RequestRefusedError, match="a fault of ours"):
                await ask(path, requests.Alarms())
            assert await ask(path, requests.Status())

    run(scenario())


def test_no_daemon_is_told_with_the_way_to_start_it(tmp_path: Path) -> None:
    """A missing socket and one that a killed daemon left are the same: it is not running."""
    path = tmp_path / "monitor.sock"
    stale = socket.socket(socket.AF_UNIX)

    async def scenario() -> None:
        for _ in range(2):
            with pytest.raises(NotRunningError, match="monitor: it is not running") as caught:
                await ask(path, requests.Status())
            assert "bongsu run monitor" in caught.value.hint
            if not path.exists():
                stale.bind(str(path))
                stale.close()
        async with _server(path):  # and it does not keep a new one from starting
            assert await ask(path, requests.Status())

    run(scenario())


def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    """Only sockets are stale."""
    path = tmp_path / "monitor.sock"
    path.write_text("mine")

    async def scenario() -> None:
        with pytest.raises(FatalError, match="no socket"):
            await ControlServer(path, _answer).start()

    run(scenario())
    assert path.read_text() == "mine"


def test_junk_is_refused_and_others_are_served(tmp_path: Path) -> None:
    """Wrong JSON, unknown requests, half lines and endless lines end at the one who sends them."""
    path = tmp_path / "monitor.sock"

    async def send(junk: bytes) -> bytes:
        async with connect(path) as (reader, writer):
            writer.write(junk)
            writer.write_eof()
            return await reader.read()

    async def scenario() -> None:
        async with _server(path):
            assert b'"ok":false' in await send(b"{}\n")
            assert b'"ok":false' in await send(b'{"do":"explode"}\n')
            assert b'"ok":false' in await send(b"\xff\xfe\x00\n")
            assert b'"ok":false' in await send(b"[" * 100_000 + b"\n")
            assert await send(b'{"do":"status"') == b""
            assert b"longer than" in await send(b"x" * (LINE + 1) + b"\n")
            assert await ask(path, requests.Status())

    run(scenario())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_anything_else(junk: bytes) -> None:
    """A line is a request that we know, or an error that we handle."""
    import msgspec

    try:
        request = requests.decode(junk)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    assert requests.decode(requests.encode(request)) == request


def test_the_end_of_a_connection_is_told(tmp_path: Path) -> None:
    """Whoever pushes to a peer learns that it has gone."""
    path = tmp_path / "monitor.sock"
    gone: list[Peer] = []

    async def scenario() -> None:
        async with _server(path, on_gone=gone.append):
            await ask(path, requests.Status())
            await eventually(lambda: len(gone) == 1, "the peer has gone")

    run(scenario())


def test_stopping_does_not_wait_for_those_who_are_connected(tmp_path: Path) -> None:
    """A command that hangs cannot keep the daemon from stopping."""
    path = tmp_path / "monitor.sock"

    async def scenario() -> None:
        async with _server(path) as server, connect(path) as (reader, writer):
            writer.write(requests.encode(requests.Status()))
            assert await reader.readline(), "it is connected"
            await server.stop()
            assert await reader.read() == b""

    run(scenario())

"""The control socket of a daemon: JSON lines over a Unix socket in the state directory.

Every request gets one answer, `{"ok": true, ...}` or `{"ok": false, "text": ..., "hint": ...}`; to a connection that
reports, the daemon may also write lines of its own accord.
"""

import asyncio
import contextlib
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from agent import requests
from agent.errors import FatalError, hint_of, reason_of

log = structlog.get_logger(__name__)

#: Bytes of one line, either way.
LINE = 4 * 1024 * 1024
_PEERS = 64
# A peer that takes nothing for this long is cut off, so that it cannot hold memory.
_SEND_SECONDS = 10.0
_MODE = 0o660


class Peer:
    """One connection, for a daemon that writes to it later. `send` after the peer has gone raises `ConnectionError`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, message: Mapping[str, Any]) -> None:
        """Write one line and wait until it is on its way."""
        self._writer.write(requests.encode(message))
        async with asyncio.timeout(_SEND_SECONDS):
            await self._writer.drain()


Handler = Callable[[requests.Request, Peer], Awaitable[Mapping[str, Any]]]
Gone = Callable[[Peer], None]


class ControlServer:
    """Answers requests at `path`. Whoever starts it holds the state directory's lock: a socket found there is stale."""

    def __init__(self, path: Path, handler: Handler, on_gone: Gone | None = None) -> None:
        self._path = path
        self._handler = handler
        self._on_gone = on_gone
        self._server: asyncio.Server | None = None
        self._peers: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self) -> None:
        """Listen.

        Raises:
            FatalError: the socket cannot be made.
        """
        try:
            _remove_stale(self._path)
            self._server = await asyncio.start_unix_server(self._accept, str(self._path), limit=LINE)
            self._path.chmod(_MODE)
        except OSError as error:
            await self.stop()
            raise FatalError(
                f"listen on {self._path}: {error.strerror or error}",
                "the state directory must be on a local disk, and its path shorter than 90 bytes",
            ) from error

    async def stop(self) -> None:
        """Close the socket and every connection; may be called twice."""
        if self._server is None:
            return
        self._closing = True
        self._server.close()
        for peer in list(self._peers):
            peer.cancel()
        await asyncio.gather(*self._peers, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        self._path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._closing or len(self._peers) >= _PEERS:
            writer.close()
            return
        self._peers.add(task)
        peer = Peer(writer)
        try:
            await self._talk(reader, peer)
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            # A cancelled peer means that the server stops; the stream's own callback would log it as a fault.
            log.debug("control connection ended", reason=reason_of(error))
        finally:
            self._peers.discard(task)
            if self._on_gone is not None:
                self._on_gone(peer)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, peer: Peer) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # longer than the limit: what follows could be anything
                await peer.send({"ok": False, "text": f"read request: longer than {LINE} bytes", "hint": ""})
                return
            if not line.endswith(b"\n"):
                return
            await peer.send(await self._answer(line, peer))

    async def _answer(self, line: bytes, peer: Peer) -> Mapping[str, Any]:
        try:
            request = requests.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return {"ok": False, "text": f"read request: {reason_of(error)}", "hint": "use the bongsu command"}
        try:
            return {"ok": True, **await self._handler(request, peer)}
        except Exception as error:
            if not hint_of(error) and not isinstance(error, ValueError):
                log.exception("request failed", request=type(request).__name__)
            return {"ok": False, "text": reason_of(error), "hint": hint_of(error)}


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FatalError(f"listen on {path}: a file that is no socket stands there", "move it away")
    path.unlink()

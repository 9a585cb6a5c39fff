"""An HTTP server that is not ours and keeps what is posted to it."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.support.waiting import until


class Posted(NamedTuple):
    """One request: its body, and when it arrived (seconds since 1970)."""

    body: dict[str, Any]
    at: float
    headers: dict[str, str]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a burst of messages finds room, on a loaded machine too


class Sink:
    """Python's own HTTP server in a thread; `status` is what it answers."""

    def __init__(self, port: int = 0) -> None:
        """Listen on a port of the loopback address."""
        sink = self
        self.status = 200
        self.posted: list[Posted] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                sink.posted.append(Posted(json.loads(raw), time.time(), dict(self.headers)))
                self.send_response(sink.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Say nothing."""

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def bodies(self, **wanted: str) -> list[dict[str, Any]]:
        """What was posted and has these values."""
        return [post.body for post in list(self.posted) if all(post.body.get(key) == wanted[key] for key in wanted)]

    def wait_for(self, **wanted: str) -> dict[str, Any]:
        """Wait for a message with these values."""

        def ask() -> list[dict[str, Any]]:
            found = self.bodies(**wanted)
            assert found, [(post.body.get("event"), post.body.get("alarm")) for post in self.posted]
            return found

        return until(ask, f"a message {wanted} arrives")[0]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

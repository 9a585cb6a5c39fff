"""Where the messages of the demonstration arrive: an HTTP server on the loopback address."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

#: More than any message of ours; a longer body is not read.
_MOST = 65_536


class Arrived(NamedTuple):
    """One message as it was posted, and when it arrived (seconds since 1970)."""

    body: dict[str, Any]
    at: float


class Sink:
    """A server in a thread of its own; `on_message` is called in that thread."""

    def __init__(self, on_message: Callable[[Arrived], None]) -> None:
        """Listen on a free port at once."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(on_message))
        server.daemon_threads = True
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="sink", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/messages"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(on_message: Callable[[Arrived], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take one message."""
            status = 204 if self._take() else 400
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _take(self) -> bool:
            try:
                length = int(self.headers.get("Content-Length", ""))
                body = json.loads(self.rfile.read(min(length, _MOST)))
            except ValueError:
                return False
            if isinstance(body, dict):
                on_message(Arrived(body, time.time()))
            return isinstance(body, dict)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Leave the terminal to the story."""

    return Handler

"""A pipe between a replicator and its vault, from which both are seen from outside."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from replicator.messages import Done, Put
from replicator.wire import Frames, from_vault, to_vault
from tests.support.ports import free_port

_READ = 256 * 1024
_LIMIT = 300.0


class Tap:
    """Hands every byte on, and notes when the vault's word that some bytes are durable comes past.

    The vault gives that word after the flush. It is stamped as it leaves the vault, before it is handed on;
    that the bytes took this way costs the measured one about 0.1 ms.
    """

    def __init__(self, vault: int) -> None:
        """Listen on `port`, for a vault that listens, or will, on the port `vault`."""
        self.port = free_port()
        self._vault = vault
        self._news = threading.Condition()
        self._durable: dict[bytes, float] = {}
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def durable(self, hashes: Collection[bytes]) -> float:
        """Wait until the vault has called the bytes of each SHA-256 durable; return when it called the last.

        Raises:
            AssertionError: it did not within five minutes.
        """
        with self._news:
            if not self._news.wait_for(lambda: all(each in self._durable for each in hashes), timeout=_LIMIT):
                missing = sum(each not in self._durable for each in hashes)
                raise AssertionError(f"the vault called {missing} of {len(hashes)} files not durable in {_LIMIT:.0f} s")
            return max(self._durable[each] for each in hashes)

    def close(self) -> None:
        """Take no more connections; those that are there end with their ends."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._server.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._vault))
                except OSError:
                    near.close()
                    continue
                line = _Line(self._said)
                there, back = (near, far, to_vault(), line.put), (far, near, from_vault(), line.done)
                for way in (there, back):
                    threading.Thread(target=_pump, args=way, daemon=True).start()

    def _said(self, found: list[bytes], at: float) -> None:
        with self._news:
            for each in found:
                self._durable.setdefault(each, at)
            self._news.notify_all()


class _Line:
    """One connection: which number stands for which bytes. A word may be read here before what it answers."""

    def __init__(self, said: Callable[[list[bytes], float], None]) -> None:
        self._said = said
        self._lock = threading.Lock()
        self._hashes: dict[int, bytes] = {}
        self._early: dict[int, float] = {}

    def put(self, message: object, _: float) -> None:
        """Something was said to the vault."""
        if isinstance(message, Put) and message.hash:
            with self._lock:
                at = self._early.pop(message.id, None)
                if at is None:
                    self._hashes[message.id] = message.hash
            if at is not None:
                self._said([message.hash], at)

    def done(self, message: object, at: float) -> None:
        """The vault said something."""
        if isinstance(message, Done):
            with self._lock:
                found = [self._hashes.pop(each) for each in message.ids if each in self._hashes]
                if len(found) < len(message.ids):
                    self._early.update(dict.fromkeys(message.ids, at))
            self._said(found, at)


def _pump(
    source: socket.socket, target: socket.socket, frames: Frames[Any], note: Callable[[object, float], None]
) -> None:
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError), source:
        while data := source.recv(_READ):
            at = time.monotonic()
            target.sendall(data)
            frames.feed(data)
            while (got := frames.next()) is not None:
                note(got[0], at)
    with contextlib.suppress(OSError):  # the other direction ends too
        target.shutdown(socket.SHUT_RDWR)

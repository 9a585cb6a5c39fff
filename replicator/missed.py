"""Counts what the watcher missed: changes that a scan found, that were sent, and that no event ever told of."""

#: Seconds in which an event may still come for what a scan found and sent before it.
_PATIENCE = 5.0
#: Paths that are remembered at once; more are not counted.
_MOST = 100_000


class Missed:
    """One source's. `now` is a monotonic clock in seconds.

    Attributes:
        total: how many.
        newest: the one counted last, empty before the first.
    """

    def __init__(self) -> None:
        self.total = 0
        self.newest = b""
        self._found: set[bytes] = set()
        self._sent: dict[bytes, float] = {}

    def found(self, path: bytes) -> None:
        """A scan that began while the watcher saw all found this, and nothing told of it yet."""
        if len(self._found) < _MOST:
            self._found.add(path)

    def told(self, path: bytes) -> None:
        """The watcher tells of this path."""
        if self._found or self._sent:
            self._found.discard(path)
            self._sent.pop(path, None)

    def same(self, path: bytes) -> None:
        """It was looked at, and the vault had it so."""
        self._found.discard(path)

    def sent(self, path: bytes, now: float) -> None:
        """It was sent."""
        if path in self._found:
            self._found.discard(path)
            self._sent[path] = now

    def forget(self) -> None:
        """Something went unseen, which is told already: what a scan finds now is no miss."""
        self._found.clear()
        self._sent.clear()

    def settle(self, now: float) -> None:
        """Count those for which no event came in time."""
        while self._sent:
            path, at = next(iter(self._sent.items()))
            if now - at < _PATIENCE:
                return
            del self._sent[path]
            self.total += 1
            self.newest = path

"""How often one path may be sent: a file rewritten without end must not fill the vault with its versions."""

#: Seconds over which a path's sendings are counted.
_SPAN = 5.0
#: Sendings within the span that cost nothing.
_FREE = 20
#: Seconds that each further one waits.
_WAIT = 0.25
#: Seconds between two marked moments of a file that stays open.
_MOMENTS = 3.0
_REMEMBERED = 20_000


class Pace:
    """Counts sendings of each path over a short time. `now` is a monotonic clock in seconds."""

    def __init__(self) -> None:
        self._sent: dict[bytes, tuple[float, int]] = {}
        self._moments: dict[bytes, float] = {}

    def sent(self, path: bytes, now: float, *, moment: bool) -> None:
        """The path was sent now; `moment`: as a marked moment of an open file."""
        for remembered in (self._sent, self._moments):
            if len(remembered) > _REMEMBERED:
                remembered.clear()
        if moment:
            self._moments[path] = now
        since, count = self._sent.get(path, (now, 0))
        self._sent[path] = (since, count + 1) if now - since < _SPAN else (now, 1)

    def closed(self, path: bytes, now: float) -> float:
        """Seconds to wait with a file that was closed; almost always 0."""
        since, count = self._sent.get(path, (now, 0))
        return _WAIT if count >= _FREE and now - since < _SPAN else 0.0

    def open(self, path: bytes, now: float) -> float:
        """Seconds to wait with a marked moment."""
        last = self._moments.get(path)
        return 0.0 if last is None else max(0.0, last + _MOMENTS - now)
